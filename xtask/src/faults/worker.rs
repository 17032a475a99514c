//! One of the processes that inject: all orphans below it become its children, and are found.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::prctl::set_child_subreaper;
use serde_json::json;

use super::errnos::{Thoroughness, faults};
use super::explained::Explained;
use super::judge::{self, Verdict, judge};
use super::leaks::Snapshot;
use super::scenario::Scenario;
use super::site::Fault;
use super::stage::Stage;
use super::tracer::{Traced, trace};
use super::watchdog::Watchdog;
use crate::Result;
use crate::user::User;

/// A call that comes or not, as the processes of a run meet, is tried so often.
const TRIES: u32 = 4;

struct Worker {
    scenario: &'static Scenario,
    stage: Stage,
    watchdog: Watchdog,
    explained: Explained,
    clean: judge::Seen,
    before: Snapshot,
}

/// What was found out about one fault.
enum Found {
    Clean,
    Explained,
    Unexplained(String),
    /// The call was not made this time.
    Unmet,
}

/// `SCENARIO USER PART PARTS --some|--each|--all BIN DIR [TEXT]`
pub(crate) fn run(args: &[String]) -> Result {
    let [name, user, part, parts, thoroughness, bin, dir, rest @ ..] = args else {
        return Err("faults-worker: too few words".into());
    };
    let scenario = Scenario::named(name).ok_or("no such scenario")?;
    let user = match user.as_str() {
        "root" => User::Root,
        "plain" => User::Plain,
        _ => User::Caller,
    };
    let (part, parts): (usize, usize) = (part.parse()?, parts.parse()?);
    let thoroughness = match thoroughness.as_str() {
        "--all" => Thoroughness::All,
        "--each" => Thoroughness::Each,
        _ => Thoroughness::Some,
    };
    set_child_subreaper(true)?;
    if user != User::Caller {
        // A namespace of mounts that is ours alone, and passes on what happens in it like a host's.
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none)?;
    }
    let stage = Stage::new(Path::new(bin), Path::new(dir), user)?;
    let watchdog = Watchdog::new();
    let before = Snapshot::take(&stage, scenario)?;
    let (traced, clean) = observe(scenario, &stage, &watchdog, None)?;
    let left = Snapshot::take(&stage, scenario)?.since(&before, traced.caller());
    let orderly = left.is_empty() && traced.hung.is_empty() && traced.outlived.is_empty();
    if !orderly || clean.status().is_none_or(|status| ![0, 7].contains(&status)) {
        return Err(format!("{name}: without a fault: {clean:?}, {traced:?}, {left:?}").into());
    }
    let all = faults(&traced.calls, thoroughness)?;
    let worker = Worker { scenario, stage, watchdog, explained: Explained::read()?, clean, before };
    let wanted = |fault: &Fault| rest.iter().all(|text| fault.to_string().contains(text.as_str()));
    let (mut injected, mut clean, mut explained) = (0, 0, 0);
    let (mut unmet, mut unexplained) = (0, 0);
    for fault in all.iter().filter(|fault| wanted(fault)).skip(part).step_by(parts) {
        let found = worker.inject(fault)?;
        injected += usize::from(!matches!(found, Found::Unmet));
        match found {
            Found::Clean => clean += 1,
            Found::Explained => explained += 1,
            Found::Unmet => unmet += 1,
            Found::Unexplained(text) => {
                unexplained += 1;
                println!("unexplained: {name} {fault}: {text}");
            }
        }
    }
    let calls = traced.calls.len();
    println!(
        "{}",
        json!({"calls": calls, "injected": injected, "clean": clean, "explained": explained,
               "unmet": unmet, "unexplained": unexplained})
    );
    Ok(())
}

/// Runs it once.
fn observe(
    scenario: &Scenario,
    stage: &Stage,
    watchdog: &Watchdog,
    fault: Option<&Fault>,
) -> Result<(Traced, judge::Seen)> {
    let traced = trace(&mut stage.command(scenario)?, fault, watchdog)?;
    let [out, errors, report] = stage.written()?;
    let seen = judge::Seen { end: traced.end, out, errors, report };
    Ok((traced, seen))
}

impl Worker {
    fn inject(&self, fault: &Fault) -> Result<Found> {
        let mut found = Found::Unmet;
        for _ in 0..TRIES {
            found = self.inject_once(fault)?;
            if !matches!(found, Found::Unmet) {
                break;
            }
        }
        Ok(found)
    }

    fn inject_once(&self, fault: &Fault) -> Result<Found> {
        let (traced, seen) = observe(self.scenario, &self.stage, &self.watchdog, Some(fault))?;
        let after = Snapshot::take(&self.stage, self.scenario)?;
        let mut left = after.since(&self.before, traced.caller());
        if !left.is_empty() && self.explained.why(self.scenario.name, fault, "left").is_some() {
            left.clear();
        } else if !left.is_empty() && self.is_swept(traced.caller())? {
            left = vec![format!("removed by the next one: {}", left.join(", "))];
            if self.explained.why(self.scenario.name, fault, "swept").is_some() {
                left.clear();
            }
        }
        after.clean(&self.before, traced.caller());
        let hung = traced.hung.iter().map(|name| format!("hung: {name}"));
        let fine = self.explained.why(self.scenario.name, fault, "outlived").is_some();
        let outlived = traced.outlived.iter().filter(|_| !fine);
        let outlived = outlived.map(|name| format!("outlived it: {name}"));
        left.extend(hung.chain(outlived));
        if !left.is_empty() {
            return Ok(Found::Unexplained(left.join("; ")));
        }
        if !traced.met {
            return Ok(Found::Unmet);
        }
        Ok(match judge(self.scenario, fault, &seen, &self.clean) {
            Verdict::Clean => Found::Clean,
            Verdict::Unless(outcome, text) => {
                match self.explained.why(self.scenario.name, fault, outcome) {
                    Some(_) => Found::Explained,
                    None => Found::Unexplained(format!("{outcome} {text}")),
                }
            }
        })
    }

    /// Whether what is left goes with the next sandbox.
    fn is_swept(&self, caller: i32) -> Result<bool> {
        observe(self.scenario, &self.stage, &self.watchdog, None)?;
        Ok(Snapshot::take(&self.stage, self.scenario)?.since(&self.before, caller).is_empty())
    }
}
