//! What ends a run early, and what of it is left then: nothing, or what the next run sweeps.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::archive::{Archive, script};
use crate::world::{World, for_everyone, says};

/// Of a machine that does other things as well. The sleeps and pipes here would last much longer.
const SOON: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(10);

/// What has to become true.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < SOON, "in vain: {what}");
        sleep(TICK);
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Its directories for temporary files.
fn directories(w: &World<'_>) -> Vec<String> {
    let entries = fs::read_dir(w.host("tmp")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code(), out, err)
}

fn good() -> Vec<u8> {
    Archive::aci(&script("echo ran", json!({}))).bytes()
}

#[test]
fn a_signal_ends_the_wait_for_a_pipe() {
    for_everyone(|w| {
        let image = good();
        for (name, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
            // Some of it has come, the rest does not.
            let mut child = spawn(&mut w.start(&["-"]));
            let mut pipe = child.stdin.take().unwrap();
            pipe.write_all(&image[..image.len() / 2]).unwrap();
            until("it has a directory", || !directories(w).is_empty());
            signal(&child, name);
            let begin = Instant::now();
            let (ended, out, err) = ended(child);
            assert_eq!((ended, &*out), (Some(code), ""), "{err}");
            assert!(begin.elapsed() < SOON);
            assert!(err.contains("interrupted by signal"), "{err}");
            w.is_clean();
            drop(pipe);
        }
        let fifo = w.text("images/fifo");
        assert!(Command::new("mkfifo").args(["-m", "666", &fifo]).status().unwrap().success());
        let child = spawn(&mut w.start(&[&fifo]));
        until("it has a directory", || !directories(w).is_empty());
        signal(&child, "TERM");
        assert_eq!(ended(child).0, Some(143));
        w.is_clean();
        // The control: who writes to it is heard, and need not be there first.
        let child = spawn(&mut w.start(&[&fifo]));
        until("it has a directory", || !directories(w).is_empty());
        fs::write(&fifo, &image).unwrap();
        assert_eq!(ended(child), (Some(0), "ran\n".to_owned(), String::new()));
        w.is_clean();
    });
}

/// An image that takes a while to unpack: many files, then a big one.
fn long(w: &World<'_>) -> String {
    let mut image = Archive::aci(&script("echo ran", json!({})));
    for index in 0..5_000 {
        image = image.file(&format!("rootfs/data/{index}"), "x");
    }
    w.image("long.aci", image.bytes())
}

#[test]
fn a_signal_ends_the_unpacking() {
    for_everyone(|w| {
        let image = &*long(w);
        for (name, code) in [("TERM", 143), ("INT", 130)] {
            let child = spawn(&mut w.start(&[image]));
            until("it unpacks", || some_files(w));
            signal(&child, name);
            let begin = Instant::now();
            assert_eq!(ended(child).0, Some(code));
            assert!(begin.elapsed() < SOON);
            w.is_clean();
        }
    });
}

/// Whether a run has files, and not yet all.
fn some_files(w: &World<'_>) -> bool {
    let mut names = directories(w).into_iter();
    names.any(|name| w.host("tmp").join(name).join("rootfs/data/10").exists())
}

#[test]
fn what_was_killed_is_swept_by_the_next_run() {
    for_everyone(|w| {
        let mut child = spawn(&mut w.start(&[&long(w)]));
        until("it unpacks", || some_files(w));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(directories(w).len(), 1, "the control: it leaves something");
        let image = &*w.image("x.aci", good());
        w.go(&[image]).prints("ran\n");

        let waits = &*w.script("echo ready; exec sleep 60", json!({}));
        let mut child = spawn(&mut w.start(&[waits]));
        ready(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(directories(w).len(), 1, "the control: it leaves something");
        until("its app is gone", || {
            w.left().unwrap().iter().all(|line| !line.starts_with("running: "))
        });
        w.go(&[image]).prints("ran\n");
    });
}

/// Waits for the app's first line.
fn ready(child: &mut Child) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    out
}

#[test]
fn a_run_that_is_alive_is_not_swept() {
    for_everyone(|w| {
        let text = "echo ready; read line; cat /data/file; touch /new; ls /new";
        let image = Archive::aci(&script(text, json!({}))).file("rootfs/data/file", "there\n");
        let image = &*w.image("x.aci", image.bytes());
        let cache = w.text("images/cache");
        for options in [&[][..], &["--cache", &cache]] {
            let mut child = spawn(&mut w.start(&[options, &[image]].concat()));
            let mut out = ready(&mut child);
            assert_eq!(directories(w).len(), 1);
            for _ in 0..3 {
                let other = crate::fixture::Ran::of(
                    &mut w.start(&[options, &[image, "echo", "other"]].concat()),
                );
                says(&other, 0, "other\n");
            }
            assert_eq!(directories(w).len(), 1);
            child.stdin.take().unwrap().write_all(b"go\n").unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "there\n/new\n");
            assert!(child.wait().unwrap().success());
            w.is_clean();
        }
    });
}

#[test]
fn a_signal_reaches_the_app_and_its_last_handler_runs() {
    for_everyone(|w| {
        let stop = json!([{"name": "post-stop", "exec": ["/bin/echo", "post"]}]);
        let text = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.02; done";
        let image = &*w.script(text, json!({"eventHandlers": stop}));
        let mut child = spawn(&mut w.start(&[image]));
        let mut out = ready(&mut child);
        signal(&child, "TERM");
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*rest), (Some(5), "caught\npost\n"));
        w.is_clean();
        // One without a handler is ended by it.
        let mut child = spawn(&mut w.start(&[&w.script("echo ready; exec sleep 60", json!({}))]));
        let out = ready(&mut child);
        signal(&child, "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(143));
        drop(out);
        w.is_clean();
    });
}

#[test]
fn an_app_has_its_time_and_its_last_handler_runs() {
    for_everyone(|w| {
        let stop = json!([{"name": "post-stop", "exec": ["/bin/echo", "post"]}]);
        let image = &*w.script("echo ready; exec sleep 60", json!({"eventHandlers": stop}));
        let child = spawn(&mut w.start(&["--timeout", "0.5", image]));
        let (code, out, err) = ended(child);
        assert_eq!((code, &*out), (Some(124), "ready\npost\n"), "{err}");
        assert!(err.contains("the command timed out\n"), "{err}");
        w.is_clean();
        // A handler that takes too long is ended too, and what waits for it is not run.
        let start = json!([{"name": "pre-start", "exec": ["/bin/sleep", "60"]}]);
        let image = &*w.script("echo ran", json!({"eventHandlers": start}));
        let (code, out, err) = ended(spawn(&mut w.start(&["--timeout", "0.5", image])));
        assert_eq!((code, &*out), (Some(124), ""), "{err}");
        assert!(err.contains("pre-start handler timed out"), "{err}");
        w.is_clean();
    });
}
