//! `cargo xtask clients [NAME]`: programs that people use, unchanged, which start our executables in
//! place of the originals.

mod buildstream;
mod executables;
pub(crate) mod farm;
mod network;
mod python;
mod python_original;
mod sccache;
mod sccache_client;
mod toolchain;
mod work;
mod ybd;

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::user::User;
use crate::{Result, stage};

/// A program that people use.
struct Client {
    name: &'static str,
    run: fn(&Bench, User) -> Run,
}

static CLIENTS: [Client; 4] = [
    Client { name: "python-original", run: python_original::run },
    Client { name: "ybd", run: ybd::run },
    Client { name: "buildstream", run: buildstream::run },
    Client { name: "sccache", run: sccache::run },
];

/// What all clients share.
struct Bench {
    /// Where what is installed is kept for the next run; any user can reach it.
    stage: PathBuf,
}

type Run<T = ()> = std::result::Result<T, Stop>;

/// Why a client's run did not come to its end.
enum Stop {
    /// It cannot run here.
    Skipped(String),
    Failed(Box<dyn Error>),
}

impl Stop {
    fn not_installed(error: impl std::fmt::Display) -> Self {
        Self::Skipped(format!("cannot be installed here: {error}"))
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(crate) fn run(args: &[String]) -> Result {
    let names: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
    let chosen = match args {
        [] => None,
        [name] if names.contains(&name.as_str()) => Some(name.as_str()),
        _ => return Err(format!("clients takes one of {}, or none", names.join(", ")).into()),
    };
    let bench = Bench { stage: stage::shared("clients")? };
    let mut rows = Vec::new();
    for client in CLIENTS.iter().filter(|client| chosen.is_none_or(|name| name == client.name)) {
        for user in User::all() {
            println!("\n{} {user}", client.name);
            let clock = Instant::now();
            let outcome = match (client.run)(&bench, *user) {
                Ok(()) => "passed".to_owned(),
                Err(Stop::Skipped(reason)) => format!("skipped: {reason}"),
                Err(Stop::Failed(error)) => format!("FAILED: {error}"),
            };
            println!("{} {user}: {outcome}", client.name);
            rows.push((format!("{} {user}", client.name), outcome, clock.elapsed().as_secs_f64()));
        }
    }
    summary(&rows)
}

fn summary(rows: &[(String, String, f64)]) -> Result {
    println!("\n=== clients");
    let mut failed = Vec::new();
    for (name, outcome, seconds) in rows {
        let first = outcome.lines().next().unwrap_or_default();
        println!("{name:28} {seconds:7.1} s  {first}");
        if outcome.starts_with("FAILED") {
            failed.push(name.as_str());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Runs a script of checks, which says itself what holds and what does not.
fn run_checks(script: &mut Command) -> Result {
    let status = script.status()?;
    if status.success() { Ok(()) } else { Err(format!("its checks ended with {status}").into()) }
}

/// Says what has been seen to hold.
fn passed(what: &str) {
    println!("  ok  {what}");
}

/// The last lines of what a program printed, for a message.
fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let shown = &all[all.len().saturating_sub(lines)..];
    if shown.is_empty() { String::new() } else { format!("\n  | {}", shown.join("\n  | ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_refused_by_name() {
        let error = run(&["emacs".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("buildstream") && error.contains("sccache"), "{error}");
    }

    #[test]
    fn a_failure_fails_all_and_a_skip_does_not() {
        let row = |outcome: &str| ("ybd as root".to_owned(), outcome.to_owned(), 1.0);
        assert!(summary(&[row("passed"), row("skipped: no pip")]).is_ok());
        let error = summary(&[row("passed"), row("FAILED: it said no")]).unwrap_err();
        assert_eq!(error.to_string(), "failed: ybd as root");
    }

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "\n  | b\n  | c");
        assert_eq!(tail("", 2), "");
    }
}
