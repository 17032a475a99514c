//! Bug 18 of the original: nothing ends what a sandbox has started.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use sandboxlib::{Config, Status, Stream};

use crate::fixture::{BUSYBOX, Fixture, for_everyone, soon};

/// A command with a descendant, and the stream that both of them hold.
fn family(f: &Fixture) -> (Config, BufReader<std::io::PipeReader>) {
    let (reader, writer) = std::io::pipe().unwrap();
    let config = family_of(f, "echo started; wait");
    (config.stdout(Stream::open(writer)), BufReader::new(reader))
}

/// A shell with a child that runs, and what it does then.
pub(crate) fn family_of(f: &Fixture, then: &str) -> Config {
    // A shell opens /dev/null for what it starts in the background.
    let null = ("/dev/null", "/dev/null", "", "bind");
    f.shell(&format!("sleep 1000 & kill -0 $! || exit 99; {then}")).extra_mount(null)
}

/// The end of a stream, of which all was read, means that the last process that holds it is gone.
#[track_caller]
fn ends(mut stream: impl Read + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(stream.read_to_end(&mut Vec::new())));
    let mut end = None;
    soon(|| {
        end = receiver.try_recv().ok();
        end.is_some()
    });
    assert_eq!(end.unwrap().unwrap(), 0);
}

#[test]
fn bug_18_a_sandbox_is_ended_whole_from_another_thread() {
    for_everyone(|f| {
        for executor in f.executors() {
            let (config, mut stream) = family(f);
            let child = executor.start(&config).unwrap();
            drop(config);
            let handle = child.handle();
            // What a time-out would do: here, when the command has said that it runs.
            let killer = thread::spawn(move || {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                handle.kill().unwrap();
                (line, stream)
            });
            let outcome = child.wait().unwrap();
            assert_eq!(outcome.status, Status::Signaled(9));
            let (line, stream) = killer.join().unwrap();
            assert_eq!(line, "started\n");
            ends(stream);
        }
    });
}

#[test]
fn bug_18_a_sandbox_does_not_outlive_its_handle() {
    for_everyone(|f| {
        for executor in f.executors() {
            let (config, mut stream) = family(f);
            let child = executor.start(&config).unwrap();
            drop(config);
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            drop(child);
            ends(stream);
        }
    });
}

#[test]
fn bug_18_what_the_command_leaves_behind_ends_with_it() {
    for_everyone(|f| {
        for executor in f.executors() {
            let (mut config, stream) = family(f);
            config.command = family_of(f, "exit 3").command;
            assert_eq!(executor.run_sandbox(&config).unwrap().exit, 3);
            drop(config);
            ends(stream);
        }
    });
}

#[test]
fn bug_18_a_sandbox_ends_with_its_caller() {
    for_everyone(|f| {
        if f.executors().is_empty() {
            return;
        }
        // The caller is stopped from outside, with no chance to remove what it has made.
        fs::write(f.inside("dev/null"), "").unwrap();
        let mut role = f.role("runs_forever");
        let mut caller = role.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stream = BufReader::new(caller.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with("started\n") {
            assert_ne!(stream.read_line(&mut line).unwrap(), 0, "{line}");
        }
        let pid = caller.id().to_string();
        assert!(Command::new(BUSYBOX).args(["kill", "-KILL", &pid]).status().unwrap().success());
        caller.wait().unwrap();
        ends(stream);
        fs::remove_file(f.inside("dev/null")).unwrap();
    });
}
