//! What a run under a fault came to, beside a clean one.

use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use serde_json::Value;

use super::scenario::{Aim, Scenario};
use super::site::{Fault, Kind, Means};

/// What one can see of a run.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) end: WaitStatus,
    pub(super) out: String,
    pub(super) errors: String,
    pub(super) report: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Clean,
    /// By this name in `explained.txt`, or not at all.
    Unless(&'static str, String),
}

impl Seen {
    pub(super) fn status(&self) -> Option<i32> {
        match self.end {
            WaitStatus::Exited(_, status) => Some(status),
            _ => None,
        }
    }

    /// The error that was reported, for people, and its errno.
    fn error(&self) -> Option<(String, Option<i64>)> {
        let lines = self.report.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = lines.rev().find(|line| line["event"] == "error");
        match event {
            Some(event) => {
                let message = event["message"].as_str().unwrap_or_default().to_owned();
                Some((message, event["errno"].as_i64()))
            }
            None if self.errors.trim().is_empty() => None,
            None => Some((self.errors.trim().to_owned(), None)),
        }
    }
}

/// Judges what is seen after a fault; `clean` is without.
pub(super) fn judge(scenario: &Scenario, fault: &Fault, seen: &Seen, clean: &Seen) -> Verdict {
    let by_caller = matches!(fault.site.role.kind, Kind::Caller | Kind::Thread);
    let killed = fault.means == Means::KillCaller || fault.means == Means::Kill && by_caller;
    let status = match seen.end {
        // There is nobody left who could say anything.
        WaitStatus::Signaled(_, Signal::SIGKILL, _) if killed => return Verdict::Clean,
        WaitStatus::Exited(_, status) => status,
        end => return Verdict::Unless("died", format!("{end:?}: {}", seen.errors.trim())),
    };
    if seen.errors.contains("panicked at") {
        return Verdict::Unless("panic", seen.errors.trim().to_owned());
    }
    if (status, &seen.out) == (clean.status().unwrap_or(-1), &clean.out) {
        return match fault.means {
            // The caller had ended by then, or was about to.
            Means::Delay(_) | Means::KillCaller => Verdict::Clean,
            _ => Verdict::Unless("same", String::new()),
        };
    }
    if scenario.aim == Aim::Report {
        return Verdict::Unless("report", String::new());
    }
    let told = seen.error();
    if Some(status) == clean.status() {
        return Verdict::Unless("differs", difference(&clean.out, &seen.out));
    }
    if !scenario.failure().contains(&status) {
        let text = told.map(|(message, _)| message).unwrap_or_default();
        let text = format!("status {status}: {text} {}", difference(&clean.out, &seen.out));
        return Verdict::Unless("status", text);
    }
    let Some((message, number)) = told.filter(|(message, _)| !message.is_empty()) else {
        return Verdict::Unless("untold", format!("status {status}"));
    };
    match fault.means {
        Means::Errno(errno) => {
            let named = message.contains(&format!("os error {errno})"))
                || number == Some(errno.into())
                || names(&message, errno);
            if named { Verdict::Clean } else { Verdict::Unless("other", message) }
        }
        // Somebody has killed it: that is all that can be known.
        Means::Kill => Verdict::Clean,
        _ => Verdict::Unless("other", message),
    }
}

/// Whether a message has the text of an errno, as C programs write it.
fn names(message: &str, errno: i32) -> bool {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().is_some_and(|text| message.contains(text))
}

/// The first line that is another.
fn difference(clean: &str, seen: &str) -> String {
    let mut seen_lines = seen.lines();
    for line in clean.lines() {
        match seen_lines.next() {
            Some(other) if other == line => {}
            Some(other) => return format!("`{other}` in the place of `{line}`"),
            None => return format!("nothing from `{line}` on"),
        }
    }
    seen_lines.next().map_or_else(String::new, |line| format!("`{line}` too much"))
}
