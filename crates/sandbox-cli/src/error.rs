//! What can go wrong in the command.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use sandbox_core::ConfigError;
use sandbox_sys::{RunError, WaitError};

/// A failure of `run-sandbox` itself. Each names what was given, and says what would work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("--{flag} {value:?}: {problem}")]
    Flag { flag: &'static str, value: OsString, problem: String },
    #[error("--config {path:?}: {source}")]
    ReadConfig { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {message}: `{text}`", path.display())]
    ParseConfig { path: PathBuf, line: usize, message: String, text: String },
    #[error("{name} = {value} is for programs that use the library: give {instead}")]
    Stream { name: &'static str, value: &'static str, instead: &'static str },
    #[error("root is missing: give ROOT (`/` is the host's), or `root` in the --config file")]
    NoRoot,
    #[error("command is missing: give it after ROOT, or as `command` in the --config file")]
    NoCommand,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error("cannot hold signals for the command: {0}")]
    Signals(io::Error),
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
}
