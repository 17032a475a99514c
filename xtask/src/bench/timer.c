/*
 * The stopwatch: runs one command again and again and prints one figure per run, one a line.
 *
 *     timer --wall|--peak N COMMAND [ARG]...
 *
 * --wall   from before the spawn until the command is reaped, in ns
 * --peak   the command's peak resident memory, in KiB
 *
 * It is small and static, so that a spawn costs the same little for every command, and so that the
 * peak it reports, which starts from the spawning process's own, is the command's.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int runs, peak, status;

    if (argc < 4) {
        fputs("usage: timer --wall|--peak N COMMAND...\n", stderr);
        return 2;
    }
    peak = strcmp(argv[1], "--peak") == 0;
    for (runs = atoi(argv[2]); runs > 0; runs--) {
        long long start = now();
        pid_t pid = vfork();

        if (pid == 0) {
            execvp(argv[3], argv + 3);
            perror(argv[3]);
            _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
            perror("timer");
            return 125;
        }
        printf("%lld\n", peak ? (long long)usage.ru_maxrss : now() - start);
        /* The time of a command that failed says nothing. */
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return 0;
}
