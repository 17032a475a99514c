// Attacks on files: out of the root, through descriptors, over what is read-only.
#include "probe.h"

const struct command escape_files_commands[] = {
    {NULL, 0, NULL},
};
