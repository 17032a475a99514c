// Commands on identity, privileges, IPC, terminals and devices.
#include "probe.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <grp.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static int ids(char **words)
{
    (void)words;
    printf("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    return 0;
}

static int groups(char **words)
{
    gid_t list[1024];
    (void)words;
    int count = getgroups(1024, list);
    for (int i = 0; i < count; i++)
        printf("%s%d", i ? " " : "", list[i]);
    puts("");
    return 0;
}

// caps: the sets by name, each in hexadecimal.
static int caps(char **words)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    unsigned long long bounding = 0, ambient = 0;
    (void)words;
    if (syscall(SYS_capget, &header, data))
        return report(-1);
    for (int cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            bounding |= 1ull << cap;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
            ambient |= 1ull << cap;
    }
    printf("effective %x%08x permitted %x%08x inheritable %x%08x bounding %llx ambient %llx\n",
           data[1].effective, data[0].effective, data[1].permitted, data[0].permitted,
           data[1].inheritable, data[0].inheritable, bounding, ambient);
    return 0;
}

static int no_new_privs(char **words)
{
    (void)words;
    printf("%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    return 0;
}

static int hostname(char **words)
{
    char name[256];
    (void)words;
    if (gethostname(name, sizeof name))
        return report(-1);
    puts(name);
    return 0;
}

static int domainname(char **words)
{
    char name[256];
    (void)words;
    if (getdomainname(name, sizeof name))
        return report(-1);
    puts(name);
    return 0;
}

static int set_hostname(char **words) { return report(sethostname(words[0], strlen(words[0]))); }

static int shm_make(char **words)
{
    return report(shmget(strtol(words[0], 0, 0), 4096, IPC_CREAT | IPC_EXCL | 0600));
}

static int shm_find(char **words) { return report(shmget(strtol(words[0], 0, 0), 0, 0)); }

static int shm_remove(char **words)
{
    int id = shmget(strtol(words[0], 0, 0), 0, 0);
    return report(id < 0 ? id : shmctl(id, IPC_RMID, NULL));
}

static int mq_make(char **words) { return report(mq_open(words[0], O_CREAT | O_EXCL | O_RDWR, 0600, NULL)); }
static int mq_find(char **words) { return report(mq_open(words[0], O_RDONLY)); }
static int mq_remove(char **words) { return report(mq_unlink(words[0])); }

static int ask_sysinfo(char **words)
{
    struct sysinfo info;
    (void)words;
    return report(sysinfo(&info));
}

// A system call by its number and way: `native`, `x32`, `i386`. Its first argument is 40, the others are 0.
static long call_by(const char *way, long number)
{
    const long first = 40;
#ifdef __x86_64__
    if (!strcmp(way, "x32"))
        number |= 0x40000000;
    if (!strcmp(way, "i386")) {
        long result;
        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "a"(number), "b"(first), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
                         : "memory", "cc", "r8", "r9", "r10", "r11");
        errno = result < 0 ? (int)-result : 0;
        return result < 0 ? -1 : result;
    }
#endif
    return syscall(number, first, 0L, 0L, 0L, 0L, 0L);
}

// calls WAY NUMBER,NUMBER...: the errno of each, 0 where it succeeds.
static int calls(char **words)
{
    for (char *number = strtok(words[1], ","); number; number = strtok(NULL, ","))
        printf("%d ", call_by(words[0], atol(number)) < 0 ? errno : 0);
    return puts("") < 0;
}

static int unshare_user(char **words)
{
    (void)words;
    return report(unshare(CLONE_NEWUSER));
}

// tiocsti: pushes a character into the terminal on standard input, as if it had been typed.
static int tiocsti(char **words)
{
    (void)words;
    return report(ioctl(0, TIOCSTI, "#"));
}

// pty: a terminal of one's own: opened, written into and read from.
static int pty(char **words)
{
    (void)words;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), number = -1, unlock = 0;
    if (master < 0 || ioctl(master, TIOCGPTN, &number) || ioctl(master, TIOCSPTLCK, &unlock))
        return report(-1);
    char path[64], got[8] = "";
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    int slave = open(path, O_RDWR | O_NOCTTY);
    if (slave < 0 || write(slave, "a", 1) != 1 || read(master, got, sizeof got) != 1)
        return report(-1);
    return report(got[0] == 'a' ? 0 : -1);
}

// devices: whether the nodes of /dev do what they are for.
static int devices(char **words)
{
    char got[16] = "123456789012345";
    (void)words;
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    int full = open("/dev/full", O_RDWR), random = open("/dev/random", O_RDONLY | O_NONBLOCK);
    int urandom = open("/dev/urandom", O_RDONLY);
    printf("null %s\n", write(null, "x", 1) == 1 && read(null, got, 1) == 0 ? "ok" : "bad");
    printf("zero %s\n", read(zero, got, 4) == 4 && !memcmp(got, "\0\0\0\0", 4) ? "ok" : "bad");
    printf("full %s\n", write(full, "x", 1) < 0 && errno == ENOSPC ? "ok" : "bad");
    printf("random %s\n", read(random, got, 4) == 4 ? "ok" : "bad");
    printf("urandom %s\n", read(urandom, got, 4) == 4 ? "ok" : "bad");
    // There is no terminal, and the node says so; a missing node would say ENOENT.
    int tty = open("/dev/tty", O_RDWR);
    printf("tty %s\n", tty >= 0 || errno == ENXIO ? "ok" : "bad");
    return 0;
}

// device PATH: which device a node is.
static int device(char **words)
{
    struct stat node;
    if (stat(words[0], &node))
        return report(-1);
    printf("%d:%d\n", (int)major(node.st_rdev), (int)minor(node.st_rdev));
    return 0;
}

const struct command system_commands[] = {
    {"ids", 0, ids},           {"groups", 0, groups},         {"caps", 0, caps},
    {"hostname", 0, hostname}, {"domainname", 0, domainname}, {"no-new-privs", 0, no_new_privs},
    {"set-hostname", 1, set_hostname}, {"shm-make", 1, shm_make}, {"shm-find", 1, shm_find},
    {"shm-remove", 1, shm_remove}, {"mq-make", 1, mq_make}, {"mq-find", 1, mq_find},
    {"mq-remove", 1, mq_remove}, {"tiocsti", 0, tiocsti}, {"pty", 0, pty},
    {"devices", 0, devices}, {"device", 1, device}, {"sysinfo", 0, ask_sysinfo}, {"calls", 2, calls}, {"unshare-user", 0, unshare_user}, {NULL, 0, NULL},
};
