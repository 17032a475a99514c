//! How a sandbox ended.

use std::fmt;
use std::time::Duration;

use crate::negotiate::Downgrade;
use crate::plan::Note;

/// How the command ended, what it printed and used, and what it was given less than it asked for.
///
/// A sandbox that could not be set up is an error, never an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// How the command ended.
    pub status: Status,
    /// Whether somebody has ended it, and how.
    pub ending: Ending,
    /// Captured standard output.
    pub stdout: Captured,
    /// Captured standard error.
    pub stderr: Captured,
    /// What the sandbox used.
    pub usage: Usage,
    /// How many processes the kernel has killed because they would have taken more memory than the sandbox
    /// may ([`Limits::memory`](crate::Limits::memory)).
    pub out_of_memory: u64,
    /// Every setting that was stepped down.
    pub downgrades: Vec<Downgrade>,
    /// What the caller should know of how settings were met.
    pub notes: Vec<Note>,
}

impl Outcome {
    /// An outcome without output and reports.
    pub fn new(status: Status, usage: Usage) -> Self {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let (downgrades, notes) = (Vec::new(), Vec::new());
        let ending = Ending::default();
        Self { status, ending, stdout, stderr, usage, out_of_memory: 0, downgrades, notes }
    }
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// It exited with this status, 0 to 255.
    Exited(u8),
    /// It was killed by this signal.
    Signaled(i32),
}

impl Status {
    /// Whether it exited with 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The status as a shell has it: 128 + n for signal n.
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signaled(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Whether a sandbox has ended by itself, or has been ended by who waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Ending {
    /// The command ended by itself, or upon a signal that somebody sent it: the [`Status`] tells.
    #[default]
    ByItself,
    /// Its time was over ([`TimeOut`](crate::TimeOut)). It was asked to end, and has: with what status is its
    /// own affair.
    TimedOut,
    /// Its time was over and it was asked to end in vain, or not at all: everything was killed.
    TimedOutAndKilled,
    /// Interrupted twice (Ctrl-C), and so killed.
    InterruptedAndKilled,
    /// Killed by a handle of the sandbox.
    Killed,
}

/// What comes after "the command".
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByItself => "ended by itself",
            Self::TimedOut => "timed out",
            Self::TimedOutAndKilled => "timed out, and was killed",
            Self::InterruptedAndKilled => "was interrupted twice, and killed",
            Self::Killed => "was killed",
        })
    }
}

/// A captured stream: bytes, of any encoding or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Captured {
    /// What was kept.
    pub bytes: Vec<u8>,
    /// How many bytes more there were.
    pub dropped: u64,
}

/// What a sandbox used (getrusage(2), of the command and of what it waited for).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Time on a processor in user mode.
    pub user: Duration,
    /// Time on a processor in the kernel.
    pub system: Duration,
    /// The largest resident set of a single process, in KiB.
    pub max_rss_kib: u64,
    /// From the start to the end of the sandbox.
    pub wall: Duration,
}

impl Usage {
    /// What the kernel counted; the wall-clock time is not known to it.
    pub fn of(user: Duration, system: Duration, max_rss_kib: u64) -> Self {
        Self { user, system, max_rss_kib, wall: Duration::ZERO }
    }
}
