// An App Container validator: checks, as the program of an image, what the specification says of the
// environment of an app. Prints `MODE OK` and exits 0, or `MODE FAIL` with a line for each check that
// failed and exits 1; 64 where it is not called with one mode.
#include "validator.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STANDARD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define WAIT_SECONDS 5

static char *failures;
static size_t failures_size;
static FILE *failed;

void fail(const char *format, ...)
{
    va_list words;
    va_start(words, format);
    fputs("==> ", failed);
    vfprintf(failed, format, words);
    fputc('\n', failed);
    va_end(words);
}

void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static bool there(const char *path)
{
    struct stat file;
    return !lstat(path, &file);
}

static void exists(const char *path)
{
    struct stat file;
    if (lstat(path, &file))
        fail("%s: should be there: %s", path, strerror(errno));
}

static void absent(const char *path)
{
    struct stat file;
    if (!lstat(path, &file))
        fail("%s: should not be there", path);
    else if (errno != ENOENT)
        fail("%s: should not be there, which cannot be known: %s", path, strerror(errno));
}

static void absent_then_created(const char *path)
{
    absent(path);
    if (there(path))
        return;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0)
        fail("%s: cannot be created: %s", path, strerror(errno));
    else
        close(file);
}

static void appears(const char *path)
{
    struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
    for (int waited = 0; waited < WAIT_SECONDS * 100; waited++) {
        if (there(path))
            return;
        nanosleep(&step, NULL);
    }
    fail("%s: has not appeared in %d s", path, WAIT_SECONDS);
}

static void variable(const char *name, const char *expected)
{
    const char *value = getenv(name);
    if (!value)
        fail("%s: is not set, should be %s", name, expected);
    else if (strcmp(value, expected))
        fail("%s: is %s, should be %s", name, value, expected);
}

static void working_directory(const char *expected)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path))
        fail("working directory: cannot be known: %s", strerror(errno));
    else if (strcmp(path, expected))
        fail("working directory: is %s, should be %s", path, expected);
}

// Whether options have `ro` as a word. These are of proc_pid_mountinfo(5): separated by commas.
static bool read_only(const char *options)
{
    char *copy = need(strdup(options)), *rest = copy, *option;
    bool found = false;
    while ((option = strsep(&rest, ",")))
        found = found || !strcmp(option, "ro");
    free(copy);
    return found;
}

// A mount point of exactly this path, which can be written. Of several the last is on top.
static void writable_mount(const char *path)
{
    FILE *table = fopen("/proc/self/mountinfo", "re");
    if (!table) {
        fail("%s: /proc/self/mountinfo, which says whether it is a mount point: %s", path,
             strerror(errno));
        return;
    }
    enum { NONE, READ_ONLY, WRITABLE } found = NONE;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, table) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *rest = line, *field, *point = "", *options = "", *last = "";
        // Escapes of spaces and the like are left as they are: the path has none.
        for (int number = 1; (field = strsep(&rest, " ")); number++) {
            if (number == 5)
                point = field;
            if (number == 6)
                options = field;
            last = field;
        }
        if (!strcmp(point, path))
            found = read_only(options) || read_only(last) ? READ_ONLY : WRITABLE;
    }
    free(line);
    fclose(table);
    if (found == NONE)
        fail("%s: is no mount point", path);
    if (found == READ_ONLY)
        fail("%s: is mounted read-only", path);
}

static void prestart(void)
{
    absent_then_created("/prestart");
    absent("/main");
    absent("/poststop");
}

static void main_process(void)
{
    exists("/prestart");
    absent_then_created("/main");
    absent("/poststop");
    variable("PATH", STANDARD_PATH);
    working_directory("/opt/acvalidator");
    variable("IN_ACE_VALIDATOR", "correct");
    writable_mount("/db");
    variable("AC_APP_NAME", "ace-validator-main");
    check_metadata();
    appears("/db/sidekick");
    absent_then_created("/db/main");
}

static void sidekick(void)
{
    absent_then_created("/db/sidekick");
    appears("/db/main");
}

static void poststop(void)
{
    exists("/prestart");
    exists("/main");
    absent_then_created("/poststop");
}

static const struct {
    const char *name;
    void (*check)(void);
} modes[] = {
    {"prestart", prestart},
    {"main", main_process},
    {"sidekick", sidekick},
    {"poststop", poststop},
};

int main(int count, char **words)
{
    for (size_t mode = 0; count == 2 && mode < sizeof modes / sizeof *modes; mode++) {
        if (strcasecmp(words[1], modes[mode].name))
            continue;
        failed = need(open_memstream(&failures, &failures_size));
        modes[mode].check();
        fclose(failed);
        printf("%s %s\n", words[1], failures_size ? "FAIL" : "OK");
        fflush(stdout);
        fputs(failures, stderr);
        return failures_size ? 1 : 0;
    }
    fprintf(stderr, "usage: %s prestart|main|sidekick|poststop\n", count > 0 ? words[0] : "");
    return 64;
}
