#!/bin/sh
# Runs each case on the program given, and says which differ: check.sh PROGRAM
set -u

program=$1
newline='
'
cases=0
failures=0

# expect NAME EXPECTED INPUT [ARGUMENT...]
expect() {
    name=$1 expected=$2 input=$3
    shift 3
    cases=$((cases + 1))
    found=$(printf '%s' "$input" | "$program" "$@")
    status=$?
    if [ "$status" -eq 0 ] && [ "$found" = "$expected" ]; then
        echo "PASS $name"
    else
        failures=$((failures + 1))
        echo "FAIL $name: status $status, '$found' in place of '$expected'"
    fi
}

long=$(printf '%0300d' 0)

expect "the world by default" "Hello, world!" ""
expect "a name" "Hello, Ada!" "" Ada
expect "two names, in order" "Hello, Ada!${newline}Hello, Grace!" "" Ada Grace
expect "names with spaces" "Hello, Ada Lovelace!" "" "Ada Lovelace"
expect "names on standard input" "Hello, Ada!${newline}Hello, Grace!" "Ada${newline}Grace${newline}" -
expect "a last line without its newline" "Hello, Ada!" "Ada" -
expect "an empty standard input" "" "" -
expect "a long line" "Hello, $long!" "$long$newline" -

echo "$cases cases, $failures failures"
[ "$failures" -eq 0 ]
