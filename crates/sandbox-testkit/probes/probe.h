// What the parts of the probe share: each command takes its words and gives an exit status.
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct command {
    const char *name;
    int words; // how many it needs after its name
    int (*run)(char **words);
};

// Prints `ok`, or the name of errno where `result` is negative. Being refused is an answer, not a
// failure of the probe, so the exit status is 0 either way.
int report(long result);

// Makes a user namespace, in which the caller is `inside`. 0, or -1 and errno.
int enter_user_namespace(uid_t inside);

extern const struct command file_commands[], process_commands[], life_commands[], system_commands[],
    network_commands[], caller_commands[], escape_files_commands[], escape_files_write_commands[],
    escape_files_caller_commands[], escape_kernel_commands[], escape_privilege_commands[],
    escape_network_commands[], escape_terminal_commands[], ladder_commands[];

#endif
