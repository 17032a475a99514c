//! Standard streams and signals: as if there were no sandbox.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, for_everyone};

/// Waits until something is so; long enough for a busy machine.
#[track_caller]
fn soon(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "it did not happen");
        thread::sleep(Duration::from_millis(10));
    }
}

fn script(f: &Fixture, options: &[&str], script: &str) -> Command {
    let mut command = f.command();
    command.args(options).arg(f.tree()).args(["sh", "-c", script]);
    command
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("/bin/busybox").args(["kill", signal, &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// Whether a process waits with SIGTERM held back: from then on it passes signals on.
fn holds_signals(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    u64::from_str_radix(blocked.trim(), 16).unwrap() & (1 << (15 - 1)) != 0
}

#[test]
fn output_is_live_and_the_streams_are_apart() {
    for_everyone(|f| {
        let mut command = script(f, &[], "echo early; echo aside >&2; read line; echo $line");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        // The command still waits for its input.
        assert_eq!(out.next().unwrap().unwrap(), "early");
        child.stdin.take().unwrap().write_all(b"late\n").unwrap();
        assert_eq!(out.next().unwrap().unwrap(), "late");
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(err, "aside\n");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn bytes_go_through_unchanged() {
    for_everyone(|f| {
        let mut child = script(f, &["--network", "isolated"], "cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
        let mut stdin = child.stdin.take().unwrap();
        let sent = bytes.clone();
        let writer = thread::spawn(move || stdin.write_all(&sent).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.stdout == bytes, "{} bytes came back", output.stdout.len());
    });
}

#[test]
fn closed_streams_are_no_obstacle() {
    for_everyone(|f| {
        for streams in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let shell = format!("exec \"$0\" \"$@\" {streams}");
            let status = f
                .started_by(&["sh", "-c", &shell])
                .arg(f.tree())
                .args(["sh", "-c", "cat; echo out; echo err >&2; exit 5"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            assert_eq!(status.unwrap().code(), Some(5), "{streams}");
        }
    });
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    for_everyone(|f| {
        let mut child = script(f, &[], "yes").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "y\n");
        assert_eq!(child.wait().unwrap().code(), Some(128 + 13));
    });
}

#[test]
fn signals_reach_the_command() {
    for_everyone(|f| {
        for options in [&[][..], &["--processes", "isolated"]] {
            let wait = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
            let mut child = script(f, options, wait).stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            soon(|| holds_signals(child.id()));
            kill("-TERM", child.id());
            assert_eq!(child.wait().unwrap().code(), Some(7), "{options:?}");
        }
    });
}

#[test]
fn nothing_outlives_run_sandbox() {
    for_everyone(|f| {
        let mut child = script(f, &["--processes", "isolated"], "echo ready; sleep 1000 & wait")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        kill("-KILL", child.id());
        child.wait().unwrap();
        // Every process inside holds the pipe: its end means that the last of them is gone.
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || sender.send(out.read_line(&mut String::new()).unwrap()));
        let mut end = None;
        soon(|| {
            end = end.or_else(|| receiver.try_recv().ok());
            end.is_some()
        });
        assert_eq!(end, Some(0));
    });
}

#[test]
fn a_caller_that_ignores_its_children_gets_the_status() {
    for_everyone(|f| {
        let status = f
            .started_by(&["sh", "-c", "trap '' CHLD; exec \"$0\" \"$@\""])
            .arg(f.tree())
            .args(["sh", "-c", "exit 9"])
            .status();
        assert_eq!(status.unwrap().code(), Some(9));
    });
}
