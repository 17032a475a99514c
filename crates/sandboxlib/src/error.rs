//! What can go wrong. How the command ended is never an error.

use sandbox_core::{ConfigError, SelectError, Unsupported};
use sandbox_sys::{RunError, SpawnError, WaitError};

use crate::executor::known_names;
use crate::extra_mounts::InvalidMountEntry;

/// Why a command was not run in a sandbox. Nothing of the sandbox is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An entry of `extra_mounts` means nothing.
    #[error(transparent)]
    ExtraMount(#[from] InvalidMountEntry),
    /// The configuration is not valid, cannot be met here, or the sandbox could not be made.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Error {
    /// What an executor cannot give here, where it is that: each setting, with the reason.
    pub fn unsupported(&self) -> &[Unsupported] {
        match self {
            Self::Run(RunError::Select(SelectError::NoneMeets { rejected })) => rejected,
            _ => &[],
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        RunError::from(error).into()
    }
}

impl From<SelectError> for Error {
    fn from(error: SelectError) -> Self {
        RunError::from(error).into()
    }
}

impl From<Unsupported> for Error {
    fn from(error: Unsupported) -> Self {
        SelectError::NoneMeets { rejected: vec![error] }.into()
    }
}

impl From<SpawnError> for Error {
    fn from(error: SpawnError) -> Self {
        RunError::from(error).into()
    }
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        RunError::from(error).into()
    }
}

/// No executor has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not a known executor in this version of sandboxlib; there are: {}",
    known_names()
)]
#[non_exhaustive]
pub struct UnknownExecutor {
    /// The name as it was given.
    pub name: String,
}
