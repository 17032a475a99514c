# A debugger stops its program and reads its memory; it turns randomization off (personality(2)).
command -v gdb >/dev/null || { echo "there is no gdb"; exit 77; }
command -v gcc >/dev/null || { echo "there is no gcc"; exit 77; }
printf 'int answer = 42;\nint main(void) { return answer; }\n' > a.c
gcc -g -O0 a.c -o a
gdb -q -batch -nx -ex 'break main' -ex run -ex 'print answer' -ex kill ./a > said 2>&1
grep -q '= 42' said || { cat said; exit 1; }
