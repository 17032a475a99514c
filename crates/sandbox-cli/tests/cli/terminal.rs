//! A terminal works inside as without a sandbox: Ctrl-C, Ctrl-Z, and the shell's job control.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdout, Command, Stdio};

use crate::fixture::{Fixture, for_everyone};

const CTRL_C: &[u8] = b"\x03";
const CTRL_Z: &[u8] = b"\x1a";
const SETTINGS: [&[&str]; 2] = [&[], &["--processes", "isolated"]];

/// The command line, for a shell.
fn line(f: &Fixture, options: &[&str], script: &str) -> String {
    let mut command = f.command();
    command.args(options).arg(f.tree()).args(["sh", "-c", script]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// Runs a shell's command line on a terminal of its own (script(1), of util-linux), hits a key as soon as
/// it says `ready`, and gives back how it ended and what was on the screen.
fn on_terminal(line: &str, key: &[u8]) -> (Option<i32>, String) {
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", line, "/dev/null"])
        .env("SHELL", "/bin/bash")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = terminal.stdin.take().unwrap();
    let mut screen = BufReader::new(terminal.stdout.take().unwrap());
    wait_for(&mut screen, "ready");
    keyboard.write_all(key).unwrap();
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    (terminal.wait().unwrap().code(), rest)
}

fn wait_for(screen: &mut BufReader<ChildStdout>, word: &str) {
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert_ne!(screen.read_line(&mut line).unwrap(), 0, "the screen ended without {word}");
    }
}

#[test]
fn ctrl_c_interrupts_the_command_once() {
    for_everyone(|f| {
        for settings in SETTINGS {
            let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done";
            let (code, screen) = on_terminal(&line(f, settings, script), CTRL_C);
            assert_eq!(code, Some(3), "{settings:?}: {screen:?}");
            assert_eq!(screen.matches("caught").count(), 1, "{settings:?}: {screen:?}");
        }
    });
}

#[test]
fn ctrl_z_stops_it_and_fg_continues_it() {
    for_everyone(|f| {
        for settings in SETTINGS {
            // It forks nothing meanwhile: of a process that is stopped and continued during fork(2), the
            // kernel stops the child and does not continue it.
            let inside = line(f, settings, "echo ready; read -t 1 key; echo over; exit 4");
            let shell = format!("set -m; {inside}; echo stopped: $?; fg; exit $?");
            let (code, screen) = on_terminal(&shell, CTRL_Z);
            assert_eq!(code, Some(4), "{settings:?}: {screen:?}");
            let (stopped, over) = (screen.find("stopped: 148"), screen.rfind("over"));
            assert!(stopped.is_some() && stopped < over, "{settings:?}: {screen:?}");
        }
    });
}
