//! Where the command's output goes.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use sandbox_core::{CaptureLimit, Output};

/// Where one of the command's output streams goes. Default: captured.
///
/// Standard input is always `/dev/null`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Stream {
    /// Into memory, and returned, whatever its size (`CAPTURE`).
    #[default]
    Capture,
    /// Nowhere (`None`).
    Discard,
    /// The caller's own stream; discarded where the caller has closed it.
    Inherit,
    /// Appended to a file of the host, which is created where it is missing.
    Path(PathBuf),
    /// An open file of the caller's: made by [`Stream::open`].
    Open(Arc<OwnedFd>),
    /// Where standard output goes, in the order in which it is written; for standard error only
    /// (`STDOUT`).
    Stdout,
}

impl Stream {
    /// An open file, pipe, socket or terminal; any descriptor, 0 included. The command writes where the
    /// caller would. It is closed with the last copy of this value.
    pub fn open(file: impl Into<OwnedFd>) -> Self {
        Self::Open(Arc::new(file.into()))
    }

    /// The same, as `sandbox-core` has it.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Capture => Output::Capture(CaptureLimit::Unlimited),
            Self::Discard => Output::Null,
            Self::Inherit => Output::Inherit,
            Self::Path(path) => Output::File(path.clone()),
            Self::Open(file) => Output::Descriptor(file.as_raw_fd()),
            Self::Stdout => Output::ToStdout,
        }
    }

    pub(crate) fn is_captured(&self) -> bool {
        matches!(self, Self::Capture)
    }
}

impl From<File> for Stream {
    fn from(file: File) -> Self {
        Self::open(file)
    }
}

impl From<PathBuf> for Stream {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}
