//! How it ends: statuses, streams, signals, and who waits for whom.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Fixture, Ran, for_everyone};

#[test]
fn the_status_is_the_commands() {
    for_everyone(|f: &Fixture| {
        for code in [0, 1, 2, 37, 255] {
            assert_eq!(f.shell(&[], &format!("exit {code}")).code, Some(code));
        }
        assert_eq!(f.shell(&[], "kill -TERM $$").code, Some(128 + 15));
        assert_eq!(f.shell(&["--unshare-pid"], "kill -KILL $$").code, Some(128 + 9));
    });
}

#[test]
fn a_command_that_cannot_be_executed_is_a_failure_of_ours() {
    for_everyone(|f: &Fixture| {
        f.inside(&[], &["nonexistent"]).refused(&["\"nonexistent\"", "No such file"]);
        f.inside(&[], &["/bin"]).refused(&["\"/bin\"", "Permission denied"]);
        f.redirected("9<words", &["--bind-data", "9", "/tmp/f"], &["/tmp/f"])
            .refused(&["\"/tmp/f\"", "Permission denied"]);
    });
}

#[test]
fn streams_are_the_callers() {
    for_everyone(|f: &Fixture| {
        let ran = f.redirected("<words", &[], &["sh", "-c", "cat; echo err >&2"]);
        let expected = Ran { code: Some(0), out: "some words\n".into(), err: "err\n".into() };
        assert_eq!(ran, expected);
        f.redirected("2>&1", &[], &["sh", "-c", "echo 1; echo 2 >&2; echo 3"]).prints("1\n2\n3\n");
        assert_eq!(f.redirected(">&-", &[], &["true"]).code, Some(0));
        assert_eq!(f.redirected("<&- 2>&-", &[], &["true"]).code, Some(0));
    });
}

/// Started, with pipes for streams.
fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn started(f: &Fixture, options: &[&str], command: &[&str]) -> Child {
    let mut bwrap = f.bwrap();
    start(bwrap.args(["--bind", &f.text("tree"), "/"]).args(options).args(command))
}

