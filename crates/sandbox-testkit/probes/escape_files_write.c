// Attacks on what is read-only: every way to change a file or a directory.
#include "probe.h"

#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>

// A place: a directory with `file`, `dir`, and nothing else; or where `dir` is empty, one file.
static char dir[2048], file[2100], other[2100], below[2100], spare[2048];

// What is refused here is the answer.
static int open_of(const char *path, int flags)
{
    int fd = open(path, flags, 0644);
    if (fd < 0) {
        report(-1);
        fflush(stdout);
        _exit(0);
    }
    return fd;
}

static int opened(int flags) { return open_of(file, flags); }

static long by_open(void) { return write(opened(O_WRONLY | O_APPEND), "x", 1); }
static long by_create(void) { return open(other, O_WRONLY | O_CREAT | O_EXCL, 0644); }
static long by_open_truncate(void) { return opened(O_WRONLY | O_TRUNC); }
static long by_truncate(void) { return truncate(file, 1); }
static long by_rename(void) { return rename(file, other); }
static long by_rename_away(void) { return rename(file, spare); }
static long by_exchange(void) { return renameat2(AT_FDCWD, file, AT_FDCWD, below, RENAME_EXCHANGE); }
static long by_link(void) { return link(file, other); }
static long by_symlink(void) { return symlink("file", other); }
static long by_unlink(void) { return unlink(file); }
static long by_mkdir(void) { return mkdir(other, 0755); }
static long by_rmdir(void) { return rmdir(below); }
static long by_chmod(void) { return chmod(file, 0600); }
static long by_chmod_dir(void) { return chmod(dir, 0700); }
static long by_chown(void) { return chown(file, geteuid(), getegid()); }
static long by_utimes(void) { return utimensat(AT_FDCWD, file, NULL, 0); }
static long by_xattr(void) { return setxattr(file, "user.probe", "x", 1, 0); }
static long by_mknod(void) { return mknod(other, S_IFREG | 0600, 0); }
static long by_mkfifo(void) { return mkfifo(other, 0600); }
static long by_tmpfile(void) { return open(dir, O_TMPFILE | O_RDWR, 0600); }
static long by_fallocate(void) { return fallocate(opened(O_RDWR), 0, 0, 65536); }

static long by_mmap(void)
{
    char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, opened(O_RDWR), 0);
    if (map == MAP_FAILED)
        return -1;
    map[0]++;
    return msync(map, 1, MS_SYNC);
}

static long by_flags(void)
{
    int flags = 0, fd = opened(O_RDONLY);
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
        return -1;
    flags |= FS_NODUMP_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static long by_socket(void)
{
    struct sockaddr_un name = {AF_UNIX, ""};
    // The address is short: by way of the working directory.
    if (chdir(dir))
        return -1;
    strcpy(name.sun_path, "other");
    return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name);
}

// Another name in a writable directory, through which to write.
static long by_hard_link(void)
{
    if (link(file, spare))
        return -1;
    return write(open_of(spare, O_WRONLY | O_APPEND), "x", 1);
}

// By a descriptor that was opened for reading.
static long by_reopen(void)
{
    char path[64];
    int fd = opened(O_PATH);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return write(open_of(access("/proc/self/fd", F_OK) ? file : path, O_RDWR), "x", 1);
}

static int namespaces(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS); }

// Mounted once more, elsewhere.
static long by_bind(void)
{
    if (namespaces() || mount(dir, spare, NULL, MS_BIND | MS_REC, NULL) || chdir(spare))
        return -1;
    return write(open_of("file", O_WRONLY | O_APPEND), "x", 1);
}

static long by_bind_of_parent(void)
{
    if (namespaces() || mount("/", spare, NULL, MS_BIND | MS_REC, NULL) || chroot(spare))
        return -1;
    return write(opened(O_WRONLY | O_APPEND), "x", 1);
}

static const struct { const char *name; long (*write)(void); } methods[] = {
    {"open", by_open}, {"create", by_create}, {"open-truncate", by_open_truncate},
    {"truncate", by_truncate}, {"rename", by_rename}, {"rename-away", by_rename_away},
    {"exchange", by_exchange}, {"link", by_link}, {"symlink", by_symlink}, {"unlink", by_unlink},
    {"mkdir", by_mkdir}, {"rmdir", by_rmdir}, {"chmod", by_chmod}, {"chmod-directory", by_chmod_dir},
    {"chown", by_chown}, {"utimes", by_utimes}, {"xattr", by_xattr}, {"mknod", by_mknod},
    {"mkfifo", by_mkfifo}, {"tmpfile", by_tmpfile}, {"fallocate", by_fallocate}, {"mmap", by_mmap},
    {"set-flags", by_flags}, {"socket", by_socket}, {"hard-link", by_hard_link},
    {"reopen", by_reopen}, {"bind", by_bind}, {"bind-of-parent", by_bind_of_parent},
};

