// Commands on the network: interfaces, loopback, and what can be reached.
#include "probe.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in address(const char *host, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &to.sin_addr);
    return to;
}

static int interfaces(char **words)
{
    (void)words;
    struct if_nameindex *list = if_nameindex();
    if (!list)
        return report(-1);
    for (struct if_nameindex *entry = list; entry->if_name; entry++)
        printf("%s%s", entry == list ? "" : " ", entry->if_name);
    puts("");
    return 0;
}

// loopback: whether lo is up, and carries a connection.
static int loopback(char **words)
{
    (void)words;
    struct ifreq request = {.ifr_name = "lo"};
    struct sockaddr_in at = address("127.0.0.1", 0);
    socklen_t size = sizeof at;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (ioctl(server, SIOCGIFFLAGS, &request))
        return report(-1);
    puts(request.ifr_flags & IFF_UP ? "up" : "down");
    if (bind(server, (void *)&at, size) || listen(server, 1) ||
        getsockname(server, (void *)&at, &size) || connect(client, (void *)&at, size))
        return report(-1);
    char got = 0;
    int other = accept(server, NULL, NULL);
    if (other < 0 || write(client, "x", 1) != 1 || read(other, &got, 1) != 1)
        return report(-1);
    return report(got == 'x' ? 0 : -1);
}

static int connect_port(char **words)
{
    struct sockaddr_in to = address(words[0], atoi(words[1]));
    return report(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof to));
}

static int connect_abstract(char **words)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(words[0]);
    memcpy(to.sun_path + 1, words[0], length);
    return report(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&to,
                          offsetof(struct sockaddr_un, sun_path) + 1 + length));
}

// route HOST: whether there is a way to a host; a datagram socket sends nothing by connecting.
static int route(char **words)
{
    struct sockaddr_in to = address(words[0], 9);
    return report(connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&to, sizeof to));
}

// accept FD: takes one connection on a socket that it was started with, and answers what it is told.
static int accept_one(char **words)
{
    char got[5] = "";
    int stream = accept(atoi(words[0]), NULL, NULL);
    if (stream < 0)
        return report(-1);
    if (read(stream, got, 4) != 4 || write(stream, "pong", 4) != 4)
        return 1;
    puts(got);
    return 0;
}

const struct command network_commands[] = {
    {"interfaces", 0, interfaces}, {"loopback", 0, loopback}, {"connect", 2, connect_port},
    {"connect-abstract", 1, connect_abstract}, {"route", 1, route},
    {"accept", 1, accept_one}, {NULL, 0, NULL},
};
