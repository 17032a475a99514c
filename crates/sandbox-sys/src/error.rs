//! What can go wrong when a plan is carried out.

use std::ffi::OsString;
use std::io;

use sandbox_core::{ConfigError, PlanError, SelectError, Step};

/// Why a command was not started. Nothing of the sandbox is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A step of the plan failed.
    #[error("cannot {step}: {source}{}", advice(.hint.as_ref()))]
    #[non_exhaustive]
    Step {
        /// The step, with the paths and values that it was about.
        step: Box<Step>,
        /// What the error number means here, where it misleads, and what to change.
        hint: Option<String>,
        /// What the kernel said.
        source: io::Error,
    },
    /// The sandbox was made, but the command cannot be executed in it.
    #[error("cannot execute {program:?} in the sandbox: {source}{}", advice(.hint.as_ref()))]
    #[non_exhaustive]
    Exec {
        /// The program as it was given.
        program: OsString,
        /// What the error number means here.
        hint: Option<String>,
        /// What the kernel said; `NotFound` and `PermissionDenied` are the usual kinds.
        source: io::Error,
    },
    /// Something outside the sandbox failed: a pipe, a file to redirect to, the creation of the child.
    #[error("cannot {action}: {source}{}", advice(.hint.as_ref()))]
    #[non_exhaustive]
    Host {
        /// What was being done, and to what.
        action: String,
        /// What the error number means here.
        hint: Option<String>,
        /// What the kernel said.
        source: io::Error,
    },
    /// The child was killed from outside before the command ran.
    #[error("the sandbox was killed while it was being set up")]
    Killed,
    /// What was to be told of the sandbox wants none ([`SetUp::created`]).
    ///
    /// [`SetUp::created`]: crate::SetUp::created
    #[error("cannot tell of the sandbox: {source}")]
    #[non_exhaustive]
    NotWanted {
        /// Its error.
        source: io::Error,
    },
    /// A signal came that the caller had held back, and meant to end the set-up by ([`SetUp::signals`]).
    ///
    /// [`SetUp::signals`]: crate::SetUp::signals
    #[error("signal {signal} came while the sandbox was being set up")]
    #[non_exhaustive]
    Interrupted {
        /// The signal.
        signal: i32,
    },
    /// The plan has a step that this platform's engine does not know.
    #[error("cannot {step} on this platform")]
    #[non_exhaustive]
    NotHere {
        /// The step.
        step: Box<Step>,
    },
}

fn advice(hint: Option<&String>) -> String {
    hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
}

impl SpawnError {
    pub(crate) fn host(action: impl Into<String>, source: io::Error) -> Self {
        Self::Host { action: action.into(), hint: None, source }
    }

    /// What the kernel said, where it was the kernel.
    pub fn os_error(&self) -> Option<&io::Error> {
        match self {
            Self::Step { source, .. }
            | Self::Exec { source, .. }
            | Self::Host { source, .. }
            | Self::NotWanted { source } => Some(source),
            Self::Killed | Self::Interrupted { .. } | Self::NotHere { .. } => None,
        }
    }
}

/// Why the end of a sandbox could not be seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// A system call failed.
    #[error("cannot {action}: {source}")]
    #[non_exhaustive]
    Host {
        /// What was being done.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The command has ended, and somebody else in this process has taken its status.
    #[error("the command has ended, but its status was taken by somebody else (wait(2), SIGCHLD)")]
    Lost,
    /// The sandbox's init was killed by somebody else, and everything in the sandbox with it; how the
    /// command would have ended is not known.
    #[error("the sandbox was killed from outside")]
    Killed,
}

impl WaitError {
    pub(crate) fn host(action: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Host { action, source: source.into() }
    }
}

/// Why a [`Launcher`](crate::Launcher) could not run a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No backend can meet it here.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The backend has no plan for it.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan failed.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The end could not be seen.
    #[error(transparent)]
    Wait(#[from] WaitError),
}
