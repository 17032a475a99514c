// Commands on other processes: those that it starts, leaves behind, sees and signals.
#include "probe.h"

#include <ctype.h>
#include <dirent.h>
#include <sys/resource.h>
#include <time.h>

static void nap(int milliseconds) { usleep(milliseconds * 1000); }

static int sleep_for(char **words)
{
    nap(atoi(words[0]));
    return 0;
}

// A byte more in a file every 10 ms, for ever and against every polite signal: it shows from outside
// whether a process still lives, whatever its number is there. For ever is a minute, in case that
// nobody ends it.
static void beat(const char *path)
{
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    for (int i = 0; i < 6000; i++, nap(10)) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
        if (fd < 0 || write(fd, ".", 1) != 1)
            _exit(1);
        close(fd);
    }
    _exit(0);
}

// The orphan says its number and keeps standard output open, as a careless daemon does.
static void orphan_beat(const char *path)
{
    printf("%d\n", getpid());
    fflush(stdout);
    beat(path);
}

static int orphan(char **words)
{
    fflush(stdout);
    if (fork() == 0)
        orphan_beat(words[0]);
    nap(50);
    return 0;
}

static int leave_daemon(char **words)
{
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            orphan_beat(words[0]);
        _exit(0);
    }
    wait(NULL);
    nap(50);
    return 0;
}

// family FILE FILE: a daemon, and itself, both alive until they are killed.
static int family(char **words)
{
    leave_daemon(words);
    beat(words[1]);
    return 0;
}

static int send_signal(char **words) { return report(kill(atoi(words[0]), atoi(words[1]))); }

static int is_number(const struct dirent *entry) { return isdigit(entry->d_name[0]); }

static int pids(char **words)
{
    struct dirent **entries;
    (void)words;
    int count = scandir("/proc", &entries, is_number, versionsort);
    for (int i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", entries[i]->d_name);
    puts("");
    return 0;
}

// zombies: makes orphans that end at once, and counts those that nobody reaps.
static int zombies(char **words)
{
    (void)words;
    for (int i = 0; i < 20; i++)
        if (fork() == 0) {
            if (fork() == 0) {
                nap(20);
                _exit(0);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    nap(200);
    struct dirent **entries;
    int left = 0, count = scandir("/proc", &entries, is_number, NULL);
    for (int i = 0; i < count; i++) {
        char path[300], state = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", entries[i]->d_name);
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'Z')
            left++;
        if (file)
            fclose(file);
    }
    printf("%d\n", left);
    return 0;
}

static int holds(const char *block, long size, const char *text)
{
    return size > 0 && memmem(block, size, text, strlen(text)) != NULL;
}

static int file_holds(const char *pid, const char *name, const char *text)
{
    static char block[1 << 20];
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY);
    long size = 0, got;
    while (fd >= 0 && size < (long)sizeof block &&
           (got = read(fd, block + size, sizeof block - size)) > 0)
        size += got;
    if (fd >= 0)
        close(fd);
    return holds(block, size, text);
}

static int memory_holds(const char *pid, const char *text)
{
    static char block[1 << 20];
    char path[300];
    unsigned long from, to;
    int found = 0;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof path, "/proc/%s/mem", pid);
    int memory = open(path, O_RDONLY);
    while (maps && memory >= 0 && fscanf(maps, "%lx-%lx%*[^\n]", &from, &to) == 2)
        // Blocks overlap, so that a text across their border is found too.
        for (unsigned long at = from; at < to && !found; at += sizeof block - 256)
            found = holds(block, pread(memory, block, sizeof block, at), text);
    if (maps)
        fclose(maps);
    if (memory >= 0)
        close(memory);
    return found;
}

// reveals PID VARIABLE: where the value that a process has for an environment variable can be read.
// The value is put together here from two words, so that it stands nowhere in our own arguments.
static int reveals(char **words)
{
    char text[300];
    int found = 0;
    snprintf(text, sizeof text, "%s%s", words[1], words[2]);
    const char *names[] = {"environ", "cmdline", "comm", "maps", "mountinfo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (file_holds(words[0], names[i], text))
            found += printf("%s ", names[i]);
    if (memory_holds(words[0], text))
        found += printf("mem ");
    puts(found ? "" : "nothing");
    return 0;
}

// allocate MIB: takes so much memory, and uses all of it.
static int allocate(char **words)
{
    size_t size = (size_t)atol(words[0]) << 20;
    char *memory = malloc(size);
    if (!memory)
        return report(-1);
    for (size_t at = 0; at < size; at += 4096)
        ((volatile char *)memory)[at] = 1;
    return report(0);
}

// together COUNT MIB: so many processes that take so much each, at the same time; how many could.
static int together(char **words)
{
    int count = atoi(words[0]), done = 0, ready[2], over[2];
    char byte;
    if (pipe(ready) || pipe(over))
        return report(-1);
    for (int i = 0; i < count; i++)
        if (fork() == 0) {
            close(over[1]);
            size_t size = (size_t)atol(words[1]) << 20;
            volatile char *memory = malloc(size);
            for (size_t at = 0; memory && at < size; at += 4096)
                memory[at] = 1;
            int told = write(ready[1], "x", 1) == 1;
            close(ready[1]);
            _exit(told && read(over[0], &byte, 1) == 0 ? 0 : 1);
        }
    // Each says that it has all, or is killed.
    close(ready[1]);
    for (int i = 0; i < count && read(ready[0], &byte, 1) == 1; i++)
        done++;
    close(over[1]);
    while (wait(NULL) > 0)
        ;
    printf("%d\n", done);
    return 0;
}

// burn MS: keeps a processor busy for so long, and says how many milliseconds it had of it.
static int burn(char **words)
{
    struct timespec start, now, used;
    long wanted = atol(words[0]), passed;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (volatile int i = 0; i < 10000; i++)
            ;
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
    } while (passed < wanted);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    printf("%ld\n", used.tv_sec * 1000 + used.tv_nsec / 1000000);
    return 0;
}

// forks COUNT: that many children at the same time; how many there could be, and why not more.
static int forks(char **words)
{
    int count = atoi(words[0]), made = 0, over[2];
    char byte;
    pid_t child = 0;
    fflush(stdout);
    if (pipe(over))
        return report(-1);
    while (made < count && (child = fork()) > 0)
        made++;
    if (child == 0 && made < count) {
        close(over[1]);
        _exit(read(over[0], &byte, 1) == 0 ? 0 : 1);
    }
    int error = errno;
    printf("%d%s", made, made < count ? " " : "\n");
    errno = error;
    if (made < count)
        report(-1);
    close(over[1]);
    while (wait(NULL) > 0)
        ;
    return 0;
}

// bomb: forks for ever, and so does each child, up to 150 processes of a user; ends by the clock, if nobody ends it.
static int bomb(char **words)
{
    (void)words;
    struct rlimit most = {150, 150};
    time_t end = time(NULL) + 10;
    signal(SIGCHLD, SIG_IGN);
    if (setrlimit(RLIMIT_NPROC, &most))
        return report(-1);
    while (time(NULL) < end)
        if (fork() < 0)
            usleep(100);
    _exit(0);
}

const struct command life_commands[] = {
    {"sleep", 1, sleep_for}, {"orphan", 1, orphan},  {"daemon", 1, leave_daemon},
    {"family", 2, family},   {"kill", 2, send_signal}, {"pids", 0, pids},
    {"zombies", 0, zombies}, {"reveals", 3, reveals},
    {"allocate", 1, allocate}, {"together", 2, together}, {"burn", 1, burn},
    {"forks", 1, forks},     {"bomb", 0, bomb},     {NULL, 0, NULL},
};
