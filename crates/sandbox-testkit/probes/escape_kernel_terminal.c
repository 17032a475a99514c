// Attacks on the terminal on standard input, and a user at one, for a shell.
#include "probe.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

// tiocsti-high: the kernel looks at half of the request only (CVE-2019-10063).
static int tiocsti_high(char **words)
{
    (void)words;
    return report(syscall(SYS_ioctl, 0, TIOCSTI | 1ul << 32, "#"));
}

#ifdef __x86_64__
static char typed[] = "#";

// A buffer of a static program is where 32 bits reach.
static long by_interrupt(long number, long first, long second, void *third)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory", "r8", "r9", "r10", "r11");
    if ((int)result < 0) {
        errno = -(int)result;
        return -1;
    }
    return result;
}

static int tiocsti_i386(char **words) { (void)words; return report(by_interrupt(54, 0, TIOCSTI, typed)); }
static int tiocsti_x32(char **words) { (void)words; return report(syscall(0x40000000 | 514, 0, TIOCSTI, typed)); }
#else
static int tiocsti_i386(char **words)
{
    (void)words;
    errno = ENOSYS;
    return report(-1);
}
static int tiocsti_x32(char **words) { return tiocsti_i386(words); }
#endif

static int tiocsti_dev_tty(char **words)
{
    (void)words;
    int fd = open("/dev/tty", O_RDWR);
    return report(fd < 0 ? fd : ioctl(fd, TIOCSTI, "#"));
}

// tioclinux: asks a virtual console for the state of its shift keys.
static int tioclinux(char **words)
{
    char request = 6;
    (void)words;
    return report(ioctl(0, TIOCLINUX, &request));
}

// take-terminal FORCE: makes a terminal that is another session's its own.
static int take_terminal(char **words)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        // What is said to a terminal that was taken is not read any more.
        signal(SIGHUP, SIG_IGN);
        exit(ioctl(0, TIOCSCTTY, atoi(words[0])) ? errno : 0);
    }
    int status = 0;
    signal(SIGHUP, SIG_IGN);
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return report(errno ? -1 : 0);
}

static char heard[1 << 16];
static size_t length;

// Waits for a text from the terminal; what comes after it stays for the next.
static int expect(int master, const char *text)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (long end = now.tv_sec + 5; now.tv_sec < end; clock_gettime(CLOCK_MONOTONIC, &now)) {
        char *found = memmem(heard, length, text, strlen(text));
        if (found) {
            length -= found + strlen(text) - heard;
            memmove(heard, found + strlen(text), length);
            return 1;
        }
        struct pollfd ready = {.fd = master, .events = POLLIN};
        if (poll(&ready, 1, 100) == 1) {
            long got = read(master, heard + length, sizeof heard - length);
            if (got <= 0)
                break;
            length += got;
        }
    }
    printf("no \"%s\", but: %.*s\n", text, (int)length, heard);
    return 0;
}

static void type(int master, const char *text)
{
    if (write(master, text, strlen(text)) < 0)
        perror("type");
}

// at-terminal HOW WORDS: runs a program that ends in an interactive shell, and uses it as a person would:
// starts a job, stops it, lists it, brings it back, ends it. HOW is `controlling` or `plain`, which is a
// terminal that is no session's.
static int at_terminal(char **words)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master))
        return report(-1);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
        if (!strcmp(words[0], "controlling"))
            ioctl(slave, TIOCSCTTY, 0);
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        close(slave);
        close(master);
        execvp(words[1], words + 1);
        _exit(127);
    }
    // What is expected is nowhere in what was typed, which the terminal echoes.
    type(master, "echo rea''dy\n");
    int good = expect(master, "ready");
    if (good) {
        type(master, "$BUSYBOX sleep 8\n");
        usleep(300000);
        type(master, "\x1a");
        good = expect(master, "topped");
    }
    if (good) {
        type(master, "jobs; echo list''ed\n");
        good = expect(master, "topped") && expect(master, "listed");
    }
    if (good) {
        type(master, "fg\n");
        usleep(300000);
        type(master, "\x03");
        type(master, "echo status-$?\n");
        good = expect(master, "status-130");
    }
    type(master, "exit 7\n");
    int status = 0;
    for (int i = 0; i < 50 && waitpid(child, &status, WNOHANG) == 0; i++)
        usleep(20000);
    kill(-child, SIGKILL);
    if (good)
        printf("ok %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}

const struct command escape_terminal_commands[] = {
    {"tiocsti-high", 0, tiocsti_high}, {"tiocsti-i386", 0, tiocsti_i386},
    {"tiocsti-x32", 0, tiocsti_x32}, {"tiocsti-dev-tty", 0, tiocsti_dev_tty},
    {"tioclinux", 0, tioclinux},
    {"take-terminal", 1, take_terminal}, {"at-terminal", 2, at_terminal}, {NULL, 0, NULL},
};
