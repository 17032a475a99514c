// Attacks that would give a program more privilege. Where one is permitted nothing changes: what is
// written is what was there, or has an argument that the kernel looks at after the permission.
#include "probe.h"

#include <dirent.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/securebits.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/xattr.h>

static int put(const char *path, const char *format, ...)
{
    char text[128];
    va_list rest;
    va_start(rest, format);
    int length = vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
    int fd = open(path, O_WRONLY);
    long written = fd < 0 ? -1 : write(fd, text, length);
    if (fd >= 0)
        close(fd);
    return written == length ? 0 : -1;
}

// In a new user namespace with every capability there, as its user 0, which is who we were.
static int enter_namespaces(int others)
{
    int uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER | others))
        return -1;
    // Without a proc there is no map; the capabilities are there nevertheless.
    if (access("/proc/self/uid_map", F_OK))
        return 0;
    put("/proc/self/setgroups", "deny");
    return put("/proc/self/uid_map", "0 %d 1", uid) || put("/proc/self/gid_map", "0 %d 1", gid) ? -1 : 0;
}

// nested WORDS: further words of this program, `then` for a comma, in namespaces of every kind.
static int nested(char **words)
{
    char *args[64] = {program_invocation_name};
    if (enter_namespaces(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                         CLONE_NEWCGROUP))
        return report(-1);
    for (int i = 0; words[i] && i < 62; i++)
        args[i + 1] = strcmp(words[i], "then") ? words[i] : ",";
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        execv(args[0], args);
        _exit(report(-1));
    }
    int status = 1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// rewrite PATH: opens it for writing, and writes what was there.
static int rewrite(char **words)
{
    char text[4096];
    int fd = open(words[0], O_RDWR);
    if (fd < 0)
        return report(-1);
    long size = read(fd, text, sizeof text);
    return report(size < 0 ? size : pwrite(fd, text, size, 0));
}

static int open_to_read(char **words) { return report(open(words[0], O_RDONLY | O_NONBLOCK | O_NOCTTY)); }
static int open_to_write(char **words) { return report(open(words[0], O_WRONLY | O_NOCTTY)); }

static char first_writable[512];

static int count_writable(const char *dir, int depth)
{
    char path[512];
    int found = 0;
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.' || (unsigned)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) >= sizeof path)
            continue;
        if (entry->d_type == DT_DIR && depth < 24)
            found += count_writable(path, depth + 1);
        // What is everybody's to write asks for more when it is written to.
        struct stat file;
        int guarded = entry->d_type == DT_REG && !lstat(path, &file) && !(file.st_mode & S_IWOTH);
        int fd = guarded ? open(path, O_WRONLY | O_NONBLOCK) : -1;
        if (fd >= 0) {
            close(fd);
            if (!found++)
                strcpy(first_writable, path);
        }
    }
    if (entries)
        closedir(entries);
    return found;
}

// writable-below DIR: `ok` and the name of one, where a file can be opened for writing.
static int writable_below(char **words)
{
    if (!count_writable(words[0], 0)) {
        errno = EACCES;
        return report(-1);
    }
    printf("ok %s\n", first_writable);
    return 0;
}

// Whatever is mounted is mounted for this process alone.
static int mount_alone(const char *type, const char *place, const char *options)
{
    return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
                   mount("none", place, type, 0, options)
               ? -1
               : 0;
}

// mount-new TYPE DIR
static int mount_new(char **words) { return report(mount_alone(words[0], words[1], NULL)); }
// mount-cgroup CONTROLLER DIR: of version 1.
static int mount_cgroup(char **words) { return report(mount_alone("cgroup", words[1], words[0])); }

// binfmt DIR: opens the file in which formats are registered, for writing.
static int binfmt(char **words)
{
    char path[512];
    if (mount_alone("binfmt_misc", words[0], NULL))
        return report(-1);
    snprintf(path, sizeof path, "%s/register", words[0]);
    return report(open(path, O_WRONLY));
}

// ---- Capabilities

static int raise_sets(int effective, int inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {0};
    unsigned one = 1u << CAP_SYS_CHROOT;
    if (syscall(SYS_capget, &header, sets))
        return -1;
    if (effective)
        sets[0].effective |= one, sets[0].permitted |= one;
    if (inheritable)
        sets[0].inheritable |= one;
    return syscall(SYS_capset, &header, sets);
}

