//! `cargo xtask bench`: what a sandbox costs, side by side with bubblewrap and with the least there is, and
//! what an image does, beside tar and umoci.
//!
//! Absolute times say more about the host than about the program. So everything is measured in one
//! run, in turn, round by round, and what counts is the median of the rounds' ratios.

mod arm;
mod bench_dir;
mod case;
mod images;
mod init_rss;
mod measure;
mod report;

use std::error::Error;
use std::{fmt, fs, io};

use arm::Arm;
use bench_dir::BenchDir;
use case::{CASES, Case};
use measure::measure;
use report::{Row, Table, json};

const USAGE: &str = "\
usage: cargo xtask bench [--json FILE] [--rounds N] [--only NAME]... [--check]

  --json FILE   also write {name: figure} to FILE
  --rounds N    rounds of the quick groups (default 100); slow ones make a part of it
  --only NAME   only the cases whose name contains NAME
  --check       fail when a limit is missed

SANDBOX_BENCH_CLI, SANDBOX_BENCH_DROP_INS, SANDBOX_BENCH_LOOP and SANDBOX_BENCH_UNPACK name a
run-sandbox, a directory with our bwrap, a spawn_loop and an unpack to use instead of building them.";
const DEFAULT_ROUNDS: usize = 100;
/// A median of fewer says nothing.
const FEWEST_ROUNDS: usize = 3;

/// Why there is no figure.
#[derive(Clone, Debug)]
pub(crate) enum Absent {
    /// It can't be measured here.
    Skipped(String),
    /// It should have been.
    Failed(String),
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

impl From<io::Error> for Absent {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

#[derive(Debug)]
struct Options {
    json: Option<String>,
    rounds: usize,
    only: Vec<String>,
    check: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut options =
            Self { json: None, rounds: DEFAULT_ROUNDS, only: Vec::new(), check: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().cloned().ok_or(format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--json" => options.json = Some(value()?),
                "--only" => options.only.push(value()?),
                "--check" => options.check = true,
                "--rounds" => {
                    let rounds = value()?.parse();
                    options.rounds = rounds.map_err(|error| format!("--rounds: {error}"))?;
                }
                "--help" => return Err(USAGE.into()),
                _ => return Err(format!("unknown option {arg}\n{USAGE}")),
            }
        }
        Ok(options)
    }

    fn wants(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| case.name.contains(part))
    }
}

/// Measures, prints the table, and with `--check` fails when a limit is missed.
pub(crate) fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    let options = Options::parse(args)?;
    let wanted: Vec<&Case> = CASES.iter().filter(|case| options.wants(case)).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("no such case; there are {}", names.join(", ")).into());
    }

    let dir = BenchDir::new()?;
    let mut rows = Vec::new();
    for cases in wanted.chunk_by(|a, b| a.group == b.group) {
        let group = cases[0].group;
        let rounds = (group.rounds * options.rounds / DEFAULT_ROUNDS).max(FEWEST_ROUNDS);
        eprintln!("{}: {rounds} rounds of {}", group.name, group.runs);
        let measured = measure(&dir, group, &arms(cases), rounds);
        rows.extend(cases.iter().map(|case| Row::new(case, &measured)));
    }
    let linking = dir.linking().map(str::to_owned);
    drop(dir);

    print!("{}", Table(&rows));
    if let Some(linking) = linking {
        println!("run-sandbox, as measured: {linking}");
    }
    if let Some(file) = options.json {
        fs::write(&file, json(&rows)).map_err(|error| format!("cannot write {file}: {error}"))?;
    }
    let missed = rows.iter().filter(|row| row.missed()).count();
    if options.check && missed > 0 {
        return Err(format!("{missed} of {} limits missed", rows.len()).into());
    }
    Ok(())
}

/// Every arm of these cases, once.
fn arms(cases: &[&Case]) -> Vec<Arm> {
    let mut arms = Vec::new();
    for arm in cases.iter().flat_map(|case| [Some(case.ours), case.peer, case.base]).flatten() {
        if !arms.contains(&arm) {
            arms.push(arm);
        }
    }
    arms
}
