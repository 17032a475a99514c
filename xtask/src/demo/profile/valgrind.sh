# A program runs in valgrind, which makes its calls for it.
command -v valgrind >/dev/null || { echo "there is no valgrind"; exit 77; }
valgrind -q --error-exitcode=9 true