static int cap_permitted(char **words) { (void)words; return report(raise_sets(1, 0)); }
static int cap_inheritable(char **words) { (void)words; return report(raise_sets(0, 1)); }

static int cap_ambient(char **words)
{
    (void)words;
    raise_sets(0, 1);
    return report(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0, 0));
}

static int cap_bounding(char **words)
{
    (void)words;
    errno = EPERM;
    return report(prctl(PR_CAPBSET_READ, CAP_SYS_CHROOT, 0, 0, 0) == 1 ? 0 : -1);
}

static int securebits(char **words)
{
    (void)words;
    return report(prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS), 0, 0, 0));
}

// clear-no-new-privs: `ok` where it is off afterwards.
static int clear_no_new_privs(char **words)
{
    (void)words;
    prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
    errno = EPERM;
    return report(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -1);
}

static int become_user(char **words) { return report(setresuid(atoi(words[0]), atoi(words[0]), atoi(words[0]))); }
static int become_group(char **words) { return report(setresgid(atoi(words[0]), atoi(words[0]), atoi(words[0]))); }

static int set_groups(char **words)
{
    gid_t group = atoi(words[0]);
    return report(setgroups(1, &group));
}

static int change_owner(char **words) { return report(chown(words[0], atoi(words[1]), -1)); }

// give-capabilities PATH: to a file, for every user: CAP_SYS_CHROOT.
static int give_capabilities(char **words)
{
    struct vfs_cap_data data = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, {{1u << CAP_SYS_CHROOT, 0}}};
    return report(setxattr(words[0], "security.capability", &data, sizeof data, 0));
}

// ---- User namespaces

// new-user-namespace: and its map, as anybody may.
static int new_user_namespace(char **words) { (void)words; return report(enter_namespaces(0)); }

// map-again ID: writes a map of the namespace that it is in.
static int map_again(char **words)
{
    return report(put("/proc/self/uid_map", "0 %s 1", words[0]));
}

// map-in-new ID: the same in a namespace that has none yet.
static int map_in_new(char **words)
{
    return unshare(CLONE_NEWUSER) ? report(-1) : map_again(words);
}

// in-root-namespace: with every capability in a user namespace, as the sandbox would have without
// dropping them.
static int in_root_namespace(char **words)
{
    if (enter_namespaces(0))
        return report(-1);
    execvp(words[0], words);
    return report(-1);
}

// ---- The kernel

static int init_module_of_nothing(char **words)
{
    static char image[4096];
    (void)words;
    return report(syscall(SYS_init_module, image, sizeof image, ""));
}

static int finit_module_of(char **words)
{
    int fd = open(words[0], O_RDONLY);
    return report(fd < 0 ? fd : syscall(SYS_finit_module, fd, "", 0));
}

static int delete_module_none(char **words)
{
    (void)words;
    return report(syscall(SYS_delete_module, "no_such_module", O_NONBLOCK));
}

// node TYPE MAJOR MINOR PATH: makes a device, and removes it.
static int node(char **words)
{
    int type = words[0][0] == 'b' ? S_IFBLK : S_IFCHR;
    int made = mknod(words[3], type | 0600, makedev(atoi(words[1]), atoi(words[2])));
    report(made);
    if (!made)
        unlink(words[3]);
    return 0;
}

// overwrite-running PID: gets hold of what a process executes, and opens it for writing as soon as
// nobody executes it any more (CVE-2019-5736).
static int overwrite_running(char **words)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/exe", words[0]);
    int fd = open(path, O_PATH), writable = -1;
    if (fd < 0)
        return report(-1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int i = 0; i < 60 && writable < 0; i++, usleep(10000))
        writable = open(path, O_WRONLY);
    return report(writable);
}

static int io_uring(char **words)
{
    struct io_uring_params params = {0};
    (void)words;
    return report(syscall(SYS_io_uring_setup, 1, &params));
}

// faults FLAGS: 0 for those of the kernel too, 1 for those of programs only.
static int faults(char **words) { return report(syscall(SYS_userfaultfd, atoi(words[0]) ? 1 : 0)); }

static int bpf_map(char **words)
{
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    (void)words;
    return report(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}

static int bpf_program(char **words)
{
    struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr program = {.prog_type = BPF_PROG_TYPE_KPROBE, .insns = (long)code, .insn_cnt = 2,
                              .license = (long)"GPL"};
    (void)words;
    return report(syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof program));
}

static int kexec(char **words)
{
    (void)words;
    return report(syscall(SYS_kexec_load, 0, 99, NULL, ~0ul));
}

