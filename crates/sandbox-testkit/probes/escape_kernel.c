// Attacks on processes outside, and ways to outlive the sandbox. Every one of them is harmless where it
// succeeds: what is written is what was there, and what lives on ends by itself after some seconds.
#include "probe.h"

#include <ctype.h>
#include <dirent.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

// This program is static, so that every process of it has this text at one address.
static char known[] = "known to all";

// touch-process PID: every way to send a signal, none of which has an effect.
static int touch_process(char **words)
{
    int pid = atoi(words[0]);
    siginfo_t info = {.si_code = SI_QUEUE};
    report(kill(pid, 0));
    report(syscall(SYS_tgkill, pid, pid, 0));
    report(syscall(SYS_rt_sigqueueinfo, pid, 0, &info));
    int fd = syscall(SYS_pidfd_open, pid, 0);
    return report(fd < 0 ? fd : syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

// A tracer that ends lets its tracee go on.
static int seize(char **words)
{
    return report(ptrace(PTRACE_SEIZE, atoi(words[0]), NULL, NULL));
}

// trace-parent: whoever has started this, and what it has in memory.
static int trace_parent(char **words)
{
    char path[64];
    (void)words;
    report(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
    snprintf(path, sizeof path, "/proc/%d/mem", getppid());
    report(open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/%d/environ", getppid());
    return report(open(path, O_RDONLY));
}

// memory-file PID: reads and writes through /proc/PID/mem.
static int memory_file(char **words)
{
    char path[64], got[sizeof known];
    snprintf(path, sizeof path, "/proc/%s/mem", words[0]);
    int fd = open(path, O_RDWR);
    if (fd < 0)
        return report(-1);
    if (pread(fd, got, sizeof got, (long)known) != sizeof got)
        return report(-1);
    return report(pwrite(fd, got, sizeof got, (long)known));
}

// memory PID: the same by process_vm_readv(2) and process_vm_writev(2).
static int memory(char **words)
{
    char got[sizeof known];
    struct iovec here = {got, sizeof got}, there = {known, sizeof known};
    int pid = atoi(words[0]);
    report(process_vm_readv(pid, &here, 1, &there, 1, 0));
    return report(process_vm_writev(pid, &here, 1, &there, 1, 0));
}

// steal-descriptor PID: by pidfd_getfd(2).
static int steal_descriptor(char **words)
{
    int fd = syscall(SYS_pidfd_open, atoi(words[0]), 0);
    return report(fd < 0 ? fd : syscall(SYS_pidfd_getfd, fd, 0, 0));
}

// change-limits PID: its limits and its priority, each to what it is.
static int change_limits(char **words)
{
    struct rlimit limit;
    int pid = atoi(words[0]);
    report(prlimit(pid, RLIMIT_CORE, NULL, &limit) || prlimit(pid, RLIMIT_CORE, &limit, NULL) ? -1 : 0);
    errno = 0;
    int priority = getpriority(PRIO_PROCESS, pid);
    return report(errno ? -1 : setpriority(PRIO_PROCESS, pid, priority));
}

static int is_number(const struct dirent *entry) { return isdigit(entry->d_name[0]); }

// who-knows FIRST SECOND: how many other processes show the text, which is both words together, in
// their environment or arguments.
static int who_knows(char **words)
{
    static char block[1 << 17];
    char text[300], path[300];
    struct dirent **entries;
    int found = 0, count = scandir("/proc", &entries, is_number, NULL);
    snprintf(text, sizeof text, "%s%s", words[0], words[1]);
    for (int i = 0; i < count; i++)
        for (int file = 0; file < 2 && atoi(entries[i]->d_name) != getpid(); file++) {
            snprintf(path, sizeof path, "/proc/%s/%s", entries[i]->d_name, file ? "cmdline" : "environ");
            int fd = open(path, O_RDONLY);
            long size = fd < 0 ? 0 : read(fd, block, sizeof block);
            found += size > 0 && memmem(block, size, text, strlen(text));
            if (fd >= 0)
                close(fd);
        }
    printf("%d\n", found);
    return 0;
}

#define OBJECT (IPC_CREAT | IPC_EXCL | 0600)
static int key(char **words) { return strtol(words[0], 0, 0); }
static int sem_make(char **words) { return report(semget(key(words), 1, OBJECT)); }
static int sem_find(char **words) { return report(semget(key(words), 0, 0)); }
static int sem_remove(char **words) { return report(semctl(semget(key(words), 0, 0), 0, IPC_RMID)); }
static int msg_make(char **words) { return report(msgget(key(words), OBJECT)); }
static int msg_find(char **words) { return report(msgget(key(words), 0)); }
static int msg_remove(char **words) { return report(msgctl(msgget(key(words), 0), IPC_RMID, NULL)); }

static int shm_id(char **words)
{
    printf("%d\n", shmget(key(words), 0, 0));
    return 0;
}

static int shm_attach(char **words) { return report((long)shmat(key(words), NULL, SHM_RDONLY) == -1 ? -1 : 0); }

#define KEY "sandbox-testkit"

// with-session-key: a session keyring with a key in it, as a login makes it.
static int with_session_key(char **words)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, KEY) < 0 ||
        syscall(SYS_add_key, "user", KEY, "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0)
        return report(-1);
    execvp(words[0], words);
    return report(-1);
}

static int read_key(int keyring, const char *name)
{
    char got[16];
    long id = syscall(SYS_keyctl, KEYCTL_SEARCH, keyring, "user", name, 0);
    return report(id < 0 ? id : syscall(SYS_keyctl, KEYCTL_READ, id, got, sizeof got));
}

static int session_key(char **words)
{
    (void)words;
    return read_key(KEY_SPEC_SESSION_KEYRING, KEY);
}

static int user_key(char **words) { return read_key(KEY_SPEC_USER_KEYRING, words[0]); }

static int user_key_make(char **words)
{
    return report(syscall(SYS_add_key, "user", words[0], "secret", 6, KEY_SPEC_USER_KEYRING));
}

static int user_key_remove(char **words)
{
    long id = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", words[0], 0);
    return report(id < 0 ? id : syscall(SYS_keyctl, KEYCTL_UNLINK, id, KEY_SPEC_USER_KEYRING));
}

// perf PID CPU: counts the time that a process or a processor works.
static int perf(char **words)
{
    struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event,
                                    .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1};
    return report(syscall(SYS_perf_event_open, &event, atoi(words[0]), atoi(words[1]), -1, 0));
}

static void nap(int microseconds) { usleep(microseconds); }

static long seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void append(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || write(fd, ".", 1) != 1)
        _exit(1);
    close(fd);
}

// Deaf to every signal that can be ignored, and to its parent's death; for ever is 20 seconds.
static void cling(const char *path)
{
    for (int number = 1; number < 32; number++)
        signal(number, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (long end = seconds() + 20; seconds() < end; nap(10000))
        append(path);
    _exit(0);
}

// cling FILE: as above. It says its number.
static int cling_here(char **words)
{
    printf("%d\n", getpid());
    cling(words[0]);
    return 0;
}

static void spawn_daemon(const char *path, int levels)
{
    if (fork())
        return;
    setsid();
    for (; levels > 0; levels--)
        if (fork())
            _exit(0);
    printf("%d\n", getpid());
    fflush(stdout);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    cling(path);
}

// clinging-daemon FILE: forks twice, leads a session between, and keeps nothing of its parent's.
static int clinging_daemon(char **words)
{
    fflush(stdout);
    spawn_daemon(words[0], 1);
    nap(100000);
    return 0;
}

// clinging-orphan FILE: in its parent's session.
static int clinging_orphan(char **words)
{
    fflush(stdout);
    if (fork() == 0)
        cling_here(words);
    nap(100000);
    return 0;
}

// clinging-family FILE FILE: both.
static int clinging_family(char **words)
{
    clinging_daemon(words);
    cling(words[1]);
    return 0;
}

// relays FILE STOP: a fork bomb of 30 runners that only ever lives in children: each process forks one
// and ends. It stops after 8 seconds, or as soon as STOP exists.
static int relays(char **words)
{
    long end = seconds() + 8;
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, 0);
    for (int runner = 0; runner < 30; runner++)
        if (fork() == 0) {
            setsid();
            for (;;) {
                if (seconds() >= end || access(words[1], F_OK) == 0)
                    _exit(0);
                append(words[0]);
                if (fork())
                    _exit(0);
                prctl(PR_SET_PDEATHSIG, 0);
                nap(3000);
            }
        }
    for (; seconds() < end && access(words[1], F_OK); nap(10000))
        ;
    return 0;
}

// stop-supervisor: whoever started this command, and with isolated processes that is PID 1.
static int stop_supervisor(char **words)
{
    (void)words;
    return report(kill(getppid(), SIGSTOP));
}

// kill-supervisor FILE: and lives on without it.
static int kill_supervisor(char **words)
{
    prctl(PR_SET_PDEATHSIG, 0);
    printf("%d\n", getpid());
    report(kill(getppid(), SIGKILL));
    fflush(stdout);
    if (words[0])
        cling(words[0]);
    return 0;
}

const struct command escape_kernel_commands[] = {
    {"touch-process", 1, touch_process}, {"seize", 1, seize}, {"trace-parent", 0, trace_parent}, {"memory-file", 1, memory_file},
    {"memory", 1, memory}, {"steal-descriptor", 1, steal_descriptor},
    {"change-limits", 1, change_limits}, {"who-knows", 2, who_knows}, {"sem-make", 1, sem_make},
    {"sem-find", 1, sem_find}, {"sem-remove", 1, sem_remove}, {"msg-make", 1, msg_make},
    {"msg-find", 1, msg_find}, {"msg-remove", 1, msg_remove}, {"shm-id", 1, shm_id},
    {"shm-attach", 1, shm_attach}, {"with-session-key", 1, with_session_key},
    {"session-key", 0, session_key}, {"user-key", 1, user_key}, {"user-key-make", 1, user_key_make},
    {"user-key-remove", 1, user_key_remove}, {"perf", 2, perf}, {"cling", 1, cling_here},
    {"clinging-daemon", 1, clinging_daemon}, {"clinging-orphan", 1, clinging_orphan},
    {"clinging-family", 2, clinging_family}, {"relays", 2, relays},
    {"stop-supervisor", 0, stop_supervisor}, {"kill-supervisor", 0, kill_supervisor},
    {NULL, 0, NULL},
};
