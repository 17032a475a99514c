//! Directories below the target, opened by descriptor and never by a path that leads out of it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, mkdirat};
use rustix::io::Errno;

use super::Error;
use super::error::failed;
use super::names::split;

/// How a directory is opened to be walked through.
#[cfg(target_os = "linux")]
const WALK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const WALK: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// To list it, or to change its mode and times.
const USE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The target, and the directory below it that was opened last: most entries are in the same.
pub(super) struct Tree {
    root: OwnedFd,
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root, last: None }
    }

    /// The directory that holds `path`.
    pub(super) fn parent(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, Errno> {
        self.directory(split(path).0)
    }

    fn directory(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, Errno> {
        if path.is_empty() {
            return Ok(self.root.as_fd());
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let opened = in_root(self.root.as_fd(), path, WALK)?;
            self.last = Some((path.to_vec(), opened));
        }
        self.last.as_ref().map(|(_, fd)| fd.as_fd()).ok_or(Errno::NOENT)
    }

    /// Makes the directories that are missing on the way to `path`, and tells of each.
    pub(super) fn make_parents(
        &mut self,
        path: &[u8],
        made: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = failed(path, "make the directory that it is in");
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (at, _) in slashes {
            let path = path.get(..at).unwrap_or_default();
            match self.directory(path) {
                Ok(_) => continue,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(failed(error)),
            }
            let (above, name) = split(path);
            let above = self.directory(above).map_err(&failed)?;
            mkdirat(above, name, Mode::RWXU).map_err(&failed)?;
            made(path)?;
        }
        Ok(())
    }

    /// Opens a directory for use; a link in its place is not followed.
    pub(super) fn open(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        in_root(self.root.as_fd(), path, USE | OFlags::NOFOLLOW)
    }

    /// What was opened may be elsewhere now: something has been removed.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

/// Opens a directory for use that is right there: a link in its place is not followed.
pub(super) fn open_at(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, USE | OFlags::NOFOLLOW, Mode::empty())
}

#[cfg(target_os = "linux")]
fn in_root(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    // Links are followed as a process with this root would; those of /proc never.
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    // EAGAIN: something was renamed meanwhile, anywhere.
    for _ in 0..128 {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS) => return part_by_part(root, path, flags),
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

#[cfg(not(target_os = "linux"))]
fn in_root(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    part_by_part(root, path, flags)
}

/// Without openat2(2) no link is followed at all.
fn part_by_part(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut directory = rustix::fs::openat(root, ".", flags, Mode::empty())?;
    for part in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        if part == b".." {
            return Err(Errno::XDEV);
        }
        directory = rustix::fs::openat(&directory, part, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(directory)
}
