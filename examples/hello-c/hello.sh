#!/bin/sh
# The program for a machine without a C compiler.
greet() {
    printf 'Hello, %s!\n' "${1:-world}"
}

[ $# -gt 0 ] || greet ""
for name in "$@"; do
    if [ "$name" = - ]; then
        while IFS= read -r line || [ -n "$line" ]; do
            greet "$line"
        done
    else
        greet "$name"
    fi
done
