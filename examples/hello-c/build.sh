#!/bin/sh
# The whole build where there is no make: in C with a compiler, else the same program in shell.
set -eu

if ./configure; then
    cc=$(sed -n 's/^CC = //p' config.mk)
    cflags=$(sed -n 's/^CFLAGS = //p' config.mk)
    # The flags are several words on purpose.
    # shellcheck disable=SC2086
    "$cc" $cflags -o hello hello.c greeting.c lines.c
else
    echo "no C compiler: building the program in shell"
    cp hello.sh hello
    chmod +x hello
fi
sh tests/check.sh ./hello
