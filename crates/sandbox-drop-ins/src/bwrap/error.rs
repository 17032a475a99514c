//! What can go wrong, in words: each names the option and its value.

use std::ffi::OsString;
use std::io;

use sandbox_core::ConfigError;
use sandbox_sys::{RunError, WaitError};

use crate::setuid::PrivilegeError;

#[derive(Debug, thiserror::Error)]
pub(super) enum BwrapError {
    #[error("unknown option {0:?}: --help lists those that there are")]
    Unknown(OsString),
    #[error("{option} takes {operands}: there are too few words")]
    TooFew { option: &'static str, operands: &'static str },
    #[error("{option} {value:?} is not valid: give {expected}")]
    Value { option: &'static str, value: OsString, expected: &'static str },
    #[error("{option} needs {needs}")]
    Needs { option: &'static str, needs: &'static str },
    #[error("{option} cannot be combined with {other}")]
    Conflict { option: &'static str, other: &'static str },
    #[error("{option} is given twice, and counts once")]
    Twice { option: &'static str },
    #[error("{option} must be followed by {by}")]
    NotFollowed { option: &'static str, by: &'static str },
    #[error("--args in what --args has read: only the command line has it")]
    Nested,
    #[error("--args {from}: {word:?} is not an option; the command is given on the command line")]
    Stray { from: i32, word: OsString },
    #[error("{option} {number}: {source}")]
    Descriptor { option: &'static str, number: i32, source: io::Error },
    #[error("{option} {label:?}: SELinux labels are not supported")]
    Label { option: &'static str, label: OsString },
    #[error("{option} {number}: cannot enter this namespace: {source}")]
    Join { option: &'static str, number: i32, source: io::Error },
    #[error("--assert-userns-disabled: user namespaces can be made in this sandbox")]
    UserNamespacesLeft,
    #[error("--die-with-parent: {0}")]
    Parent(io::Error),
    #[error("the caller's capabilities cannot be read: {0}")]
    Status(io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("the command cannot be held back until its sandbox has been reported: {0}")]
    Gate(io::Error),
    #[error("signals cannot be held back: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Wait(#[from] WaitError),
}