static int kexec_file(char **words)
{
    (void)words;
    return report(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, ~0ul));
}

// set-clock: neither a time nor a zone, for which the permission is asked all the same.
static int set_clock(char **words) { (void)words; return report(syscall(SYS_settimeofday, NULL, NULL)); }

// adjust-clock: a length of a tick that no clock can have.
static int adjust_clock(char **words)
{
    struct timex change = {.modes = ADJ_TICK, .tick = 1};
    (void)words;
    return report(syscall(SYS_adjtimex, &change));
}

static int set_personality(char **words) { return report(personality(strtoul(words[0], 0, 0))); }
// console-level: one that there is none of.
static int console_level(char **words) { (void)words; return report(syscall(SYS_syslog, 8, NULL, 99)); }
static int swap_on(char **words) { (void)words; return report(swapon("/no/such/file", 0)); }
static int swap_off(char **words) { (void)words; return report(swapoff("/no/such/file")); }
static int account(char **words) { (void)words; return report(acct("/no/such/file")); }
static int reboot_wrongly(char **words) { (void)words; return report(syscall(SYS_reboot, 1, 2, 3, NULL)); }
static int quota(char **words) { return report(quotactl(QCMD(Q_QUOTAOFF, USRQUOTA), words[0], 0, NULL)); }

static int same_hostname(char **words)
{
    char name[256];
    (void)words;
    return report(gethostname(name, sizeof name) ? -1 : sethostname(name, strlen(name)));
}

// Of some machines only; there is no system call -1.
#ifndef SYS_iopl
#define SYS_iopl -1
#define SYS_ioperm -1
#endif
static int io_port(char **words) { (void)words; return report(syscall(SYS_ioperm, 0x80, 1, 1)); }
static int io_level(char **words) { (void)words; return report(syscall(SYS_iopl, 3)); }

// real-time: a priority above all others, for itself.
static int real_time(char **words)
{
    struct sched_param first = {.sched_priority = 1};
    (void)words;
    return report(sched_setscheduler(0, SCHED_FIFO, &first));
}

// watch-files: of a file system, with the right to decide (fanotify(7)).
static int watch_files(char **words) { (void)words; return report(syscall(SYS_fanotify_init, 4, 0)); }

const struct command escape_privilege_commands[] = {
    {"nested", 1, nested}, {"rewrite", 1, rewrite}, {"open-to-read", 1, open_to_read},
    {"open-to-write", 1, open_to_write}, {"writable-below", 1, writable_below},
    {"mount-new", 2, mount_new}, {"mount-cgroup", 2, mount_cgroup}, {"binfmt", 1, binfmt}, {"cap-permitted", 0, cap_permitted},
    {"cap-inheritable", 0, cap_inheritable}, {"cap-ambient", 0, cap_ambient},
    {"cap-bounding", 0, cap_bounding}, {"securebits", 0, securebits},
    {"clear-no-new-privs", 0, clear_no_new_privs}, {"become-user", 1, become_user},
    {"become-group", 1, become_group}, {"set-groups", 1, set_groups}, {"chown", 2, change_owner},
    {"give-capabilities", 1, give_capabilities}, {"new-user-namespace", 0, new_user_namespace},
    {"map-again", 1, map_again}, {"map-in-new", 1, map_in_new},
    {"in-root-namespace", 1, in_root_namespace}, {"init-module", 0, init_module_of_nothing},
    {"finit-module", 1, finit_module_of}, {"delete-module", 0, delete_module_none}, {"node", 4, node},
    {"overwrite-running", 1, overwrite_running}, {"io-uring", 0, io_uring}, {"faults", 1, faults},
    {"bpf-map", 0, bpf_map}, {"bpf-program", 0, bpf_program}, {"kexec", 0, kexec},
    {"kexec-file", 0, kexec_file}, {"set-clock", 0, set_clock}, {"adjust-clock", 0, adjust_clock},
    {"personality", 1, set_personality}, {"console-level", 0, console_level}, {"swapon", 0, swap_on},
    {"swapoff", 0, swap_off}, {"acct", 0, account}, {"reboot-wrongly", 0, reboot_wrongly},
    {"quota", 1, quota}, {"same-hostname", 0, same_hostname}, {"io-port", 0, io_port},
    {"io-level", 0, io_level}, {"real-time", 0, real_time}, {"watch-files", 0, watch_files},
    {NULL, 0, NULL},
};