static void name(const char *place, const char *other_writable)
{
    snprintf(dir, sizeof dir, "%s", place);
    snprintf(file, sizeof file, "%s/file", place);
    snprintf(other, sizeof other, "%s/other", place);
    snprintf(below, sizeof below, "%s/dir", place);
    snprintf(spare, sizeof spare, "%s", other_writable);
}

// change METHOD SPARE PLACE...: tries one method in each place, a word for each. SPARE is a new name in a
// writable directory; for mounts it is a directory.
static int change(char **words)
{
    for (char **place = words + 2; *place; place++)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
            if (!strcmp(methods[i].name, words[0])) {
                fflush(stdout);
                if (fork() == 0) {
                    name(strcmp(*place, "/") ? *place : "", words[1]);
                    if (!*dir)
                        strcpy(dir, "/");
                    errno = 0;
                    _exit(report(methods[i].write()));
                }
                wait(NULL);
            }
    return 0;
}

// uncover WAY DIR: takes away what makes DIR read-only, and writes to DIR/file.
static int uncover(char **words)
{
    struct { unsigned long long set, clear, propagation, fd; } attributes = {0, MS_RDONLY, 0, 0};
    const char *way = words[0];
    char path[2100];
    if (!strncmp(way, "nested-", 7)) {
        if (namespaces())
            return report(-1);
        way += 7;
    }
    long done = -1;
    if (!strcmp(way, "remount"))
        done = mount(NULL, words[1], NULL, MS_REMOUNT | MS_BIND, NULL);
    else if (!strcmp(way, "mount-setattr"))
        done = syscall(SYS_mount_setattr, AT_FDCWD, words[1], 0, &attributes, sizeof attributes);
    else if (!strcmp(way, "umount"))
        done = umount2(words[1], MNT_DETACH);
    else if (!strcmp(way, "copy")) {
        int tree = syscall(SYS_open_tree, AT_FDCWD, words[1], 1);
        done = tree < 0 ? -1
                        : syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes,
                                  sizeof attributes);
        if (!done)
            fchdir(tree);
        return done ? report(done) : report(write(open_of("file", O_WRONLY | O_APPEND), "x", 1));
    }
    if (done)
        return report(-1);
    snprintf(path, sizeof path, "%s/file", words[1]);
    return report(write(open_of(path, O_WRONLY | O_APPEND), "x", 1));
}

// own-cover SOURCE DIR WORD...: a sandbox that keeps its rights: DIR is SOURCE, read-only.
static int own_cover(char **words)
{
    if ((geteuid() != 0 && enter_user_namespace(0)) || unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount(words[0], words[1], NULL, MS_BIND, NULL) ||
        mount(NULL, words[1], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL)) {
        perror("own-cover");
        return 98;
    }
    execv("/proc/self/exe", words + 1);
    return 99;
}

// writable-of DIR COUNT: in how many of its numbered directories a file can be made.
static int writable_of(char **words)
{
    char path[4096];
    int count = 0;
    for (int i = 0; i < atoi(words[1]); i++) {
        snprintf(path, sizeof path, "%s/%d/new", words[0], i);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        count += fd >= 0;
        close(fd);
    }
    printf("%d\n", count);
    return 0;
}

// when-told FILE: writes to it, once told. Says `ready` and waits for a line on standard input.
static int when_told(char **words)
{
    char line;
    puts("ready");
    fflush(stdout);
    if (read(0, &line, 1) != 1)
        return 1;
    int fd = open(words[0], O_WRONLY | O_CREAT | O_APPEND, 0644);
    return report(fd < 0 ? -1 : write(fd, "x", 1));
}

const struct command escape_files_write_commands[] = {
    {"change", 3, change}, {"uncover", 2, uncover}, {"own-cover", 3, own_cover},
    {"writable-of", 2, writable_of}, {"when-told", 1, when_told}, {NULL, 0, NULL},
};
