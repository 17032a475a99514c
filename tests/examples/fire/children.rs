//! The driver's children: the callers that it has started, and everything that these leave behind, as it is the
//! subreaper of all.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, set_child_subreaper, waitid,
};

use crate::Result;

/// For what dies to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The callers.
#[derive(Default)]
pub(crate) struct Children(Mutex<BTreeSet<u32>>);

impl Children {
    pub(crate) fn new() -> Result<Self> {
        set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Self::default())
    }

    fn callers(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(&self, command: &mut Command) -> Result<Child> {
        let mut callers = self.callers();
        let child = command.spawn()?;
        callers.insert(child.id());
        Ok(child)
    }

    pub(crate) fn end(&self, mut child: Child) -> Result {
        // It is forgotten first: a number that is free could be another's at once.
        let mut callers = self.callers();
        child.wait()?;
        callers.remove(&child.id());
        Ok(())
    }

    /// Reaps what has no caller any more, and names what lives on.
    pub(crate) fn orphans(&self) -> Vec<u32> {
        let callers = self.callers();
        let orphans = children().into_iter().filter(|pid| !callers.contains(pid));
        orphans.filter(|pid| !reaped(*pid)).collect()
    }

    /// What was left behind. It is killed.
    pub(crate) fn left(&self) -> Vec<String> {
        let start = Instant::now();
        while !self.orphans().is_empty() && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5));
        }
        let mut left = Vec::new();
        while start.elapsed() < 2 * PATIENCE {
            let orphans = self.orphans();
            if orphans.is_empty() {
                break;
            }
            for pid in orphans {
                left.push(format!("a process: {}", describe(pid)));
                kill(pid);
            }
            sleep(Duration::from_millis(20));
        }
        left.sort();
        left.dedup();
        left
    }

    /// Ends all that there is, after a failure of the test itself.
    pub(crate) fn end_all(&self) -> Vec<String> {
        let all: Vec<_> = descendants(std::process::id()).into_iter().map(describe).collect();
        for pid in children() {
            kill(pid);
        }
        self.callers().clear();
        let _ = self.left();
        all
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// Only for children of ours that nobody has waited for.
fn kill(number: u32) {
    if let Some(pid) = pid(number) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn reaped(number: u32) -> bool {
    let Some(pid) = pid(number) else { return false };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_)) | Err(rustix::io::Errno::CHILD))
}

fn children() -> Vec<u32> {
    children_of(std::process::id())
}

fn children_of(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids = lists.flat_map(|list| {
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
    });
    pids.collect()
}

/// All below a process, as far as they can be found.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let mut all = children_of(pid);
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        all.extend(children_of(pid));
        next += 1;
    }
    all
}

fn describe(pid: u32) -> String {
    let read = |name| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let lines = ["State", "PPid", "SigBlk"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.replace('\t', " ")
    });
    let words = read("cmdline").replace('\0', " ");
    format!("{pid} {} [{}] wchan {}", words.trim(), lines.join(", "), read("wchan"))
}
