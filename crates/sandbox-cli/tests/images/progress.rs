//! How far it is: lines for programs, a bar on a terminal, and else nothing.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::archive::{Archive, script};
use crate::world::{World, for_everyone};

fn image(w: &World<'_>) -> (String, u64) {
    let image = Archive::aci(&script("echo ran", json!({})));
    let bytes = image.file("rootfs/data/big", vec![7; 3 << 20]).bytes();
    (w.image("x.aci", &bytes), bytes.len() as u64)
}

/// Lines that grow to all there is.
#[track_caller]
fn grow(lines: &[Value], image: &str, total: u64) {
    assert!(!lines.is_empty());
    let mut last = 0;
    for line in lines {
        assert_eq!((&line["event"], &line["image"]), (&json!("unpacking"), &json!(image)));
        assert_eq!(line["total"], json!(total));
        let bytes = line["bytes"].as_u64().unwrap();
        assert!(bytes >= last && bytes <= total, "{lines:?}");
        last = bytes;
    }
    assert_eq!(last, total, "{lines:?}");
}

#[test]
fn programs_are_told_in_lines() {
    for_everyone(|w| {
        let (image, size) = image(w);
        let ran = w.go(&["--progress", "json", &image]);
        assert_eq!((ran.code, &*ran.out), (Some(0), "ran\n"), "{ran:?}");
        let lines: Vec<_> =
            ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        grow(&lines, &image, size);

        let (ran, events) = w.events(&["--progress", "json", &image]);
        ran.prints("ran\n");
        let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        let at = kinds.iter().position(|kind| *kind != "unpacking").unwrap();
        assert_eq!(kinds[at..], ["image", "started", "exited"], "{kinds:?}");
        grow(&events[..at], &image, size);

        let (ran, events) = w.events(&[&image]);
        ran.prints("ran\n");
        assert!(events.iter().all(|event| event["event"] != "unpacking"), "{events:?}");
    });
}

#[test]
fn without_a_terminal_nothing_is_shown() {
    for_everyone(|w| {
        let (image, _) = image(w);
        w.go(&[&image]).prints("ran\n");
        w.go(&["--progress", "none", &image]).prints("ran\n");
        w.go(&["--progress", "loud", &image]).fails(125, &["--progress", "loud"]);
    });
}

/// What is on the screen of a terminal.
fn screen(w: &World<'_>, words: &[&str]) -> String {
    let inner = w.start(words);
    let all = std::iter::once(inner.get_program()).chain(inner.get_args());
    let line: Vec<_> = all.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
    script.env("TMPDIR", w.host("tmp")).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let output = script.stdin(Stdio::null()).output().unwrap();
    w.is_clean();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn on_a_terminal_there_is_a_bar_which_is_gone_at_the_end() {
    for_everyone(|w| {
        let (image, _) = image(w);
        let shown = screen(w, &[&image]);
        assert!(shown.contains("images/x.aci"), "{shown:?}");
        assert!(shown.contains("\x1b[2K") && shown.ends_with("ran\r\n"), "{shown:?}");
        assert_eq!(screen(w, &["--progress", "none", &image]), "ran\r\n");
    });
}
