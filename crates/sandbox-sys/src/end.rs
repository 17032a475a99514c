//! How a sandbox ended, as every engine says it.

use sandbox_core::{Status, Usage};

/// The command's end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: Status,
    pub(crate) usage: Usage,
}

/// Whether the process that holds a sandbox has been waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    Reaped,
}

/// A status as wait(2) gives it.
pub(crate) fn decode(status: libc::c_int) -> Status {
    if libc::WIFSIGNALED(status) {
        return Status::Signaled(libc::WTERMSIG(status));
    }
    Status::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
}
