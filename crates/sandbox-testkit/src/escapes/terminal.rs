//! Out through the terminal, which the command shares with its caller.

use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox_core::{Environment, Input, Output, SandboxConfigBuilder};

use super::attack::{in_tree, is_refused};
use crate::case::{Case, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{World, text};

pub(super) const CASES: &[Case] = &[
    Case::new("escape-terminal/tiocsti", &[], |w| typing(w, "tiocsti"))
        .control(|w| typing_on_host(w, "tiocsti")),
    Case::new("escape-terminal/tiocsti-with-high-bits", &[], |w| typing(w, "tiocsti-high"))
        .control(|w| typing_on_host(w, "tiocsti-high")),
    Case::new("escape-terminal/tiocsti-of-i386", &[], |w| typing(w, "tiocsti-i386"))
        .control(|w| typing_on_host(w, "tiocsti-i386")),
    Case::new("escape-terminal/tiocsti-of-x32", &[], |w| typing(w, "tiocsti-x32"))
        .control(|w| typing_on_host(w, "tiocsti-x32")),
    Case::new("escape-terminal/tiocsti-by-dev-tty", &[], |w| typing(w, "tiocsti-dev-tty"))
        .control(|w| typing_on_host(w, "tiocsti-dev-tty")),
    Case::new("escape-terminal/tioclinux", &[], |w| w.play("on-terminal", "console-attacked"))
        .control(tioclinux_on_host),
    Case::new("escape-terminal/terminal-of-another-session", &[], |w| {
        w.play("on-terminal", "terminal-taken")
    })
    .control(take_on_host),
    // Not an attack: what must still work where the attacks do not.
    Case::new("escape-terminal/job-control-works", &[], job_control).control(no_job_control),
];

pub(super) const ROLES: &[Role] = &[
    Role { name: "typing tiocsti", run: |w| types(w, "tiocsti") },
    Role { name: "typing tiocsti-high", run: |w| types(w, "tiocsti-high") },
    Role { name: "typing tiocsti-i386", run: |w| types(w, "tiocsti-i386") },
    Role { name: "typing tiocsti-x32", run: |w| types(w, "tiocsti-x32") },
    Role { name: "typing tiocsti-dev-tty", run: |w| types(w, "tiocsti-dev-tty") },
    Role { name: "console-attacked", run: console_attacked },
    Role { name: "terminal-taken", run: terminal_taken },
    Role { name: "shell", run: shell_role },
];

fn typing(w: &World<'_>, attack: &str) -> Check {
    w.play("on-terminal", &format!("typing {attack}"))
}

/// A caller with a terminal, which the command gets as its standard input.
fn types(w: &World<'_>, attack: &str) -> Check {
    let answer = w.says(in_tree(w, attack, &["/dev", "/proc"])?.stdin(Input::Inherit))?;
    // Without a minimal /dev there is no /dev/tty.
    is_refused(&answer, &["ENOENT", "ENXIO"])
}

/// A program on a terminal of its own.
fn at_terminal(w: &World<'_>, words: &str) -> Check<String> {
    let words = format!("on-terminal {} {words}", w.probe_path().display());
    Ok(text(&w.host(&words).output()?.stdout).trim().replace('\r', ""))
}

fn typing_on_host(w: &World<'_>, attack: &str) -> Check {
    let answer = at_terminal(w, attack)?;
    if answer.contains("ok") {
        return Ok(());
    }
    let why = match answer.lines().last() {
        Some("ENOSYS") => "this kernel runs no programs of that sort",
        _ => "dev.tty.legacy_tiocsti is 0",
    };
    Err(Failure::cannot_run(format!("{why}: {answer}")))
}

/// Virtual consoles are what the request is for.
const CONSOLE: &str = "/dev/tty1";

/// A caller with a terminal that hands the command a virtual console.
fn console_attacked(w: &World<'_>) -> Check {
    let answer = w.says(w.probe("tioclinux").stdin(Input::File(CONSOLE.into())))?;
    is_refused(&answer, &[])
}

fn tioclinux_on_host(w: &World<'_>) -> Check {
    let console = fs::File::open(CONSOLE)
        .map_err(|error| Failure::cannot_run(format!("there is no console: {CONSOLE}: {error}")))?;
    let answer = text(&w.host("tioclinux").stdin(console).output()?.stdout);
    if answer == "ok" { Ok(()) } else { Err(Failure::cannot_run(format!("{CONSOLE}: {answer}"))) }
}

fn terminal_taken(w: &World<'_>) -> Check {
    for force in ["0", "1"] {
        let attack = w.probe(&format!("take-terminal {force}"));
        is_refused(&w.says(attack.stdin(Input::Inherit))?, &[])?;
    }
    Ok(())
}

/// By force, as root may.
fn take_on_host(w: &World<'_>) -> Check {
    let answer = at_terminal(w, "take-terminal 1")?;
    // What is said to a terminal that is gone does not arrive.
    if matches!(&*answer, "ok" | "") {
        return Ok(());
    }
    Err(Failure::cannot_run(format!("it is not permitted without a sandbox either: {answer}")))
}

const BUSYBOX: &str = "/bin/busybox";

/// A shell with the caller's terminal as all of its streams.
fn shell(w: &World<'_>) -> SandboxConfigBuilder {
    let config = sandbox_core::SandboxConfig::builder(["/work/busybox", "sh", "-i"]).root(w.tree());
    let config = config.env(Environment::exactly([
        ("PATH", "/bin"),
        ("PS1", "$ "),
        ("BUSYBOX", "/work/busybox"),
    ]));
    config.stdin(Input::Inherit).stdout(Output::Inherit).stderr(Output::Inherit)
}

/// What a person at a terminal finds, in a shell that a program ends in.
fn person(w: &World<'_>, kind: &str, program: &Command) -> Check<String> {
    let mut person = w.host(&format!("at-terminal {kind}"));
    person.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        person.env(name, value.unwrap_or_default());
    }
    Ok(text(&person.output()?.stdout))
}

fn job_control(w: &World<'_>) -> Check {
    let answer = person(w, "controlling", &w.role("", "shell")?)?;
    if answer != "ok 0" {
        let report = fs::read_to_string(w.role_report()).unwrap_or_default();
        return Err(Failure::wrong(format!("{answer}; {report}")));
    }
    Ok(())
}

fn shell_role(w: &World<'_>) -> Check {
    let status = w.run(shell(w))?.status;
    same("status", status, sandbox_core::Status::Exited(7))
}

/// On a terminal that is no session's, the same shell has no jobs.
fn no_job_control(w: &World<'_>) -> Check {
    if !Path::new(BUSYBOX).exists() {
        return Err(Failure::cannot_run(format!("there is no {BUSYBOX}")));
    }
    fs::copy(BUSYBOX, w.path("/work/busybox"))?;
    let mut plain = Command::new(BUSYBOX);
    plain.args(["sh", "-i"]).env("BUSYBOX", BUSYBOX);
    let answer = person(w, "plain", &plain)?;
    ensure!(!answer.starts_with("ok"), "there is job control without it: {answer}");
    Ok(())
}
