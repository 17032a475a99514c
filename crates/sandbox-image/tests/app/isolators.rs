//! What holds an app.

use sandbox_image::app::{App, Isolator, SeccompSet};
use sandbox_luc::Status;

use crate::run::{Said, lifecycle, options, output, run, script, tree, words};

/// SIGSYS of these machines.
const SIGSYS: i32 = 31;

fn with(mut app: App, isolator: Isolator) -> App {
    app.isolators.push(isolator);
    app
}

/// The bits of the effective, bounding and ambient capabilities.
fn capabilities(user: &str, isolator: Option<Isolator>) -> Option<[u64; 3]> {
    let tree = tree()?;
    let mut app = script("grep -E '^Cap(Eff|Bnd|Amb)' /proc/self/status");
    user.clone_into(&mut app.user);
    app.isolators.extend(isolator);
    let out = output(&tree, &app, &options());
    let bits: Vec<_> = out
        .lines()
        .map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap())
        .collect();
    Some(bits.try_into().unwrap())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD
/// AUDIT_WRITE SETFCAP
const DEFAULT: u64 = 0xa804_25fb;
const KILL: u64 = 1 << 5;

#[test]
fn capabilities_are_the_default_the_retained_or_what_is_left() {
    let retain = || Some(Isolator::CapabilitiesRetain(names(&["CAP_KILL"])));
    let remove = || Some(Isolator::CapabilitiesRemove(names(&["CAP_KILL", "CAP_SYS_ADMIN"])));
    for (user, isolator, expected) in [
        ("0", None, DEFAULT),
        ("0", retain(), KILL),
        ("0", remove(), DEFAULT & !KILL),
        ("0", Some(Isolator::CapabilitiesRetain(Vec::new())), 0),
        ("web", None, 0),
        ("web", retain(), KILL),
        ("web", remove(), 0),
    ] {
        let Some(found) = capabilities(user, isolator.clone()) else { return };
        assert_eq!(found, [expected; 3], "{user} {isolator:?}");
    }
}

fn set(list: &[&str], errno: Option<&str>) -> SeccompSet {
    SeccompSet { set: names(list), errno: errno.map(str::to_owned) }
}

fn said(app: &App) -> Option<Said> {
    let tree = tree()?;
    Some(run(&lifecycle(&tree, app, &options()).main))
}

#[test]
fn calls_that_are_removed_fail_or_end_the_process() {
    let app = || script("mkdir /tmp/x; echo $?; touch /tmp/y; echo $?");
    let Some(free) = said(&app()) else { return };
    assert_eq!(free.out, "0\n0\n");
    let calls = ["mkdir", "mkdirat"];
    let filtered = said(&with(app(), Isolator::SeccompRemove(set(&calls, Some("EXDEV"))))).unwrap();
    assert_eq!(filtered.out, "1\n0\n");
    assert!(filtered.error.contains("link"), "{filtered:?}");
    // 128 + SIGSYS
    let killed = said(&with(app(), Isolator::SeccompRemove(set(&calls, None)))).unwrap();
    assert_eq!(killed.out, "159\n0\n");
    let all = set(&["mkdir", "mkdirat", "@appc.io/empty"], None);
    assert_eq!(said(&with(app(), Isolator::SeccompRemove(all))).unwrap().out, "0\n0\n");
    // The command is started all the same.
    let exec = set(&["execve", "mkdir", "mkdirat"], Some("EPERM"));
    assert_eq!(said(&with(app(), Isolator::SeccompRemove(exec))).unwrap().out, "1\n0\n");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn only_calls_that_are_retained_can_be_made() {
    // What a static busybox calls until it has printed a word.
    let start = [
        "arch_prctl",
        "brk",
        "exit",
        "exit_group",
        "fcntl",
        "getegid",
        "geteuid",
        "getgid",
        "getpid",
        "getrandom",
        "getuid",
        "ioctl",
        "mmap",
        "mprotect",
        "munmap",
        "newfstatat",
        "prctl",
        "prlimit64",
        "read",
        "readlink",
        "readlinkat",
        "rseq",
        "rt_sigaction",
        "rt_sigprocmask",
        "set_robust_list",
        "set_tid_address",
        "setgid",
        "setuid",
        "uname",
        "write",
        "writev",
    ];
    let echo = || App::new("app", words(&["echo", "word"]));
    let mkdir = || App::new("app", words(&["mkdir", "/tmp/x"]));
    let retain = |list: &[&str], errno| Isolator::SeccompRetain(set(list, errno));
    let Some(allowed) = said(&with(echo(), retain(&start, None))) else { return };
    assert_eq!((allowed.status, &*allowed.out), (Status::Exited(0), "word\n"), "{allowed:?}");
    let killed = said(&with(mkdir(), retain(&start, None))).unwrap();
    assert_eq!(killed.status, Status::Signaled(SIGSYS), "{killed:?}");
    let refused = said(&with(mkdir(), retain(&start, Some("EPERM")))).unwrap();
    assert_eq!(refused.status, Status::Exited(1), "{refused:?}");
    assert!(refused.error.contains("not permitted"), "{refused:?}");
    let more = [&start[..], &["mkdir", "umask"]].concat();
    assert!(said(&with(mkdir(), retain(&more, None))).unwrap().status.success());
    assert!(said(&with(mkdir(), retain(&["@appc.io/all"], None))).unwrap().status.success());
    // Not even its start is allowed, and it is ended, not left.
    let nothing = said(&with(echo(), retain(&["read"], None))).unwrap();
    assert_eq!(nothing.status, Status::Signaled(SIGSYS), "{nothing:?}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_command_that_is_missing_is_an_error_under_any_filter() {
    let Some(tree) = tree() else { return };
    for errno in [None, Some("EPERM")] {
        let app = App::new("app", words(&["/bin/no-such-program"]));
        let app = with(app, Isolator::SeccompRetain(set(&["read"], errno)));
        let error = sandbox_luc::run(&lifecycle(&tree, &app, &options()).main).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}

#[test]
fn new_privileges_are_never_gained() {
    let app = || script("grep NoNewPrivs /proc/self/status");
    for isolator in [None, Some(true), Some(false)] {
        let mut app = app();
        app.isolators.extend(isolator.map(Isolator::NoNewPrivileges));
        let Some(said) = said(&app) else { return };
        assert_eq!(said.out, "NoNewPrivs:\t1\n");
    }
}
