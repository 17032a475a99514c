//! Who is told how it goes: people, in words on standard error, or a program, by events.

use std::fs::File;
use std::io::{self, Write};

use sandbox_core::Outcome;
use sandbox_sys::{SandboxChild, inherited};

use crate::error::CliError;
use crate::event::Event;
use crate::failure::Failure;
use crate::lifeline::kill_without_reader;
use crate::render;

/// The one that is told. A program is told everything, and people then nothing: standard error is the
/// command's alone.
pub(crate) enum Audience {
    People,
    Program(File),
}

impl Audience {
    /// Who listens at this descriptor, if one was named.
    pub(crate) fn at(status_fd: Option<i32>) -> Result<Self, CliError> {
        let Some(number) = status_fd else { return Ok(Self::People) };
        let fd = inherited(number).and_then(|fd| {
            let mut file = File::from(fd);
            // Finds out whether it can be written to, without writing anything.
            file.write(&[]).map(|_| file)
        });
        fd.map(Self::Program).map_err(|source| CliError::StatusFd { number, source })
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
            Self::Program(_) => self.tell(&Event::Error(Failure::usage(render::misuse(error)))),
        }
    }

    pub(crate) fn failed(&self, error: &CliError) {
        match self {
            Self::People => say(&render::error(error)),
            Self::Program(_) => self.tell(&Event::Error(error.into())),
        }
    }

    pub(crate) fn started(&self, child: &SandboxChild) -> Result<(), CliError> {
        match self {
            Self::People => {
                let variable = child.ignored_variable();
                say(&render::warnings(variable, child.downgrades(), child.notes()));
                Ok(())
            }
            Self::Program(file) => {
                self.tell(&Event::started(child));
                let fd = file.try_clone().map(Into::into);
                let watched = fd.and_then(|fd| kill_without_reader(fd, child.handle()));
                watched.map_err(CliError::Lifeline)
            }
        }
    }

    pub(crate) fn ended(&self, outcome: &Outcome) {
        if let Self::Program(_) = self {
            self.tell(&Event::ended(outcome));
        }
    }

    /// A program that does not listen any more needs no word of it.
    fn tell(&self, event: &Event) {
        if let (Self::Program(file), Ok(line)) = (self, event.line()) {
            let mut file: &File = file;
            let _ = file.write_all(&line);
        }
    }
}

/// To standard error, in one piece. Where that is closed there is nobody to tell.
fn say(text: &str) {
    if !text.is_empty() {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}
