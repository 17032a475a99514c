//! Who is told how it goes: people, in words on standard error, or a program, by events.

use std::io::{self, Write};

use sandbox_core::Outcome;
use sandbox_sys::{HeldSignals, SandboxChild, inherited};

use crate::error::CliError;
use crate::event::Event;
use crate::failure::Failure;
use crate::render;
use crate::status::StatusFd;

/// The one that is told. A program is told everything, and people then nothing: standard error is the
/// command's alone.
pub(crate) enum Audience {
    People,
    Program(StatusFd),
}

impl Audience {
    /// Who listens at this descriptor, if one was named.
    pub(crate) fn at(status_fd: Option<i32>) -> Result<Self, CliError> {
        let Some(number) = status_fd else { return Ok(Self::People) };
        let fd = inherited(number).and_then(|fd| StatusFd::new(fd.into()));
        fd.map(Self::Program).map_err(|source| CliError::StatusFd { number, source })
    }

    /// Another way to the program that is told, for a thread of its own.
    pub(crate) fn copy(&self) -> Result<Option<StatusFd>, CliError> {
        match self {
            Self::People => Ok(None),
            Self::Program(status) => status.copy().map(Some).map_err(CliError::Lifeline),
        }
    }

    /// For programs only.
    pub(crate) fn event(&self, event: &Event) {
        if let Self::Program(status) = self {
            status.tell(event);
        }
    }

    /// For people only.
    pub(crate) fn say(&self, text: &str) {
        if let Self::People = self {
            say(text);
        }
    }

    pub(crate) fn misused(&self, error: &clap::Error) {
        match self {
            Self::People => say(&render::usage(error)),
            Self::Program(status) => {
                status.tell(&Event::Error(Failure::usage(render::misuse(error))));
            }
        }
    }

    pub(crate) fn failed(&self, error: &CliError) {
        match self {
            Self::People => say(&render::error(error)),
            Self::Program(status) => status.tell(&Event::Error(error.into())),
        }
    }

    pub(crate) fn started(&self, child: &SandboxChild) -> Result<(), CliError> {
        match self {
            Self::People => {
                let variable = child.ignored_variable();
                say(&render::warnings(variable, child.downgrades(), child.notes()));
                Ok(())
            }
            Self::Program(status) => {
                status.begin(&Event::started(child), child.handle()).map_err(CliError::Lifeline)
            }
        }
    }

    /// The command is gone, and with it who the signals were held for: they are let go where this has
    /// to wait for a reader, who may never come.
    pub(crate) fn ended(&self, outcome: &Outcome, held: HeldSignals) {
        if let Self::Program(status) = self {
            if status.is_full() {
                drop(held);
            }
            status.tell(&Event::ended(outcome));
        }
    }
}

/// To standard error, in one piece. Where that is closed there is nobody to tell. What an image or a file
/// says is part of messages, and does nothing to a terminal.
fn say(text: &str) {
    if !text.is_empty() {
        let plain =
            |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
        let text: String = text.chars().map(plain).collect();
        let _ = io::stderr().write_all(text.as_bytes());
    }
}
