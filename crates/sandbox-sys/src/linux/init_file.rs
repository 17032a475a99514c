//! The init program as a file: a sealed memfd, made once and executed by every sandbox of this process.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::OnceLock;

use super::kernel::{self, Errno};
use crate::descriptors::above_streams;

/// The init program.
static INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sandbox-init"));

/// The file, and the descriptor that should still be it: callers that close what they do not know are
/// not rare, and the number may be another file's by now.
#[derive(Clone, Copy)]
pub(super) struct InitFile {
    fd: i32,
    device: u64,
    inode: u64,
}

impl InitFile {
    /// This process's, which stays open for good.
    pub(super) fn kept() -> io::Result<Self> {
        static KEPT: OnceLock<InitFile> = OnceLock::new();
        match KEPT.get() {
            Some(kept) => Ok(*kept),
            None => Self::make().map(|made| *KEPT.get_or_init(|| made)),
        }
    }

    #[allow(unsafe_code, reason = "takes ownership of a new descriptor")]
    fn make() -> io::Result<Self> {
        let fd = make().map_err(io::Error::from_raw_os_error)?;
        // SAFETY: the kernel has just made it, for us.
        let fd = above_streams(unsafe { OwnedFd::from_raw_fd(fd) })?;
        let id = kernel::stat(fd.as_raw_fd()).map_err(io::Error::from_raw_os_error)?;
        Ok(Self { fd: fd.into_raw_fd(), device: id.device, inode: id.inode })
    }

    /// In the child: the descriptor to execute, of the kept file or of a new one.
    pub(super) fn descriptor(kept: Option<Self>) -> Result<i32, Errno> {
        if let Some(kept) = kept
            && let Ok(id) = kernel::stat(kept.fd)
            && (id.device, id.inode) == (kept.device, kept.inode)
        {
            return Ok(kept.fd);
        }
        make()
    }
}

fn make() -> Result<i32, Errno> {
    kernel::sealed_program(c"sandbox-init", INIT)
}
