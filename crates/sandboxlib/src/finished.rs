//! What is known once a command has ended.

use sandbox_core::{Note, Outcome, Status, Usage};

use crate::config::Config;

/// How a command ended, and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// The exit code, 0 to 255; 128 + n where signal n killed the command. The first of what the
    /// original returns.
    pub exit: u8,
    /// The same without ambiguity: whether it exited or was killed.
    pub ended: Status,
    /// Standard output, where it was captured.
    pub out: Option<Vec<u8>>,
    /// Standard error, where it was captured.
    pub err: Option<Vec<u8>>,
    /// What the sandbox used.
    pub usage: Usage,
    /// What the caller should know of how settings were met.
    pub notes: Vec<Note>,
}

impl Finished {
    pub(crate) fn of(outcome: Outcome, config: &Config) -> Self {
        Self {
            exit: outcome.status.shell_code(),
            ended: outcome.status,
            out: config.stdout.is_captured().then_some(outcome.stdout.bytes),
            err: config.stderr.is_captured().then_some(outcome.stderr.bytes),
            usage: outcome.usage,
            notes: outcome.notes,
        }
    }
}
