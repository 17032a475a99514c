//! A `--status-fd` that is full, as nobody reads it: the sandbox is looked after all the same, and no
//! event is lost.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Fixture, for_everyone};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// `run-sandbox` with a status that takes no more, and a command that says what happens to it.
struct Stuck {
    child: Child,
    said: BufReader<UnixStream>,
    events: UnixStream,
    rubbish: usize,
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stuck {
    fn start(f: &Fixture, nonblocking: bool, script: &str) -> Self {
        let (events, mut status) = UnixStream::pair().unwrap();
        status.set_nonblocking(true).unwrap();
        let mut rubbish = 0;
        for size in [4096, 1] {
            rubbish += loop_until_full(&mut status, size);
        }
        status.set_nonblocking(nonblocking).unwrap();
        let (said, stdout) = UnixStream::pair().unwrap();
        said.set_read_timeout(Some(PATIENCE)).unwrap();
        events.set_read_timeout(Some(PATIENCE)).unwrap();
        // A shell gives the descriptor the number that it shall have.
        let mut command = f.started_by(&["sh", "-c", "exec \"$0\" \"$@\" 9>&0 </dev/null"]);
        command.args(["--status-fd", "9", &f.text("tree"), "sh", "-c", script]);
        command.stdin(OwnedFd::from(status)).stdout(OwnedFd::from(stdout)).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Self { child, said: BufReader::new(said), events, rubbish }
    }

    fn says(&mut self, expected: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), expected);
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -TERM $0", &id]).status().unwrap().success());
    }

    /// What comes out once somebody reads.
    fn drain(&mut self) -> Vec<Value> {
        let mut told = Vec::new();
        self.events.read_to_end(&mut told).unwrap();
        let text = str::from_utf8(&told[self.rubbish..]).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn ends(&mut self) -> std::process::ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn loop_until_full(stream: &mut UnixStream, size: usize) -> usize {
    let mut written = 0;
    loop {
        match stream.write(&vec![b'.'; size]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return written,
            Err(error) => panic!("{error}"),
        }
    }
}

const TRAPS: &str = "trap 'echo down; exit 7' TERM; echo up; while :; do sleep 0.1; done";

#[test]
fn signals_are_passed_on_and_no_event_is_lost() {
    for_everyone(|f| {
        for nonblocking in [false, true] {
            let mut stuck = Stuck::start(f, nonblocking, TRAPS);
            stuck.says("up");
            stuck.terminate();
            stuck.says("down");
            let events = stuck.drain();
            let [started, exited] = &events[..] else { panic!("{events:?}") };
            assert_eq!(started["event"], "started");
            assert_eq!((&exited["event"], exited["status"].as_i64()), (&"exited".into(), Some(7)));
            assert_eq!(stuck.ends().code(), Some(7));
        }
    });
}

#[test]
fn who_hangs_up_without_reading_ends_the_sandbox() {
    for_everyone(|f| {
        let mut stuck = Stuck::start(f, false, TRAPS);
        stuck.says("up");
        stuck.events.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(stuck.ends().code(), Some(137));
    });
}

#[test]
fn what_waits_for_a_reader_can_be_stopped() {
    for_everyone(|f| {
        let mut stuck = Stuck::start(f, false, "echo done");
        stuck.says("done");
        // It may be before the end of the command, which a signal does not reach then.
        let end = Instant::now() + PATIENCE;
        while stuck.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it goes on");
            stuck.terminate();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}
