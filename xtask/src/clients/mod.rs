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
    /// It can't be as this user, on any machine.
    Skipped(String),
    /// It can't be installed on this machine as it is.
    NotInstalled(String),
    Failed(Box<dyn Error>),
}

impl Stop {
    fn not_installed(error: impl std::fmt::Display) -> Self {
        Self::NotInstalled(format!("cannot be installed here: {error}"))
    }
}

/// Whether a client that can't be installed is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Skipped,
    Failure,
}

impl<E: Into<Box<dyn Error>>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(crate) fn run(args: &[String]) -> Result {
    let (chosen, missing) = parse(args)?;
    let bench = Bench { stage: stage::shared("clients")? };
    let mut rows = Vec::new();
    for client in chosen {
        for user in User::all() {
            println!("\n{} {user}", client.name);
            let clock = Instant::now();
            let outcome = match ((client.run)(&bench, *user), missing) {
                (Ok(()), _) => "passed".to_owned(),
                (Err(Stop::Skipped(reason)), _)
                | (Err(Stop::NotInstalled(reason)), Missing::Skipped) => {
                    format!("skipped: {reason}")
                }
                (Err(Stop::NotInstalled(reason)), Missing::Failure) => format!("FAILED: {reason}"),
                (Err(Stop::Failed(error)), _) => format!("FAILED: {error}"),
            };
            println!("{} {user}: {outcome}", client.name);
            rows.push((format!("{} {user}", client.name), outcome, clock.elapsed().as_secs_f64()));
        }
    }
    summary(&rows)
}

fn parse(args: &[String]) -> Result<(Vec<&'static Client>, Missing)> {
    let mut chosen = Vec::new();
    let mut missing = Missing::Skipped;
    for arg in args {
        if arg == "--required" {
            missing = Missing::Failure;
            continue;
        }
        let names = || CLIENTS.iter().map(|client| client.name).collect::<Vec<_>>().join(", ");
        let client = CLIENTS.iter().find(|client| client.name == arg);
        chosen.push(client.ok_or_else(|| format!("clients: no '{arg}': there are {}", names()))?);
    }
    if chosen.is_empty() {
        chosen.extend(&CLIENTS);
    }
    Ok((chosen, missing))
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

    fn parsed(args: &[&str]) -> Result<(Vec<&'static str>, Missing)> {
        let (chosen, missing) = parse(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())?;
        Ok((chosen.iter().map(|client| client.name).collect(), missing))
    }

    #[test]
    fn clients_are_chosen_by_name() {
        assert_eq!(parsed(&[]).unwrap().0.len(), CLIENTS.len());
        assert_eq!(parsed(&["ybd"]).unwrap(), (vec!["ybd"], Missing::Skipped));
        let (chosen, missing) = parsed(&["--required"]).unwrap();
        assert_eq!((chosen.len(), missing), (CLIENTS.len(), Missing::Failure));
        let error = parsed(&["emacs"]).unwrap_err().to_string();
        assert!(error.contains("emacs") && error.contains("sccache"), "{error}");
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