fn line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn rest(child: &mut Child) -> String {
    let mut rest = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
    rest
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn signals_are_passed_on() {
    for_everyone(|f: &Fixture| {
        let script = "trap 'echo got; exit 7' TERM; echo up; while :; do sleep 1 & wait; done";
        let mut child = started(f, &["--unshare-pid"], &["sh", "-c", script]);
        assert_eq!(line(&mut child), "up\n");
        signal(&child, Signal::SIGTERM);
        assert_eq!(rest(&mut child), "got\n");
        assert_eq!(child.wait().unwrap().code(), Some(7));
    });
}

#[test]
fn nothing_outlives_bwrap() {
    for_everyone(|f: &Fixture| {
        for namespace in [&["--unshare-pid"][..], &[]] {
            let mut child = started(f, namespace, &["sh", "-c", "echo up; sleep 60; echo late"]);
            assert_eq!(line(&mut child), "up\n");
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(rest(&mut child), "");
        }
        // Nor does what the command has left behind.
        f.shell(&["--unshare-pid", "--dev", "/dev"], "(sleep 60; echo late) & exit 0").prints("");
        f.shell(&["--dev", "/dev"], "(sleep 60; echo late) & exit 0").prints("");
    });
}

/// Killed while it sets up a sandbox that is to have no init: nobody else would end it.
#[test]
fn nothing_outlives_a_set_up_that_was_killed() {
    for_everyone(|f: &Fixture| {
        let mut mounts = vec!["--unshare-pid", "--as-pid-1"];
        for _ in 0..300 {
            mounts.extend(["--tmpfs", "/tmp"]);
        }
        for delay in (0..40).step_by(2) {
            let mut child = started(f, &mounts, &["sh", "-c", "sleep 60; echo late"]);
            sleep(Duration::from_millis(delay));
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(rest(&mut child), "");
        }
    });
}

#[test]
fn one_that_is_pid_1_can_be_ended() {
    for_everyone(|f: &Fixture| {
        let options = ["--unshare-pid", "--as-pid-1"];
        let mut child = started(f, &options, &["sh", "-c", "echo up; exec sleep 60"]);
        assert_eq!(line(&mut child), "up\n");
        signal(&child, Signal::SIGTERM);
        assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
        // By itself, before the signal is seen.
        let mut child = started(f, &options, &["sh", "-c", "read go; exit 3"]);
        sleep(Duration::from_millis(50));
        signal(&child, Signal::SIGSTOP);
        child.stdin.as_mut().unwrap().write_all(b"x\n").unwrap();
        sleep(Duration::from_millis(50));
        signal(&child, Signal::SIGTERM);
        signal(&child, Signal::SIGCONT);
        assert_eq!(child.wait().unwrap().code(), Some(3));
    });
}

#[test]
fn a_status_is_not_lost_where_children_are_ignored() {
    for_everyone(|f: &Fixture| {
        let mut shell = f.program("/bin/sh", "");
        let script = "trap '' CHLD; exec \"$@\"";
        let options = ["--bind", &f.text("tree"), "/", "--unshare-pid", "--as-pid-1"];
        shell.args(["-c", script, "sh", &f.text("bwrap")]).args(options);
        let ran = Ran::of(shell.args(["sh", "-c", "exit 7"]));
        // Before Linux 6.15 the kernel does not tell, and that is said.
        assert!(ran.code == Some(7) || ran.err.contains("status was taken"), "{ran:?}");
    });
}

#[test]
fn it_dies_with_its_parent_if_asked() {
    for_everyone(|f: &Fixture| {
        let mut shell = f.program("/bin/sh", "");
        let script = "\"$@\" & wait";
        let options = ["--bind", &f.text("tree"), "/", "--die-with-parent"];
        let command = ["sh", "-c", "echo up; sleep 60; echo late"];
        shell.args(["-c", script, "sh", &f.text("bwrap")]).args(options).args(command);
        let mut parent = start(&mut shell);
        assert_eq!(line(&mut parent), "up\n");
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert_eq!(rest(&mut parent), "");
    });
}

/// The process in what `--info-fd 1` writes.
fn told(child: &mut Child) -> u32 {
    assert_eq!(line(child), "{\n");
    let member = line(child);
    while line(child) != "}\n" {}
    let number = member.trim().trim_start_matches("\"child-pid\": ");
    number.trim_end_matches(',').parse().unwrap()
}

#[test]
fn a_gate_holds_the_command_back() {
    for_everyone(|f: &Fixture| {
        let options = ["--unshare-net", "--info-fd", "1", "--block-fd", "0"];
        let mut child = started(f, &options, &["echo", "through"]);
        let pid = told(&mut child);
        let link = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
        assert_ne!(link(&pid.to_string()), link("self"), "the namespace is there to be set up");
        assert!(child.try_wait().unwrap().is_none());
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        assert_eq!(rest(&mut child), "through\n");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn one_that_waits_can_be_ended() {
    for_everyone(|f: &Fixture| {
        let mut child = started(f, &["--info-fd", "1", "--block-fd", "0"], &["echo", "through"]);
        told(&mut child);
        signal(&child, Signal::SIGTERM);
        assert_eq!(rest(&mut child), "");
        assert!(!child.wait().unwrap().success());
    });
}

/// The signal comes when the command may have been started, and its init alone knows of it.
#[test]
fn one_that_is_ended_as_it_starts_leaves_nothing() {
    for_everyone(|f: &Fixture| {
        for round in 0..12 {
            let script = "(sleep 1; echo late) & sleep 1";
            let mut child = started(f, &["--block-fd", "0"], &["sh", "-c", script]);
            sleep(Duration::from_millis(50));
            signal(&child, Signal::SIGSTOP);
            child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
            sleep(Duration::from_millis(round % 6));
            signal(&child, Signal::SIGTERM);
            signal(&child, Signal::SIGCONT);
            assert_eq!(rest(&mut child), "");
            assert!(!child.wait().unwrap().success());
        }
    });
}

/// Waits for its ids to be mapped, before anything is mounted.
fn unmapped(f: &Fixture, options: &[&str], command: &[&str]) -> Child {
    let waits = ["--unshare-user", "--info-fd", "1", "--userns-block-fd", "0"];
    started(f, &[&waits[..], options].concat(), command)
}

fn map_ids(f: &Fixture, child: &mut Child, pid: u32) {
    let process = format!("/proc/{pid}");
    let map = |name: &str, text: &str| fs::write(format!("{process}/{name}"), text).unwrap();
    map("setgroups", "deny");
    map("gid_map", &format!("8 {} 1", f.uid()));
    map("uid_map", &format!("7 {} 1", f.uid()));
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
}

#[test]
fn a_source_may_vanish_before_it_is_mounted() {
    for_everyone(|f: &Fixture| {
        for (option, code) in [("--bind", 1), ("--bind-try", 0), ("--ro-bind", 1)] {
            let source = f.directory("vanishes");
            let mut child = unmapped(f, &[option, &source, "/data/new"], &["ls", "/data/new"]);
            let pid = told(&mut child);
            fs::remove_dir(&source).unwrap();
            map_ids(f, &mut child, pid);
            assert_eq!(rest(&mut child), "");
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            assert_eq!(
                (child.wait().unwrap().code(), error.contains(&source)),
                (Some(code), code == 1)
            );
        }
    });
}

#[test]
fn ids_can_be_mapped_by_somebody_else() {
    for_everyone(|f: &Fixture| {
        let mut child = unmapped(f, &[], &["sh", "-c", "id -u; id -g"]);
        let pid = told(&mut child);
        map_ids(f, &mut child, pid);
        assert_eq!(rest(&mut child), "7\n8\n");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn namespaces_of_another_sandbox_can_be_entered() {
    for_everyone(|f: &Fixture| {
        let options = ["--unshare-user", "--unshare-pid", "--info-fd", "1", "--block-fd", "0"];
        let mut other = started(f, &options, &["true"]);
        let process = format!("/proc/{}", told(&mut other));
        // Until its ids are mapped nobody has rights in it.
        for _ in 0..500 {
            if !fs::read_to_string(format!("{process}/gid_map")).unwrap().is_empty() {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        let link = |kind: &str| fs::read_link(format!("{process}/ns/{kind}")).unwrap();
        let (user, pid) = (link("user"), link("pid"));
        let redirections = format!("8<{process}/ns/user 9<{process}/ns/pid");
        let script = "readlink /proc/self/ns/user; readlink /proc/self/ns/pid; id -u";
        let enter = ["--userns", "8", "--pidns", "9", "--proc", "/proc"];
        f.redirected(&redirections, &enter, &["sh", "-c", script]).prints(&format!(
            "{}\n{}\n{}\n",
            user.display(),
            pid.display(),
            f.uid()
        ));
        let enter = ["--userns2", "8"];
        f.redirected(&redirections, &enter, &["id", "-u"]).prints(&format!("{}\n", f.uid()));
        other.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        assert!(other.wait().unwrap().success());
    });
}
