//! Ends what does not end by itself, and remembers what that was.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A thread of its own: what traces sleeps in waitpid(2).
pub(super) struct Watchdog(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    until: Option<Instant>,
    /// Whether the first process has ended.
    first_has_ended: bool,
    hung: Vec<String>,
    outlived: Vec<String>,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let watched = Arc::clone(&state);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(50));
                watched.lock().unwrap_or_else(PoisonError::into_inner).look();
            }
        });
        Self(state)
    }

    pub(super) fn expect_end_of(&self, _first: Pid, time: Duration) {
        let until = Some(Instant::now() + time);
        *self.state() = State { until, ..State::default() };
    }

    pub(super) fn expect_end_of_all(&self, time: Duration) {
        let mut state = self.state();
        state.until = Some(Instant::now() + time);
        state.first_has_ended = true;
    }

    /// What was ended, before and after the end of the first process.
    pub(super) fn rest(&self) -> (Vec<String>, Vec<String>) {
        let state = std::mem::take(&mut *self.state());
        (state.hung, state.outlived)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn look(&mut self) {
        if self.until.is_none_or(|until| Instant::now() < until) {
            return;
        }
        // Orphans of those that are killed come next.
        let names = if self.first_has_ended { &mut self.outlived } else { &mut self.hung };
        let mut pids = Vec::new();
        below(std::process::id(), &mut pids);
        for pid in pids {
            let name = format!("{pid} {}", describe(pid));
            if !names.iter().any(|known| known.starts_with(&format!("{pid} "))) {
                names.push(name);
            }
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// All descendants of a process.
fn below(pid: u32, found: &mut Vec<i32>) {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    for task in tasks {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|word| word.parse::<i32>().ok()) {
            found.push(child);
            below(child.unsigned_abs(), found);
        }
    }
}

fn describe(pid: i32) -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let words = read("cmdline").replace('\0', " ");
    let state = read("stat").rsplit(')').next().unwrap_or_default().trim().chars().next();
    let words: String = words.chars().take(60).collect();
    format!("{} {} in {}", state.unwrap_or('?'), words.trim(), read("wchan").trim())
}
