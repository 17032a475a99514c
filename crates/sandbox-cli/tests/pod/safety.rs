//! What an app cannot do to the pod's first command, which has the host's files and the pod's key.

use serde_json::{Value, json};

use crate::fixture::Ran;
use crate::images::with_images;

/// Tries each way into every process but its own; those of the app itself are the control.
const TRIES: &str = "\
    busybox sleep 30 & own=$!; \
    try() { busybox \"$@\" > /dev/null 2>&1 && echo \"$who: $*\"; }; \
    for dir in /proc/[0-9]*; do \
        pid=${dir#/proc/}; [ $pid = $$ ] && continue; \
        who=other; [ $pid = $own ] && who=own; \
        case $(busybox cat $dir/comm) in run-sandbox|sandbox-init) ;; *) [ $who = own ] || continue;; esac; \
        seen=$((seen + 1)); \
        try ls $dir/root/; try ls $dir/cwd/; try grep of-the-caller $dir/environ; \
        try readlink $dir/exe; try readlink $dir/fd/0; try nsenter -t $pid -m true; \
    done; \
    [ $seen -ge 4 ] && echo seen; kill $own";

fn retain(capabilities: &[&str]) -> Value {
    let value = json!({ "set": capabilities });
    json!({ "isolators": [{ "name": "os/linux/capabilities-retain-set", "value": value }] })
}

#[test]
fn the_first_command_cannot_be_looked_into() {
    with_images(|i| {
        for fields in [
            json!({}),
            retain(&["CAP_SYS_ADMIN"]),
            retain(&["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_DAC_READ_SEARCH"]),
            json!({ "user": "1000", "group": "1000" }),
        ] {
            let mut command = i.command(&[]);
            command.arg(i.image("looker", TRIES, fields)).env("SECRET", "of-the-caller");
            let ran = Ran::of(&mut command);
            let lines = ran.lines();
            assert!(lines.contains(&"seen"), "{ran:?}");
            assert!(lines.iter().any(|line| line.starts_with("own: ls")), "{ran:?}");
            assert!(!ran.out.contains("other:"), "{ran:?}");
        }
    });
}

#[test]
fn a_capability_that_is_not_given_is_told() {
    with_images(|i| {
        let image = i.image("one", "true", retain(&["CAP_SYS_PTRACE", "CAP_CHOWN"]));
        let ran = i.pod(&[], &[image]);
        assert!(ran.err.contains("capabilities-retain-set: adjusted: "), "{ran:?}");
        assert!(ran.err.contains("not with CAP_SYS_PTRACE"), "{ran:?}");
    });
}
