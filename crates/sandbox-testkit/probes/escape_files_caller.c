// What attacks on files need around them: roots that hold nothing, and what descriptors are good for.
#include "probe.h"

#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int fail(const char *what)
{
    perror(what);
    return 98;
}

static int own_mounts(int more)
{
    return (geteuid() != 0 && enter_user_namespace(0)) || unshare(CLONE_NEWNS | more) ||
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

// In DIR by nothing but chroot(2), with every privilege and a /proc; PID 1 stays outside. Where `keep` is
// set the working directory does, too.
static int bare(char **words, int keep)
{
    char proc[4096];
    if (own_mounts(CLONE_NEWPID))
        return fail("bare-chroot");
    int status = 0;
    fflush(stdout);
    if (fork() == 0) {
        snprintf(proc, sizeof proc, "%s/proc", words[0]);
        if (mount("proc", proc, "proc", 0, NULL))
            _exit(fail("proc"));
        // As a careless PID 1 has something open.
        open("/", O_PATH | O_CLOEXEC);
        if (fork() == 0) {
            if (chroot(words[0]) || (!keep && chdir("/")))
                _exit(fail("chroot"));
            execv(words[1], words + 1);
            _exit(fail(words[1]));
        }
        wait(&status);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    }
    wait(&status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int bare_chroot(char **words) { return bare(words, 0); }
static int bare_chroot_cwd(char **words) { return bare(words, 1); }

// over-root DIR: DIR mounted over the root, which is still there below it.
static int over_root(char **words)
{
    char proc[4096];
    snprintf(proc, sizeof proc, "%s/proc", words[0]);
    if (own_mounts(0) || mount(words[0], words[0], NULL, MS_BIND, NULL) ||
        mount("/proc", proc, NULL, MS_BIND | MS_REC, NULL) || chdir(words[0]) ||
        mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
        return fail("over-root");
    execv(words[1], words + 1);
    return fail(words[1]);
}

// old-root DIR: a pivot that leaves the old root on top of DIR, the new one, as `pivot_root . .` does.
static int old_root(char **words)
{
    if (own_mounts(0) || mount(words[0], words[0], NULL, MS_BIND, NULL) || chdir(words[0]) ||
        syscall(SYS_pivot_root, ".", ".") || chroot("."))
        return fail("old-root");
    execv(words[1], words + 1);
    return fail(words[1]);
}

// shared-mounts DIR: mounts of its own, of which DIR is shared with whatever is made of them.
static int shared_mounts(char **words)
{
    if (own_mounts(0) || mount(words[0], words[0], NULL, MS_BIND, NULL) ||
        mount(NULL, words[0], NULL, MS_SHARED, NULL))
        return fail("shared-mounts");
    execvp(words[1], words + 1);
    return fail(words[1]);
}

// In mounts of its own that are not cut off from ours.
static int joined_mounts(char **words)
{
    if (unshare(CLONE_NEWNS))
        return fail("joined-mounts");
    execvp(words[0], words);
    return fail(words[0]);
}

// mounts-below DIR COUNT: a directory and a tmpfs for each number.
static int mounts_below(char **words)
{
    char path[4096];
    if (own_mounts(0))
        return fail("mounts-below");
    for (int i = 0; i < atoi(words[1]); i++) {
        snprintf(path, sizeof path, "%s/%d", words[0], i);
        mkdir(path, 0777);
        if (mount("probe", path, "tmpfs", 0, "size=64k,mode=777"))
            return fail(path);
    }
    execvp(words[2], words + 2);
    return fail(words[2]);
}

// use-fds KIND: does with every descriptor beyond the three streams what one of that kind is good for.
static int use_fds(char **words)
{
    int used = 0;
    for (int fd = 3; fd < 4096; fd++) {
        long done = -1;
        if (!strcmp(words[0], "write"))
            done = write(fd, "x", 1);
        else if (!strcmp(words[0], "look"))
            done = faccessat(fd, "marker", F_OK, 0);
        else if (!strcmp(words[0], "leave"))
            done = faccessat(fd, "cgroup.procs", F_OK, 0);
        else if (!strcmp(words[0], "signal"))
            done = syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);
        else if (!strcmp(words[0], "join"))
            // It has a name there, whether or not this caller may join it.
            done = ioctl(fd, NS_GET_NSTYPE);
        used += done >= 0;
    }
    printf("used %d\n", used);
    return 0;
}

// take-fds FIRST LAST: opens the descriptors of other processes (of the parent, for 0), by /proc and by pidfd_getfd(2).
static int take_fds(char **words)
{
    int taken = 0;
    int from = atoi(words[0]), to = atoi(words[1]);
    if (!from)
        from = to = getppid();
    for (int pid = from; pid <= to; pid++) {
        char path[64];
        int process = syscall(SYS_pidfd_open, pid, 0);
        for (int fd = 0; fd < 64 && pid != getpid(); fd++) {
            snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
            taken += open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY) >= 0 ||
                     syscall(SYS_pidfd_getfd, process, fd, 0) >= 0;
        }
    }
    printf("taken %d\n", taken);
    return 0;
}

// has-fds: a process that has some, and a child of it that takes them.
static int has_fds(char **words)
{
    char pid[16];
    (void)words;
    snprintf(pid, sizeof pid, "%d", getpid());
    char *range[] = {pid, pid, NULL};
    fflush(stdout);
    if (fork() == 0)
        _exit(take_fds(range));
    wait(NULL);
    return 0;
}

const struct command escape_files_caller_commands[] = {
    {"bare-chroot", 2, bare_chroot},   {"bare-chroot-cwd", 2, bare_chroot_cwd},
    {"over-root", 2, over_root},       {"old-root", 2, old_root},
    {"shared-mounts", 2, shared_mounts}, {"joined-mounts", 1, joined_mounts},
    {"mounts-below", 3, mounts_below}, {"use-fds", 1, use_fds},
    {"take-fds", 2, take_fds},         {"has-fds", 0, has_fds}, {NULL, 0, NULL},
};
