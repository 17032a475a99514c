//! Why an archive cannot be unpacked.

use std::io;

use rustix::io::Errno;
use thiserror::Error;

use crate::archive::{self, shown};

/// Why an archive cannot be unpacked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// A name begins with `/`.
    #[error("entry {path:?}: an absolute name; names in an image are relative")]
    Absolute {
        /// The name.
        path: String,
    },
    /// A name has `..` in it.
    #[error("entry {path:?}: \"..\" in a name could lead outside the image")]
    Parent {
        /// The name.
        path: String,
    },
    /// Another entry has the same name.
    #[error("entry {path:?}: there are two entries of this name")]
    Duplicate {
        /// The name.
        path: String,
    },
    /// The root itself is to be something else than a directory.
    #[error("entry {path:?}: it is where the image is unpacked, and no directory")]
    Root {
        /// The name.
        path: String,
    },
    /// A hard link to something that isn't there.
    #[error("entry {path:?}: a hard link to {target:?}, which is not in the image (yet): {source}")]
    LinkTarget {
        /// The name.
        path: String,
        /// The name that the file should have already.
        target: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// A hard link to something that was left out.
    #[error("entry {path:?}: a hard link to {target:?}, which was left out")]
    LinkToExcluded {
        /// The name.
        path: String,
        /// The name that was left out.
        target: String,
    },
    /// A hard link to a name outside what is unpacked here.
    #[error("entry {path:?}: a hard link to {target:?}, which is outside")]
    LinkOutside {
        /// The name.
        path: String,
        /// The other name.
        target: String,
    },
    /// Something else is to replace a directory.
    #[error("entry {path:?}: a directory is there already")]
    OverDirectory {
        /// The name.
        path: String,
    },
    /// A whiteout that names nothing.
    #[error("entry {path:?}: a whiteout of nothing, or of a directory itself")]
    Whiteout {
        /// The name.
        path: String,
    },
    /// More bytes than may be unpacked.
    #[error("entry {path:?}: more than {limit} bytes in all; --max-unpacked-size allows more")]
    TooMuch {
        /// The entry at which it was too much.
        path: String,
        /// The most bytes.
        limit: u64,
    },
    /// More files than may be unpacked.
    #[error(
        "entry {path:?}: more than {limit} files and directories in all: no image needs as many"
    )]
    TooManyFiles {
        /// The entry, or the directory that it is in, at which it was too much.
        path: String,
        /// The most files.
        limit: u64,
    },
    /// The names of directories are too long to remember them all.
    #[error(
        "entry {path:?}: the names of all directories take more than {limit} bytes of memory: fewer, or shorter ones, work"
    )]
    Directories {
        /// The directory at which it was too much.
        path: String,
        /// The most bytes.
        limit: usize,
    },
    /// A sparse file that is longer than all that may be unpacked.
    #[error(
        "entry {path:?}: a file of {size} bytes (with its holes), more than {limit}; --max-unpacked-size allows more"
    )]
    FileTooLong {
        /// The entry.
        path: String,
        /// Bytes of the file.
        size: u64,
        /// The most bytes.
        limit: u64,
    },
    /// Content that is to be held in memory is longer than it may be.
    #[error("entry {path:?}: {size} bytes, more than {limit}")]
    CaptureTooLong {
        /// The entry.
        path: String,
        /// Its bytes.
        size: u64,
        /// The most bytes.
        limit: u64,
    },
    /// What is to be held in memory is no file.
    #[error("entry {path:?}: it has to be a file")]
    NotAFile {
        /// The entry.
        path: String,
    },
    /// A system call failed.
    #[error("entry {path:?}: cannot {action}: {source}")]
    Call {
        /// The entry.
        path: String,
        /// What was to be done: `write it`, `open the directory that it is in`.
        action: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
}

/// What makes an error of a system call.
pub(super) fn failed(path: &[u8], action: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Call { path: shown(path), action, source: errno.into() }
}
