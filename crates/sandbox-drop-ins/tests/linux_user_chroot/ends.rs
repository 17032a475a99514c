//! Exit statuses, and how a sandbox ends.

use std::io::Read;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Fixture, Ran, for_everyone};

#[test]
fn the_programs_own_status() {
    for_everyone(|f| {
        for code in [0, 1, 3, 125, 127, 255] {
            for options in [&[][..], &["--unshare-pid"]] {
                let ran = f.shell(options, &format!("exit {code}"));
                assert_eq!((ran.code, ran.err.as_str()), (Some(code), ""));
            }
        }
    });
}

#[test]
fn a_signal_is_1() {
    for_everyone(|f| {
        for signal in ["KILL", "TERM", "SEGV", "HUP"] {
            let script = format!("kill -{signal} $$; exit 3");
            let ran = f.shell(&[], &script);
            assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(1), "", ""));
        }
    });
}

/// The kernel keeps from PID 1 what it has no handler for (pid_namespaces(7)).
#[test]
fn a_signal_to_itself_does_nothing_to_pid_1() {
    for_everyone(|f| {
        let ran = f.shell(&["--unshare-pid"], "kill -TERM $$; exit 3");
        assert_eq!(ran.code, Some(3), "{ran:?}");
    });
}

#[test]
fn a_program_that_is_not_there_or_cannot_run_is_1() {
    for_everyone(|f| {
        f.run(&[], &["no-such-program"]).fails("execv: No such file or directory");
        f.run(&[], &["/no/such"]).fails("execv: No such file or directory");
        f.run(&[], &[""]).fails("execv: No such file or directory");
        f.run(&[], &["/data"]).fails("execv: Permission denied");
        f.run(&["--unshare-pid"], &["/no/such"]).fails("execv: No such file or directory");
    });
}

/// Starts a command that goes on, kills `linux-user-chroot`, and reads until nobody holds the output any
/// more: all of the sandbox is gone then.
fn ends_with_its_caller(f: &Fixture, options: &[&str], signal: Signal) {
    let tree = f.text("tree");
    // Where it does not end, the test ends all the same, and fails.
    let script = "echo ready; sleep 30; echo late";
    let words = [options, &[&tree, "sh", "-c", script]].concat();
    let mut child = f.command(&words).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn the_sandbox_ends_with_its_caller() {
    for_everyone(|f| {
        for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT] {
            ends_with_its_caller(f, &[], signal);
            ends_with_its_caller(f, &["--unshare-pid"], signal);
        }
    });
}

#[test]
fn what_the_program_leaves_running_ends_with_it() {
    for_everyone(|f| {
        let (program, tree) = (f.text("linux-user-chroot"), f.text("tree"));
        for unshare in [&[][..], &["--unshare-pid"]] {
            let devices = ["--mount-devapi", "/dev", &tree];
            let script = ["sh", "-c", "(sleep 30; echo late) & echo done"];
            let words = [&[&*program][..], unshare, &devices, &script].concat();
            // Reads to the end of the output, which the sleeper holds.
            Ran::of(&mut f.as_user(&words)).prints("done\n");
        }
    });
}
