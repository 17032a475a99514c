# Sandboxes in sandboxes: ours, and Debian's bwrap and unshare where they are.
inner="/tmp/run-sandbox --build --ro-bind /tmp/run-sandbox:/tmp/run-sandbox / --"
$inner $inner sh -c 'grep -c . /proc/self/status >/dev/null && echo "three deep"'
! command -v bwrap >/dev/null || bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true
unshare --user --map-root-user --mount --pid --fork --mount-proc sh -c 'mount -t tmpfs t /mnt && test $$ = 1'
