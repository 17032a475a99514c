// Commands on other processes: those that it starts, leaves behind, sees and signals.
#include "probe.h"

#include <ctype.h>
#include <dirent.h>

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

const struct command life_commands[] = {
    {"sleep", 1, sleep_for}, {"orphan", 1, orphan},  {"daemon", 1, leave_daemon},
    {"family", 2, family},   {"kill", 2, send_signal}, {"pids", 0, pids},
    {"zombies", 0, zombies}, {"reveals", 3, reveals}, {NULL, 0, NULL},
};
