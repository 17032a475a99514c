// A client of the metadata service: one request on one connection, all of it within 100 ms.
#include "validator.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MILLISECONDS 100
#define MAX_ANSWER (16 << 20)

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / (1000 * 1000);
}

// Waits until a socket is ready, or for the deadline, which is an error.
static bool ready(int server, short events, long deadline)
{
    struct pollfd waited = {.fd = server, .events = events};
    long left = deadline - now();
    if (left > 0 && poll(&waited, 1, (int)left) == 1)
        return true;
    errno = ETIMEDOUT;
    return false;
}

// http://ADDRESS:PORT and a path. The path, or NULL.
static const char *parse_url(const char *url, struct sockaddr_in *to)
{
    char host[INET_ADDRSTRLEN];
    unsigned port;
    int path = 0;
    if (sscanf(url, "http://%15[0-9.]:%5u%n", host, &port, &path) != 2 || port > 65535)
        return NULL;
    to->sin_family = AF_INET;
    to->sin_port = htons((unsigned short)port);
    bool good = (!url[path] || url[path] == '/') && inet_pton(AF_INET, host, &to->sin_addr) == 1;
    return good ? url + path : NULL;
}

// Everything that the server answers, as a string; NULL and errno where it doesn't in time.
static char *exchange(const struct sockaddr_in *to, const char *request, size_t *length)
{
    long deadline = now() + MILLISECONDS;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    socklen_t size = sizeof error;
    if (server < 0)
        return NULL;
    char *answer = NULL;
    if (connect(server, (const void *)to, sizeof *to) && errno != EINPROGRESS)
        goto out;
    if (!ready(server, POLLOUT, deadline))
        goto out;
    getsockopt(server, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    if (error)
        goto out;
    for (size_t left = strlen(request); left;) {
        ssize_t sent = send(server, request, left, MSG_NOSIGNAL);
        if (sent < 0 && (errno != EAGAIN || !ready(server, POLLOUT, deadline)))
            goto out;
        if (sent > 0) {
            request += sent;
            left -= (size_t)sent;
        }
    }
    char *bytes = need(malloc(MAX_ANSWER + 1));
    for (size_t got = 0; got < MAX_ANSWER;) {
        ssize_t more = recv(server, bytes + got, MAX_ANSWER - got, 0);
        if (more == 0) {
            bytes[got] = 0;
            *length = got;
            answer = bytes;
            break;
        }
        if (more < 0 && (errno != EAGAIN || !ready(server, POLLIN, deadline)))
            break;
        got += more > 0 ? (size_t)more : 0;
    }
    if (!answer)
        free(bytes);
out:
    error = errno;
    close(server);
    errno = error;
    return answer;
}

// The value of a header, up to its line's end; NULL where there is none.
static char *header(const char *head, const char *name)
{
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        if (strncasecmp(at, name, strlen(name)) || at[strlen(name)] != ':')
            continue;
        at += strlen(name) + 1;
        at += strspn(at, " \t");
        return need(strndup(at, strcspn(at, "\r\n")));
    }
    return NULL;
}

// The body of an answer as it should be, in memory of its own.
static char *checked(const char *entry, char *answer, size_t length, const char *media_type)
{
    char *body = strstr(answer, "\r\n\r\n");
    int status = 0;
    if (!body || sscanf(answer, "HTTP/1.1 %3d ", &status) != 1) {
        fail("%s: the answer is not HTTP/1.1", entry);
        return NULL;
    }
    body[2] = 0;
    body += 4;
    if (status != 200) {
        fail("%s: the answer is %d, should be 200", entry, status);
        return NULL;
    }
    char *type = header(answer, "Content-Type"), *size = header(answer, "Content-Length");
    size_t body_length = length - (size_t)(body - answer);
    char *result = NULL;
    if (media_type && (!type || strcmp(type, media_type)))
        fail("%s: Content-Type is %s, should be %s", entry, type ? type : "missing", media_type);
    else if (!size || strtoull(size, NULL, 10) != body_length || strlen(body) != body_length)
        fail("%s: the answer has %zu bytes, Content-Length is %s", entry, body_length,
             size ? size : "missing");
    else
        result = need(strdup(body));
    free(type);
    free(size);
    return result;
}

char *ask(const char *entry, const char *form, const char *media_type)
{
    struct sockaddr_in to = {0};
    const char *url = getenv("AC_METADATA_URL"), *path = url ? parse_url(url, &to) : NULL;
    if (!path) {
        fail("AC_METADATA_URL: is %s, should be http://ADDRESS:PORT/...", url ? url : "not set");
        return NULL;
    }
    char *posted = need(strdup("")), *request = NULL, *body = NULL;
    if (form && asprintf(&posted,
                         "Content-Type: application/x-www-form-urlencoded\r\n"
                         "Content-Length: %zu\r\n",
                         strlen(form)) < 0)
        need(NULL);
    if (asprintf(&request,
                 "%s %s/acMetadata/v1/%s HTTP/1.1\r\nHost: metadata\r\nConnection: close\r\n"
                 "Metadata-Flavor: AppContainer\r\n%s\r\n%s",
                 form ? "POST" : "GET", path, entry, posted, form ? form : "") < 0)
        need(NULL);
    size_t length = 0;
    char *answer = exchange(&to, request, &length);
    if (answer)
        body = checked(entry, answer, length, media_type);
    else
        fail("%s: no answer in %d ms: %s", entry, MILLISECONDS, strerror(errno));
    free(answer);
    free(request);
    free(posted);
    return body;
}
