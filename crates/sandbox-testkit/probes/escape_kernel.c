// Attacks on processes, terminals, privileges and sockets.
#include "probe.h"

const struct command escape_kernel_commands[] = {
    {NULL, 0, NULL},
};
