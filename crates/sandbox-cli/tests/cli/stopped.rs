//! What is stopped from outside: time-outs, and interrupts by processes and by a terminal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, for_everyone};

const SETTINGS: [&[&str]; 2] = [&[], &["--processes", "isolated"]];
/// Heeds nothing polite; it forks, so that there is a tree to kill.
const STUBBORN: &str = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";
const HEEDS: &str = "trap 'exit 7' TERM; while :; do sleep 0.05; done";

#[test]
fn a_command_is_asked_and_then_killed() {
    for_everyone(|f| {
        for settings in SETTINGS {
            let run = |options: &[&str], script: &str| {
                let start = Instant::now();
                let ran = f.shell(&[settings, options].concat(), script);
                assert!(start.elapsed() < Duration::from_secs(9), "{options:?}: {ran:?}");
                (ran.code, ran.err)
            };
            let said = |text: &str| format!("run-sandbox: warning: the command {text}\n");
            let timed_out = (Some(124), said("timed out"));
            assert_eq!(run(&["--timeout", "300ms"], "sleep 60"), timed_out);
            assert_eq!(run(&["--timeout", "0.3"], HEEDS), timed_out);
            let killed = (Some(137), said("timed out, and was killed"));
            assert_eq!(run(&["--timeout", ".3s", "--kill-after", "0.2"], STUBBORN), killed);
            assert_eq!(run(&["--timeout", "0.3", "--kill-after", "0"], HEEDS), killed);
            // One that stops itself is continued, and so can end.
            let stops = "trap 'exit 7' TERM; kill -s STOP $$; sleep 60";
            assert_eq!(run(&["--timeout", "0.3"], stops), timed_out);
            // The control: it ends by itself, before and without.
            assert_eq!(run(&["--timeout", "60"], "exit 3"), (Some(3), String::new()));
            assert_eq!(run(&[], "exit 124"), (Some(124), String::new()));
        }
        let ran = f.shell(&["--kill-after", "1"], "exit 0");
        ran.refused(&["--kill-after", "needs --timeout"]);
    });
}

fn started(
    f: &Fixture,
    options: &[&str],
    script: &str,
) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = f.command();
    command.args(options).arg(f.text("tree")).args(["sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, out)
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code(), err)
}

#[test]
fn two_interrupts_kill_what_ignores_them() {
    for_everyone(|f| {
        for settings in SETTINGS {
            let (mut child, _out) = started(f, settings, STUBBORN);
            // The same one, passed on: nothing insists.
            interrupt(&child);
            interrupt(&child);
            sleep(Duration::from_millis(500));
            assert_eq!(child.try_wait().unwrap(), None, "{settings:?}: one is not enough");
            interrupt(&child);
            let start = Instant::now();
            let killed = "run-sandbox: warning: the command was interrupted twice, and killed\n";
            assert_eq!(ended(child), (Some(137), killed.to_owned()), "{settings:?}");
            assert!(start.elapsed() < Duration::from_secs(5));

            let (child, _out) = started(f, settings, "echo ready; exec sleep 60");
            interrupt(&child);
            assert_eq!(ended(child), (Some(130), String::new()), "{settings:?}: one asks");
        }
    });
}
