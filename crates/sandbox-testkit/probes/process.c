// Commands on the process itself: how it was started, and what it says.
#include "probe.h"

extern char **environ;

static int exit_with(char **words) { return atoi(words[0]); }

static int kill_self(char **words)
{
    kill(getpid(), atoi(words[0]));
    return 98; // reached where the signal had no effect
}

// args: each word on a line of its own, after its length, so that any byte can be told apart.
static int args(char **words)
{
    for (; *words; words++)
        printf("%zu:%s\n", strlen(*words), *words);
    return 0;
}

// count-args: how many words, and how many bytes in all.
static int count_args(char **words)
{
    size_t count = 0, bytes = 0;
    for (; *words; words++, count++)
        bytes += strlen(*words);
    printf("%zu %zu\n", count, bytes);
    return 0;
}

static int env(char **words)
{
    (void)words;
    for (char **variable = environ; *variable; variable++)
        puts(*variable);
    return 0;
}

static int cwd(char **words)
{
    char path[4096];
    (void)words;
    if (!getcwd(path, sizeof path))
        return report(-1);
    puts(path);
    return 0;
}

// cat: passes on every byte at once, so that what streams live can be seen to.
static int cat(char **words)
{
    char block[65536];
    long got;
    (void)words;
    while ((got = read(0, block, sizeof block)) > 0)
        for (long at = 0, put; at < got; at += put)
            if ((put = write(1, block + at, got - at)) < 0)
                return 1;
    return got < 0 ? report(-1) : 0;
}

// flood OUT ERR: so many bytes on both streams, by turns.
static int flood(char **words)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    long left[2] = {atol(words[0]), atol(words[1])};
    while (left[0] > 0 || left[1] > 0)
        for (int i = 0; i < 2; i++) {
            long size = left[i] < (long)sizeof block ? left[i] : (long)sizeof block;
            if (size > 0 && (size = write(i + 1, block, size)) < 0)
                return 1;
            left[i] -= size;
        }
    return 0;
}

// say FD TEXT: one write, so that the order across streams is kept.
static int say(char **words)
{
    size_t length = strlen(words[1]);
    return write(atoi(words[0]), words[1], length) == (long)length ? 0 : report(-1);
}

// bytes: what is in no encoding.
static int bytes(char **words)
{
    (void)words;
    return write(1, "\xff\xfe\0\x80z", 5) == 5 ? 0 : 1;
}

static int fds(char **words)
{
    const char *gap = "";
    (void)words;
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0) {
            printf("%s%d", gap, fd);
            gap = " ";
        }
    puts("");
    return 0;
}

// fd-text FD: what a file begins with that it was started with.
static int fd_text(char **words)
{
    char got[16];
    ssize_t count = pread(atoi(words[0]), got, sizeof got, 0);
    if (count < 0)
        return report(-1);
    printf("%.*s\n", (int)count, got);
    return 0;
}

// signals: those that were not left as a new program expects them.
static int signals(char **words)
{
    sigset_t blocked;
    int odd = 0;
    (void)words;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int signal = 1; signal < 32; signal++) {
        struct sigaction action;
        if (!sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN)
            odd += printf("ignored %d\n", signal);
        if (sigismember(&blocked, signal) == 1)
            odd += printf("blocked %d\n", signal);
    }
    if (!odd)
        puts("default");
    return 0;
}

static int name(char **words)
{
    (void)words;
    puts(program_invocation_name);
    return 0;
}

static int leads_session(char **words)
{
    (void)words;
    puts(getsid(0) == getpid() ? "yes" : "no");
    return 0;
}

static int pid(char **words)
{
    (void)words;
    printf("%d\n", getpid());
    return 0;
}

const struct command process_commands[] = {
    {"exit", 1, exit_with}, {"kill-self", 1, kill_self}, {"args", 0, args},
    {"count-args", 0, count_args}, {"env", 0, env}, {"cwd", 0, cwd}, {"cat", 0, cat},
    {"flood", 2, flood}, {"say", 2, say}, {"bytes", 0, bytes}, {"fds", 0, fds},
    {"fd-text", 1, fd_text},
    {"signals", 0, signals}, {"pid", 0, pid}, {"name", 0, name}, {"leads-session", 0, leads_session}, {NULL, 0, NULL},
};
