// Commands on files, directories and mounts.
#include "probe.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

static int write_file(char **words)
{
    int fd = open(words[0], O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0)
        return report(-1);
    long written = write(fd, "x", 1);
    close(fd);
    return report(written);
}

// fill PATH BYTES: for file systems that hold only so much.
static int fill(char **words)
{
    static const char block[4096];
    int fd = open(words[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    long left = atol(words[1]), written = fd;
    while (fd >= 0 && left > 0 && written >= 0) {
        written = write(fd, block, left < (long)sizeof block ? left : (long)sizeof block);
        left -= written;
    }
    return report(written);
}

static int read_file(char **words)
{
    char block[65536];
    long got, fd = open(words[0], O_RDONLY);
    if (fd < 0)
        return report(-1);
    fflush(stdout);
    while ((got = read(fd, block, sizeof block)) > 0)
        if (write(1, block, got) != got)
            return 1;
    close(fd);
    return got < 0 ? report(-1) : 0;
}

static int try_open(char **words) { return report(open(words[0], O_RDWR | O_NOCTTY)); }
static int exists(char **words) { return report(access(words[0], F_OK)); }
static int make_directory(char **words) { return report(mkdir(words[0], 0755)); }
static int unlink_file(char **words) { return report(unlink(words[0])); }
static int make_link(char **words) { return report(symlink(words[0], words[1])); }
static int chmod_file(char **words) { return report(chmod(words[0], strtol(words[1], 0, 8))); }
static int make_node(char **words) { return report(mknod(words[0], S_IFCHR | 0600, makedev(1, 3))); }

// stat PATH: type, permission bits, user, group.
static int stat_file(char **words)
{
    struct stat st;
    if (lstat(words[0], &st))
        return report(-1);
    const char *type = S_ISDIR(st.st_mode)   ? "dir"
                       : S_ISREG(st.st_mode) ? "file"
                       : S_ISLNK(st.st_mode) ? "link"
                       : S_ISCHR(st.st_mode) ? "char"
                                             : "other";
    printf("%s %o %d %d\n", type, st.st_mode & 07777, st.st_uid, st.st_gid);
    return 0;
}

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int list(char **words)
{
    struct dirent **entries;
    int count = scandir(words[0], &entries, not_dots, alphasort);
    if (count < 0)
        return report(-1);
    for (int i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", entries[i]->d_name);
    puts("");
    return 0;
}

static int read_link(char **words)
{
    char text[4096];
    long length = readlink(words[0], text, sizeof text);
    if (length < 0)
        return report(-1);
    printf("%.*s\n", (int)length, text);
    return 0;
}

// flags PATH: the restrictions of the mount that a path is on.
static int flags(char **words)
{
    struct statvfs fs;
    if (statvfs(words[0], &fs))
        return report(-1);
    printf("%s%s%s%s\n", fs.f_flag & ST_RDONLY ? "ro" : "rw", fs.f_flag & ST_NOSUID ? " nosuid" : "",
           fs.f_flag & ST_NODEV ? " nodev" : "", fs.f_flag & ST_NOEXEC ? " noexec" : "");
    return 0;
}

static int capacity(char **words)
{
    struct statvfs fs;
    if (statvfs(words[0], &fs))
        return report(-1);
    printf("%llu\n", (unsigned long long)fs.f_blocks * fs.f_frsize);
    return 0;
}

static int mount_tmpfs(char **words) { return report(mount("probe", words[0], "tmpfs", 0, NULL)); }
static int unmount(char **words) { return report(umount2(words[0], MNT_DETACH)); }

static int remount_writable(char **words)
{
    return report(mount(NULL, words[0], NULL, MS_REMOUNT | MS_BIND, NULL));
}

// run FILE: whether a file can be executed, and if so, what it prints.
static int run_file(char **words)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl(words[0], words[0], words[1] ? words[1] : "exit", words[1] ? NULL : "0", NULL);
        _exit(report(-1));
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// escape MARKER: the oldest way out of a chroot. A second chroot moves the root below the working
// directory, from where `..` leads up to the host's root. MARKER exists outside only.
static int escape(char **words)
{
    mkdir("/work/deeper", 0755);
    if (chroot("/work/deeper")) {
        int refused = errno;
        rmdir("/work/deeper");
        errno = refused;
        return report(-1);
    }
    for (int i = 0; i < 64; i++)
        if (chdir(".."))
            return report(-1);
    int gone = chroot(".") || access(words[0], F_OK);
    puts(gone ? "held" : "escaped");
    return 0;
}

const struct command file_commands[] = {
    {"write", 1, write_file},      {"fill", 2, fill},
    {"read", 1, read_file},        {"open", 1, try_open},
    {"exists", 1, exists},         {"mkdir", 1, make_directory},
    {"unlink", 1, unlink_file},    {"symlink", 2, make_link},
    {"chmod", 2, chmod_file},      {"mknod", 1, make_node},
    {"stat", 1, stat_file},        {"ls", 1, list},
    {"readlink", 1, read_link},    {"flags", 1, flags},
    {"capacity", 1, capacity},     {"mount", 1, mount_tmpfs},
    {"umount", 1, unmount},        {"remount-rw", 1, remount_writable},
    {"run", 1, run_file},          {"escape", 1, escape},
    {NULL, 0, NULL},
};
