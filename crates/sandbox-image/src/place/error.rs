//! What can go wrong where images are put.

use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a place for an image could not be made, found or given up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// A system call failed.
    #[error("cannot {step} {}: {source}", .path.display())]
    #[non_exhaustive]
    Call {
        /// What was being done.
        step: Step,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something could not be removed.
    #[error("cannot remove all of {}: {source}", .path.display())]
    #[non_exhaustive]
    Remove {
        /// The directory that was to be removed.
        path: PathBuf,
        /// The first thing that is left, and how many there are.
        source: RemoveError,
    },
    /// A directory is not there any more, or is another one than it was: somebody else has moved it.
    #[error("{} was removed or replaced by somebody else", .path.display())]
    #[non_exhaustive]
    Replaced {
        /// The directory.
        path: PathBuf,
    },
    /// Every name that was tried was taken, or its directory swept, at once.
    #[error("cannot make a directory in {}: {tries} names were all taken at once", .path.display())]
    #[non_exhaustive]
    Names {
        /// Where it was to be.
        path: PathBuf,
        /// How many names were tried.
        tries: u32,
    },
    /// Something in or about a cache belongs to another user, who could change what is run from it.
    #[error("{} belongs to user {owner}, not to {user}: remove it, or use another directory", .path.display())]
    #[non_exhaustive]
    Owner {
        /// The cache, or something in it.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks: the effective user.
        user: u32,
    },
    /// Something in or about a cache can be written by other users.
    #[error("{} can be written by other users (mode {mode:04o}): `chmod go-w` it", .path.display())]
    #[non_exhaustive]
    Mode {
        /// The cache, or something in it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory for temporary files in which everybody can rename and replace what others have made.
    #[error("everybody can replace what is in {} (mode {mode:04o}): `chmod +t` it, or set TMPDIR to another directory", .path.display())]
    #[non_exhaustive]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A word that cannot be part of the name of an entry.
    #[error(
        "{field} {value:?} cannot name an entry of a cache: only 1 to {most} letters, digits and `-` can"
    )]
    #[non_exhaustive]
    Key {
        /// Which part of the key.
        field: KeyField,
        /// The word.
        value: String,
        /// How long it may be, in bytes.
        most: usize,
    },
    /// The caller wanted to wait no longer for another process, which is filling the same entry.
    #[error("interrupted while another process was unpacking to {}", .path.display())]
    #[non_exhaustive]
    Interrupted {
        /// The entry.
        path: PathBuf,
    },
    /// A file of an entry is longer than anything that is written there.
    #[error("{} is longer than {most} bytes: it is damaged, remove it", .path.display())]
    #[non_exhaustive]
    Long {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        most: u64,
    },
}

impl PlaceError {
    /// For `map_err`: says what was being done, and to what.
    pub(crate) fn call<E: Into<io::Error>>(step: Step, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Call { step, path: path.to_owned(), source: source.into() }
    }
}

/// A part of a [`Key`](super::Key).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyField {
    /// The digest of the image.
    Digest,
    /// How it is unpacked.
    Variant,
}

impl fmt::Display for KeyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "the digest",
            Self::Variant => "the variant",
        })
    }
}

/// Something that is done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// mkdir(2).
    Make,
    /// open(2).
    Open,
    /// flock(2).
    Lock,
    /// stat(2), statfs(2).
    Inspect,
    /// getdents(2).
    List,
    /// read(2).
    Read,
    /// write(2).
    Write,
    /// chmod(2).
    ChangeMode,
    /// syncfs(2).
    Sync,
    /// rename(2).
    Rename,
    /// unlink(2), rmdir(2).
    Remove,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Make => "make",
            Self::Open => "open",
            Self::Lock => "lock",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::ChangeMode => "change the mode of",
            Self::Sync => "write to disk all of",
            Self::Rename => "rename",
            Self::Remove => "remove",
        })
    }
}

/// What is left of a tree that was to be removed: the first thing, and how many there are. All else has
/// been removed, except the directories that lead to them.
#[derive(Debug, thiserror::Error)]
#[error("{first}{}", others(*.count))]
#[non_exhaustive]
pub struct RemoveError {
    /// The first that could not be removed.
    pub first: Left,
    /// How many could not.
    pub count: u64,
}

/// Something that could not be removed. Paths begin with the name of the tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Left {
    /// Something is mounted there. Nothing below it was touched.
    #[error("{} is a mount: unmount it", .path.display())]
    #[non_exhaustive]
    Mount {
        /// The mount point.
        path: PathBuf,
    },
    /// It, or its directory, may not be changed (chattr(1)).
    #[error("{} is immutable or append-only, or in a directory that is: `chattr -i -a`", .path.display())]
    #[non_exhaustive]
    Immutable {
        /// The file or directory.
        path: PathBuf,
    },
    /// Directories were moved meanwhile, again and again.
    #[error("{} was moved elsewhere meanwhile", .path.display())]
    #[non_exhaustive]
    Moved {
        /// The directory where it was seen last.
        path: PathBuf,
    },
    /// There was no time for the rest.
    #[error("{} was not reached in time", .path.display())]
    #[non_exhaustive]
    Late {
        /// The directory that came next.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("cannot {step} {}: {source}", .path.display())]
    #[non_exhaustive]
    Call {
        /// What was being done.
        step: Step,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Left {
    /// What the kernel says of such things, where no more is wanted.
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Self::Mount { .. } => Errno::BUSY,
            Self::Immutable { .. } => Errno::PERM,
            Self::Moved { .. } => Errno::AGAIN,
            Self::Late { .. } => Errno::TIMEDOUT,
            Self::Call { source, .. } => Errno::from_io_error(source).unwrap_or(Errno::IO),
        }
    }
}

/// The end of a message about the first of some.
fn others(count: u64) -> String {
    match count.saturating_sub(1) {
        0 => String::new(),
        others => format!(", and {others} more"),
    }
}
