/* What a command sees of its sandbox, line by line: two sandboxes that isolate alike print the same.
 *
 * facts WORD...: WORD is `w:DIR` (can a file be made there?), `l:DIR` (what is there?), `ns` (which
 * namespaces are not HOST_NAMESPACES's?) or `d` (leave a daemon behind, which must not outlive us). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static int by_text(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void list(const char *dir) {
    char *names[256];
    int count = 0;
    DIR *open = opendir(dir);
    if (!open) { printf("list %s: %s\n", dir, strerrorname_np(errno)); return; }
    for (struct dirent *e; count < 256 && (e = readdir(open));)
        if (e->d_name[0] != '.') names[count++] = strdup(e->d_name);
    closedir(open);
    qsort(names, count, sizeof *names, by_text);
    printf("list %s:", dir);
    for (int i = 0; i < count; i++) {
        struct stat s = {0};
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        lstat(path, &s);
        printf(" %s(%o)", names[i], s.st_mode);
    }
    printf("\n");
}

static void try_write(const char *dir) {
    char path[4096];
    snprintf(path, sizeof path, "%s/.facts-%d", dir, getpid());
    /* One that was killed may have left it. */
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    printf("write %s: %s\n", dir, fd < 0 ? strerrorname_np(errno) : "can");
    if (fd >= 0) { close(fd); unlink(path); }
}

/* Without numbers, which differ each time, and without sources. */
static void mounts(void) {
    FILE *file = fopen("/proc/self/mountinfo", "r");
    char line[8192];
    while (file && fgets(line, sizeof line, file)) {
        char root[2048], at[2048], options[1024];
        char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %2047s %2047s %1023s", root, at, options) != 3) continue;
        char kind[64] = "";
        sscanf(tail + 3, "%63s", kind);
        int shared = strstr(line, " shared:") && strstr(line, " shared:") < tail;
        printf("mount %s %s %s%s\n", at, options, kind, shared ? " shared" : "");
    }
    if (file) fclose(file);
}

static void namespaces(void) {
    static const char *kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
    const char *host = getenv("HOST_NAMESPACES");
    for (unsigned i = 0; host && i < sizeof kinds / sizeof *kinds; i++) {
        char path[64], link[64] = {0};
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        if (readlink(path, link, sizeof link - 1) < 0) { printf("namespace %s: unknown\n", kinds[i]); continue; }
        printf("namespace %s: %s\n", kinds[i], strstr(host, link) ? "the host's" : "its own");
    }
}

static void limits(void) {
    char line[4096], path[8192], value[256];
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *name = strstr(line, "sandboxlib-");
        if (!name) continue;
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':') + 1, *at = strchr(controllers, ':');
        *at++ = 0;
        static const char *files[] = {"memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us", "cpu.max"};
        printf("limits %s:", controllers);
        for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s/%s", controllers, at, files[i]);
            FILE *limit = fopen(path, "r");
            if (limit && fgets(value, sizeof value, limit)) printf(" %s=%.*s", files[i], (int)strcspn(value, "\n"), value);
            if (limit) fclose(limit);
        }
        printf("\n");
    }
    if (file) fclose(file);
}

static void who(void) {
    uid_t u[3]; gid_t g[3], groups[64];
    getresuid(&u[0], &u[1], &u[2]);
    getresgid(&g[0], &g[1], &g[2]);
    printf("ids %d %d %d, %d %d %d, groups", u[0], u[1], u[2], g[0], g[1], g[2]);
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) printf(" %d", groups[i]);
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {0};
    syscall(SYS_capget, &head, caps);
    printf("\ncapabilities");
    for (int i = 0; i < 2; i++) printf(" %x/%x/%x", caps[i].effective, caps[i].permitted, caps[i].inheritable);
    printf(" bounding ");
    for (int i = 0; i < 41; i++) printf("%d", prctl(PR_CAPBSET_READ, i) > 0);
    printf(" ambient ");
    for (int i = 0; i < 41; i++) printf("%d", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) > 0);
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    printf("\nno_new_privs %d seccomp %d death signal %d dumpable %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
           prctl(PR_GET_SECCOMP), death, prctl(PR_GET_DUMPABLE));
    pid_t pid = getpid();
    printf("pid %s session %s\n", pid < 10 ? "small" : "large", getsid(0) == pid ? "own" : "another's");
}

static void surroundings(void) {
    struct utsname name;
    uname(&name);
    char cwd[4096] = "?";
    if (!getcwd(cwd, sizeof cwd)) strcpy(cwd, strerrorname_np(errno));
    printf("host %s cwd %s umask %o\n", name.nodename, cwd, umask(0));
    umask(022);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, 0, &mask);
    printf("signals blocked");
    for (int i = 1; i < 65; i++) if (sigismember(&mask, i) == 1) printf(" %d", i);
    printf(" ignored");
    for (int i = 1; i < 65; i++) {
        struct sigaction action;
        if (!sigaction(i, 0, &action) && action.sa_handler == SIG_IGN) printf(" %d", i);
    }
    printf("\nrlimits");
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        printf(" %lx/%lx", limit.rlim_cur, limit.rlim_max);
    }
    printf("\ndescriptors");
    for (int i = 0; i < 1024; i++) if (fcntl(i, F_GETFD) >= 0) printf(" %d", i);
    printf("\nnetwork");
    struct if_nameindex *all = if_nameindex();
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    for (struct if_nameindex *i = all; i && i->if_index; i++) {
        struct ifreq request = {0};
        strncpy(request.ifr_name, i->if_name, IFNAMSIZ - 1);
        ioctl(any, SIOCGIFFLAGS, &request);
        printf(" %s %s", i->if_name, request.ifr_flags & IFF_UP ? "up" : "down");
    }
    printf("\n");
    int count = 0;
    while (environ[count]) count++;
    qsort(environ, count, sizeof *environ, by_text);
    for (int i = 0; i < count; i++) printf("env %s\n", environ[i]);
}

int main(int argc, char **argv) {
    who();
    surroundings();
    limits();
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "w:", 2)) try_write(argv[i] + 2);
        if (!strncmp(argv[i], "l:", 2)) list(argv[i] + 2);
        if (!strcmp(argv[i], "ns")) { namespaces(); mounts(); }
        if (!strcmp(argv[i], "d") && (fflush(stdout), fork() == 0)) {
            setsid();
            if (fork() == 0) { for (int fd = 0; fd < 3; fd++) close(fd); sleep(60); }
            _exit(0);
        }
    }
    return fflush(stdout) ? 1 : 7;
}
