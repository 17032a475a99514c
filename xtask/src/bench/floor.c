/*
 * The floor: the least that makes a sandbox of the same shape as the ones it is compared with.
 *
 *     floor [--loop N | --steps N] [--whitelist FILE] ROOT COMMAND [ARG]...
 *
 * One clone with seven namespaces, id maps, mounts, pivot_root, exec; no reaper, no capability drop,
 * no seccomp, no report of what failed beyond one line. What a real program costs above this is its own.
 *
 * --loop N        spawn N times from this one process and print each duration in ns, one a line
 * --steps N       the same, but print the median of each step in us
 * --whitelist F   keep the paths listed in F, one a line, writable in the read-only tree
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
#define MAX_MARKS 32
#define MAX_PATHS 4096

static char *root, **command;
static char uid_map[32], gid_map[32];
static char *whitelist[MAX_PATHS];
static int whitelist_fd[MAX_PATHS], whitelisted;

/* The child shares this memory, so its marks are seen by the parent once it has exec'd. */
static struct {
    const char *step;
    int64_t at;
} marks[MAX_MARKS];
static int marked;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void mark(const char *step)
{
    if (marked < MAX_MARKS) {
        marks[marked].step = step;
        marks[marked++].at = now();
    }
}

static void fail(const char *step)
{
    perror(step);
    _exit(125);
}

#define TRY(step, call)                                                                            \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail(step);                                                                            \
    } while (0)

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    TRY(path, fd);
    TRY(path, write(fd, text, strlen(text)));
    close(fd);
}

static void map_ids(void)
{
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", uid_map);
    put("/proc/self/gid_map", gid_map);
    mark("id maps");
}

static void enter_root(void)
{
    TRY("make / private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    mark("make / private");
    TRY("bind root", mount(root, root, NULL, MS_BIND | MS_REC, NULL));
    TRY("chdir root", chdir(root));
    mark("bind root");
}

/* Clones taken while the tree is still writable stay writable; cost follows the list, not the tree. */
static void make_read_only(void)
{
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    int i;

    for (i = 0; i < whitelisted; i++)
        TRY(whitelist[i], whitelist_fd[i] = open_tree(AT_FDCWD, whitelist[i],
                                                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (whitelisted)
        mark("whitelist: open_tree");
    TRY("read-only root", mount_setattr(AT_FDCWD, ".", AT_RECURSIVE, &read_only, sizeof read_only));
    mark("read-only root");
    for (i = 0; i < whitelisted; i++)
        TRY(whitelist[i], move_mount(whitelist_fd[i], "", AT_FDCWD, whitelist[i],
                                     MOVE_MOUNT_F_EMPTY_PATH));
    if (whitelisted)
        mark("whitelist: move_mount");
}

static void mount_dev(void)
{
    static const char *const nodes[][2] = {
        { "dev/null", "/dev/null" },     { "dev/zero", "/dev/zero" },
        { "dev/full", "/dev/full" },     { "dev/random", "/dev/random" },
        { "dev/urandom", "/dev/urandom" }, { "dev/tty", "/dev/tty" },
    };
    size_t i;

    TRY("tmpfs /dev", mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=0755"));
    mark("tmpfs /dev");
    for (i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        TRY(nodes[i][0], mknod(nodes[i][0], S_IFREG | 0666, 0));
        TRY(nodes[i][0], mount(nodes[i][1], nodes[i][0], NULL, MS_BIND, NULL));
    }
    mark("6 device nodes");
    TRY("mkdir /dev/pts", mkdir("dev/pts", 0755));
    TRY("devpts", mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                        "newinstance,ptmxmode=0666,mode=620"));
    mark("devpts");
}

static int child(void *unused)
{
    (void)unused;
    mark("clone");
    map_ids();
    enter_root();
    make_read_only();
    TRY("proc", mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    mark("proc");
    TRY("tmpfs /tmp", mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"));
    mark("tmpfs /tmp");
    mount_dev();
    TRY("pivot_root", syscall(SYS_pivot_root, ".", "."));
    mark("pivot_root");
    TRY("detach the old root", umount2(".", MNT_DETACH));
    TRY("chdir /", chdir("/"));
    mark("detach old root");
    execv(command[0], command);
    perror(command[0]);
    _exit(127);
}

/* Spawn, wait, and give the command's exit status. */
static int sandbox(void)
{
    static char stack[64 * 1024] __attribute__((aligned(16)));
    int status, pid;

    marked = 0;
    mark("start");
    pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD | NAMESPACES, NULL);
    TRY("clone", pid);
    TRY("wait", waitpid(pid, &status, 0));
    mark("exec, exit, reap");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_whitelist(const char *file)
{
    struct rlimit files;
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    FILE *in = fopen(file, "re");

    if (!in)
        fail(file);
    while ((length = getline(&line, &size, in)) > 0 && whitelisted < MAX_PATHS) {
        line[strcspn(line, "\n")] = '\0';
        /* Looked up from the root's directory, hence without the leading slash. */
        whitelist[whitelisted++] = strdup(line + (*line == '/'));
    }
    fclose(in);
    free(line);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int print_steps(int rounds)
{
    int64_t *took = calloc((size_t)rounds * MAX_MARKS, sizeof *took);
    int round, step, status = 0;

    for (round = 0; round < rounds && status == 0; round++) {
        status = sandbox();
        for (step = 1; step < marked; step++)
            took[step * rounds + round] = marks[step].at - marks[step - 1].at;
        took[round] = marks[marked - 1].at - marks[0].at;
    }
    for (step = 0; step < marked && status == 0; step++) {
        qsort(took + step * rounds, rounds, sizeof *took, ascending);
        printf("%-22s %8.1f us\n", step ? marks[step].step : "whole",
               took[step * rounds + rounds / 2] / 1e3);
    }
    return status;
}

static int print_durations(int rounds)
{
    int status = 0;

    while (rounds-- > 0 && status == 0) {
        status = sandbox();
        printf("%lld\n", (long long)(marks[marked - 1].at - marks[0].at));
    }
    return status;
}

int main(int argc, char **argv)
{
    int loop = 0, steps = 0, i = 1;

    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--loop") == 0)
            loop = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--steps") == 0)
            steps = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--whitelist") == 0)
            read_whitelist(argv[i + 1]);
        else
            break;
    }
    if (argc - i < 2) {
        fputs("usage: floor [--loop N | --steps N] [--whitelist FILE] ROOT COMMAND...\n", stderr);
        return 2;
    }
    root = argv[i];
    command = argv + i + 1;
    sprintf(uid_map, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    sprintf(gid_map, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());

    if (steps > 0)
        return print_steps(steps);
    return loop > 0 ? print_durations(loop) : sandbox();
}
