# A tracer sees the calls of its program, and of what that starts.
command -v strace >/dev/null || { echo "there is no strace"; exit 77; }
strace -f -o said sh -c 'true | cat'
grep -q execve said
setarch -R true
