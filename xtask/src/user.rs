//! Whom a program is run as.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::{Result, command, stage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Root, which started this.
    Root,
    /// Somebody without an account, by root's leave.
    Plain,
    /// Whoever started this.
    Caller,
}

impl User {
    /// Everybody that this process can run a program as and that makes a difference.
    pub(crate) fn all() -> &'static [Self] {
        if command::is_root() { &[Self::Root, Self::Plain] } else { &[Self::Caller] }
    }

    pub(crate) fn command(self, program: &Path) -> Command {
        match self {
            Self::Root | Self::Caller => Command::new(program),
            Self::Plain => {
                let uid = stage::UNPRIVILEGED;
                let mut setpriv = Command::new("setpriv");
                setpriv.arg(format!("--reuid={uid}")).arg(format!("--regid={uid}"));
                setpriv.arg("--clear-groups").arg("--").arg(program);
                setpriv
            }
        }
    }

    /// Makes a folder and all in it this user's.
    pub(crate) fn own(self, folder: &Path) -> Result {
        match self {
            Self::Root | Self::Caller => Ok(()),
            Self::Plain => {
                let owner = format!("{0}:{0}", stage::UNPRIVILEGED);
                command::run(Command::new("chown").arg("-hR").arg(owner).arg(folder))
            }
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => write!(f, "as root"),
            Self::Plain => write!(f, "as uid {}", stage::UNPRIVILEGED),
            Self::Caller => write!(f, "as you"),
        }
    }
}
