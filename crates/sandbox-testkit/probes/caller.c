// Wrappers, run outside of any sandbox: each puts a process into a state and executes the rest of its
// words there. They make the odd callers, the positive controls, and hosts with less in them.
#include "probe.h"

#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static int become(char **words)
{
    execvp(words[0], words);
    perror(words[0]);
    return 127;
}

static int fail(const char *what)
{
    perror(what);
    return 99;
}

static int ignoring_children(char **words)
{
    signal(SIGCHLD, SIG_IGN);
    return become(words);
}

static int ignoring_all(char **words)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    return become(words);
}

// with-ids UID GID
static int with_ids(char **words)
{
    if (setgroups(0, NULL) || setgid(atoi(words[1])) || setuid(atoi(words[0])))
        return fail("with-ids");
    return become(words + 2);
}

// Writes to a file of /proc; the last word is a format.
static int put(const char *path, const char *format, ...)
{
    char text[256];
    va_list rest;
    va_start(rest, format);
    int length = vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
    int fd = open(path, O_WRONLY);
    long written = fd < 0 ? -1 : write(fd, text, length);
    close(fd);
    return written == length ? 0 : -1;
}

// Enters a user namespace. Root keeps every id: a process outside must map them. A plain user can map
// one id, its own, to `inside`.
int enter_user_namespace(uid_t inside)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char path[64], ready;
    int entered[2], mapped[2];
    if (uid != 0)
        return unshare(CLONE_NEWUSER) || put("/proc/self/setgroups", "deny") ||
               put("/proc/self/uid_map", "%d %d 1", inside, uid) ||
               put("/proc/self/gid_map", "%d %d 1", gid, gid);
    if (pipe(entered) || pipe(mapped))
        return -1;
    pid_t self = getpid(), helper = fork();
    if (helper == 0) {
        int done = read(entered[0], &ready, 1) == 1;
        snprintf(path, sizeof path, "/proc/%d/uid_map", self);
        done = done && !put(path, "0 0 65536");
        snprintf(path, sizeof path, "/proc/%d/gid_map", self);
        done = done && !put(path, "0 0 65536");
        _exit(done && write(mapped[1], "x", 1) == 1 ? 0 : 1);
    }
    int status = 1;
    if (unshare(CLONE_NEWUSER) || write(entered[1], "x", 1) != 1 ||
        waitpid(helper, &status, 0) != helper || status)
        return -1;
    for (int i = 0; i < 2; i++) {
        close(entered[i]);
        close(mapped[i]);
    }
    return 0;
}

// without-namespaces: as in a container that allows none, with no change to the host. The limits are
// those of the new user namespace alone.
static int without_namespaces(char **words)
{
    const char *kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "uts", "user"};
    if (enter_user_namespace(geteuid()))
        return fail("user namespace");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]);
        if (access(path, F_OK) == 0 && put(path, "0"))
            return fail(path);
    }
    return become(words);
}

// as-pid-1: as the first process of a PID namespace, with a proc of that, as in a container.
static int as_pid_1(char **words)
{
    int status = 0;
    if ((geteuid() != 0 && enter_user_namespace(geteuid())) || unshare(CLONE_NEWPID | CLONE_NEWNS))
        return fail("a PID namespace");
    pid_t child = fork();
    if (child == 0) {
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("proc", "/proc", "proc", 0, NULL))
            _exit(fail("proc"));
        _exit(become(words));
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return fail("the first process");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// in-chroot DIR: nothing but chroot(2), with every privilege kept.
static int in_chroot(char **words)
{
    if ((geteuid() != 0 && enter_user_namespace(0)) || chroot(words[0]) || chdir("/"))
        return fail("in-chroot");
    return become(words + 1);
}

// on-terminal: with a controlling terminal of its own, whose output is passed on.
static int on_terminal(char **words)
{
    char block[4096];
    long got;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master))
        return fail("pty");
    pid_t child = fork();
    if (child == 0) {
        setsid();
        int slave = open(ptsname(master), O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0))
            _exit(fail("controlling terminal"));
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        close(slave);
        close(master);
        _exit(become(words));
    }
    while ((got = read(master, block, sizeof block)) > 0)
        if (write(1, block, got) != got)
            break;
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

const struct command caller_commands[] = {
    {"ignoring-children", 1, ignoring_children},
    {"ignoring-all", 1, ignoring_all},
    {"as-pid-1", 1, as_pid_1},
    {"with-ids", 3, with_ids},
    {"without-namespaces", 1, without_namespaces},
    {"in-chroot", 2, in_chroot},
    {"on-terminal", 1, on_terminal},
    {NULL, 0, NULL},
};
