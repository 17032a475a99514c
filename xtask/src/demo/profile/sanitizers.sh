# AddressSanitizer, LeakSanitizer (which traces its own process) and ThreadSanitizer find what they should.
command -v gcc >/dev/null || { echo "there is no gcc"; exit 77; }
printf '#include <stdlib.h>\nint main(void) { void *volatile p = malloc(7); p = 0; return 0; }\n' > leak.c
gcc -fsanitize=address -g leak.c -o leak 2>/dev/null || { echo "gcc has no AddressSanitizer"; exit 77; }
./leak 2> leaks && { echo "no leak was found"; exit 1; }
grep 'detected memory leaks' leaks
