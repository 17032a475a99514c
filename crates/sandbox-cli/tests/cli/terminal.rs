//! A terminal works inside as without a sandbox: Ctrl-C, Ctrl-Z, and the shell's job control.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

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

/// Runs a shell's command line on a terminal of its own (script(1), of util-linux), hits keys as soon as
/// it says `ready`, each half a second after the last, and gives back how it ended and what was on the screen.
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
    for (number, byte) in key.iter().enumerate() {
        if number > 0 {
            sleep(Duration::from_millis(500));
        }
        keyboard.write_all(&[*byte]).unwrap();
    }
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

#[test]
fn ctrl_c_twice_kills_what_ignores_it() {
    for_everyone(|f| {
        for settings in SETTINGS {
            let script = "trap '' INT; echo ready; i=0; while [ $i -lt 60 ]; do i=$((i+1)); sleep 0.05; done; exit 3";
            let (code, screen) =
                on_terminal(&line(f, settings, script), &[CTRL_C, CTRL_C].concat());
            assert_eq!(code, Some(137), "{settings:?}: {screen:?}");
            assert!(screen.contains("was interrupted twice, and killed"), "{screen:?}");
            let (code, screen) = on_terminal(&line(f, settings, script), CTRL_C);
            assert_eq!(code, Some(3), "{settings:?}: {screen:?}");
        }
    });
}

#[test]
fn ctrl_c_at_a_prompt_is_a_key_like_others() {
    for_everyone(|f| {
        for settings in SETTINGS {
            // As line editors set the terminal, and in the process group of `run-sandbox`.
            let script = "stty -icanon; trap 'echo caught' INT; echo ready; i=0; \
                          while [ $i -lt 60 ]; do i=$((i+1)); sleep 0.05; done; stty icanon; exit 4";
            let (code, screen) =
                on_terminal(&line(f, settings, script), &[CTRL_C, CTRL_C].concat());
            assert_eq!(
                (code, screen.matches("caught").count()),
                (Some(4), 2),
                "{settings:?}: {screen:?}"
            );
            // A shell that is used has job control, and with it the terminal.
            let inside = line(f, settings, "exec sh -i")
                .replace(" 'exec sh -i'", " 'echo ready; exec sh -i'");
            let keys = b"\x03\x03exit 6\n";
            let (code, screen) = on_terminal_quickly(&inside, keys);
            assert_eq!(code, Some(6), "{settings:?}: {screen:?}");
        }
    });
}

/// Two keys half a second apart, then a line.
fn on_terminal_quickly(line: &str, keys: &[u8]) -> (Option<i32>, String) {
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
    for chunk in [&keys[..1], &keys[1..2], &keys[2..]] {
        sleep(Duration::from_millis(500));
        keyboard.write_all(chunk).unwrap();
    }
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    (terminal.wait().unwrap().code(), rest)
}
