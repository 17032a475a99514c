//! System calls for administrators, and those that reach much of the kernel.

use crate::case::Case;
use crate::escapes::attack::{attack, permitted, refused};

pub(in crate::escapes) const CASES: &[Case] = &[
    attack!("escape-privilege/init-module", "init-module", &[],
        permitted: &["ENOEXEC"], refused: &[]),
    Case::new("escape-privilege/finit-module", &[], |w| {
        refused(w, "finit-module /etc/marker", &[], &[])
    })
    .control(|w| {
        let path = w.path("/etc/marker");
        permitted(w, &format!("finit-module {}", path.display()), &["ENOEXEC", "EINVAL"])
    }),
    attack!("escape-privilege/delete-module", "delete-module", &[],
        permitted: &["ENOENT"], refused: &[]),
    attack!("escape-privilege/kexec-load", "kexec", &[], permitted: &["EINVAL"], refused: &[]),
    attack!("escape-privilege/kexec-file-load", "kexec-file", &[],
        permitted: &["EINVAL", "EBADF"], refused: &[]),
    attack!("escape-privilege/reboot", "reboot-wrongly", &[], permitted: &["EINVAL"], refused: &[]),
    attack!("escape-privilege/clock-set", "set-clock", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/clock-adjust", "adjust-clock", &[],
        permitted: &["EINVAL"], refused: &[]),
    attack!("escape-privilege/syslog", "console-level", &[], permitted: &["EINVAL"], refused: &[]),
    attack!("escape-privilege/swapon", "swapon", &[], permitted: &["ENOENT"], refused: &[]),
    attack!("escape-privilege/swapoff", "swapoff", &[], permitted: &["ENOENT"], refused: &[]),
    attack!("escape-privilege/acct", "acct", &[], permitted: &["ENOENT"], refused: &[]),
    attack!("escape-privilege/hostname", "same-hostname", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/io-ports", "io-port", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/io-privilege-level", "io-level", &[],
        permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/real-time-priority", "real-time", &[],
        permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/fanotify", "watch-files", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/bpf-map", "bpf-map", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/bpf-program", "bpf-program", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/userfaultfd-of-the-kernel", "faults 0", &[],
        permitted: &["ok"], refused: &[]),
    // What the kernel permits to everybody, and builds have no use for: a matter of the filter.
    attack!("escape-privilege/userfaultfd", "faults 1", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/io-uring", "io-uring", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-privilege/perf-of-itself", "perf 0 -1", &[], permitted: &["ok"], refused: &[]),
    // READ_IMPLIES_EXEC and MMAP_PAGE_ZERO, which soften what runs with them.
    attack!("escape-privilege/personality", "personality 0x0500000", &[],
        permitted: &["ok"], refused: &[]),
];
