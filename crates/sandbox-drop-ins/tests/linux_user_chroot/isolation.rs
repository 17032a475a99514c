//! The options that isolate, and what the system calls are held to.

use std::fs;

use crate::fixture::{Fixture, Who, for_everyone};

/// The namespace of a kind that a command is in, with these options.
fn namespace(f: &Fixture, options: &[&str], kind: &str) -> String {
    let link = format!("/proc/self/ns/{kind}");
    let ran = f.run(&[options, &["--mount-proc", "/proc"]].concat(), &["readlink", &link]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    ran.out.trim_end().to_owned()
}

fn hosts(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    link.into_os_string().into_string().unwrap()
}

#[test]
fn each_option_makes_its_namespaces_and_no_others() {
    for_everyone(|f| {
        for (option, own) in [
            (None, &["mnt"][..]),
            (Some("--unshare-ipc"), &["mnt", "ipc", "uts"]),
            (Some("--unshare-net"), &["mnt", "net"]),
            // In a namespace of its own, it can see where it is in the host's cgroups no more.
            (Some("--unshare-pid"), &["mnt", "pid", "cgroup"]),
        ] {
            let options: Vec<_> = option.into_iter().collect();
            for kind in ["mnt", "ipc", "uts", "net", "pid", "cgroup"] {
                let is_own = namespace(f, &options, kind) != hosts(kind);
                assert_eq!(is_own, own.contains(&kind), "{option:?} {kind}");
            }
        }
    });
}

/// What takes the place of the set-user-ID bit.
#[test]
fn only_a_plain_user_gets_a_user_namespace() {
    for_everyone(|f| {
        let is_own = namespace(f, &[], "user") != hosts("user");
        assert_eq!(is_own, f.who == Who::Plain);
    });
}

#[test]
fn ipc_keeps_the_hosts_name() {
    for_everyone(|f| {
        let name = f.run(&[], &["hostname"]).out;
        f.run(&["--unshare-ipc"], &["hostname"]).prints(&name);
    });
}

#[test]
fn pid_makes_the_program_the_first() {
    for_everyone(|f| {
        f.shell(&["--unshare-pid"], "echo $$").prints("1\n");
        let shared = f.shell(&[], "echo $$");
        assert_ne!(shared.out, "1\n");
    });
}

/// Nobody reaps for it.
#[test]
fn pid_has_no_init() {
    for_everyone(|f| {
        let options = ["--unshare-pid", "--mount-proc", "/proc", "--mount-devapi", "/dev"];
        // The orphan waits until its parent is gone, for as long as it takes to count.
        let orphan = "(i=0; while kill -0 $$ 2>/dev/null && [ $i -lt 100000 ]; do i=$((i+1)); done
            exec busybox grep PPid /proc/self/status) &";
        let script = format!("echo \"$(sh -c '{orphan}')\"");
        f.shell(&options, &script).prints("PPid:\t1\n");
    });
}

#[test]
fn net_has_loopback_that_is_down() {
    for_everyone(|f| {
        let own = f.run(&["--unshare-net"], &["ip", "-o", "link"]);
        assert_eq!((own.code, own.out.lines().count()), (Some(0), 1), "{own:?}");
        assert!(own.out.contains("lo: <LOOPBACK> "), "{own:?}");
        // The host's is up, or else this shows nothing.
        let shared = f.run(&[], &["ip", "-o", "link"]);
        assert!(shared.out.contains("lo: <LOOPBACK,UP,"), "{shared:?}");
    });
}

#[test]
fn seccomp_profile_none() {
    for_everyone(|f| {
        let none = ["--seccomp-profile-version", "-1"];
        f.run(&none, &["linux32", "true"]).prints("");
        f.run(&["--seccomp-profile-version", "0", none[0], none[1]], &["linux32", "true"])
            .prints("");
    });
}

#[test]
fn seccomp_profile_0() {
    for_everyone(|f| {
        for word in ["0", "abc", "", " 0x", "-0"] {
            let options = ["--seccomp-profile-version", word];
            let ran = f.run(&options, &["linux32", "true"]);
            ran.refused_inside("personality(0x8): Operation not permitted");
            f.run(&options, &["echo", "all else"]).prints("all else\n");
            let nested = f.run(&options, &["busybox", "unshare", "-U", "true"]);
            nested.refused_inside("Operation not permitted");
        }
        f.run(&[], &["linux32", "true"]).prints("");
    });
}

#[test]
fn seccomp_profile_that_there_is_not() {
    for_everyone(|f| {
        for word in ["1", "-2", "7th", "4294967295", "99999999999999999999"] {
            let ran = f.run(&["--seccomp-profile-version", word], &["true"]);
            ran.fails("Unknown --seccomp-profile-version");
        }
    });
}

/// The C program finds it last.
#[test]
fn a_profile_that_there_is_not_is_found_before_anything_is_mounted() {
    for_everyone(|f| {
        let source = f.text("source");
        let with = |options: &[&str], profile: &str| {
            f.run(&[options, &["--seccomp-profile-version", profile]].concat(), &["true"])
        };
        let bind = ["--mount-bind", source.as_str()];
        let late = [
            (["--chdir", "/none"].to_vec(), "chdir: No such file or directory"),
            (
                [&bind[..], &["/data"], &bind, &["/data/none"]].concat(),
                "mount (MS_BIND): No such file or directory",
            ),
        ];
        for (options, message) in late {
            with(&options, "0").fails(message);
            with(&options, "7").fails("Unknown --seccomp-profile-version");
        }
        with(&["--mount-bind", "/no/such", "/data"], "7").fails("Couldn't open bind mount source");
        with(&["--mount-proc", "/none"], "7").fails("mount (\"proc\"): No such file or directory");
    });
}
