// Kernels with less in them: `without NAME[,NAME]... PROGRAM [WORD]...` executes a program for which some
// system calls are as on an older kernel, or as in a container. A seccomp filter answers for them.
#include "probe.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

// By number: a libc may be older than the calls.
enum {
    PIDFD_SEND_SIGNAL = 424, OPEN_TREE = 428, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, FSPICK, PIDFD_OPEN,
    CLONE3, CLOSE_RANGE, OPENAT2, PIDFD_GETFD, FACCESSAT2, MOUNT_SETATTR = 442, FCHMODAT2 = 452,
};

#define BIT_PIDFD 0x1000 // CLONE_PIDFD
#define ID_PIDFD 3       // P_PIDFD
#define MASK_MOUNT_ID 0x1000 // STATX_MNT_ID
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
                    CLONE_NEWCGROUP)

enum test { ALWAYS, ANY_BIT, EQUAL };

// A call that is answered with an errno: always, or where an argument has one of some bits, or a value.
struct answer {
    const char *name;
    int number;
    int error;
    enum test test;
    int argument;
    unsigned value;
};

#define CONTAINER(number) {"container", number, EPERM, ALWAYS, 0, 0}
#define ANCIENT(name, number) {name, number, ENOSYS, ALWAYS, 0, 0}

static const struct answer answers[] = {
    ANCIENT("clone3", CLONE3),
    ANCIENT("openat2", OPENAT2),
    ANCIENT("mount-setattr", MOUNT_SETATTR),
    ANCIENT("mount-api", OPEN_TREE),
    ANCIENT("mount-api", MOVE_MOUNT),
    ANCIENT("mount-api", FSOPEN),
    ANCIENT("mount-api", FSCONFIG),
    ANCIENT("mount-api", FSMOUNT),
    ANCIENT("mount-api", FSPICK),
    ANCIENT("close-range", CLOSE_RANGE),
    ANCIENT("pidfd", PIDFD_SEND_SIGNAL),
    ANCIENT("pidfd", PIDFD_OPEN),
    ANCIENT("pidfd", PIDFD_GETFD),
    // A kernel of that time takes no notice of the flag, which a filter cannot do.
    {"pidfd", SYS_clone, EINVAL, ANY_BIT, 0, BIT_PIDFD},
    {"pidfd", SYS_waitid, EINVAL, EQUAL, 0, ID_PIDFD},
    // What else came after the Linux 4.19 of 2018, and may be asked for here.
    ANCIENT("2018", FACCESSAT2),
    ANCIENT("2018", FCHMODAT2),
    {"2018", SYS_statx, EINVAL, ANY_BIT, 3, MASK_MOUNT_ID},
    // As an engine's default profile has it. The flags of clone3 are out of a filter's sight.
    {"container", CLONE3, ENOSYS, ALWAYS, 0, 0},
    {"container", SYS_clone, EPERM, ANY_BIT, 0, NAMESPACES},
    CONTAINER(SYS_unshare),
    CONTAINER(SYS_setns),
    CONTAINER(SYS_mount),
    CONTAINER(SYS_umount2),
    CONTAINER(SYS_pivot_root),
    CONTAINER(OPEN_TREE),
    CONTAINER(MOVE_MOUNT),
    CONTAINER(FSOPEN),
    CONTAINER(FSCONFIG),
    CONTAINER(FSMOUNT),
    CONTAINER(FSPICK),
    CONTAINER(MOUNT_SETATTR),
};

// Whether a list of names, separated by commas, has a name. All that is older is missing in 2018 too.
static int lists(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, length) && (!at[length] || at[length] == ','))
            return 1;
    }
    return strcmp(name, "container") && strcmp(name, "2018") && lists(list, "2018");
}

static int refuse(const char *list)
{
    struct sock_filter code[8 + 5 * sizeof answers / sizeof *answers];
    unsigned short length = 0;
#define ADD(...) code[length++] = (struct sock_filter)__VA_ARGS__
#define LOAD(member) ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member)))
    LOAD(arch);
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *answer = &answers[i];
        if (!lists(list, answer->name))
            continue;
        int conditional = answer->test != ALWAYS;
        LOAD(nr);
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, answer->number, 0, conditional ? 3 : 1));
        if (conditional) {
            // The low half, on machines that have it first.
            ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                         offsetof(struct seccomp_data, args) + 8 * answer->argument));
            ADD(BPF_JUMP(BPF_JMP | (answer->test == EQUAL ? BPF_JEQ : BPF_JSET) | BPF_K, answer->value, 0,
                         1));
        }
        ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer->error));
    }
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    struct sock_fprog program = {length, code};
    // Whoever may not give programs more privileges cannot hide a call from them otherwise.
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) &&
           (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static int without(char **words)
{
    for (char *name = words[0]; name; name = strchr(name, ',')) {
        char one[64];
        name += *name == ',';
        snprintf(one, sizeof one, "%.*s", (int)strcspn(name, ","), name);
        int known = !strcmp(one, "2018");
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
            known |= !strcmp(one, answers[i].name);
        if (!known) {
            fprintf(stderr, "without: no '%s'\n", one);
            return 99;
        }
    }
    if (refuse(words[0])) {
        perror("without");
        return 99;
    }
    execvp(words[1], words + 1);
    perror(words[1]);
    return 127;
}

const struct command ladder_commands[] = {
    {"without", 2, without},
    {NULL, 0, NULL},
};
