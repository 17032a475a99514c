//! Removes the mount points that a sandbox made on the host, unless another one uses them by now.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::calls::{Calls, Known};
use super::program::{Act, Program, Target};
use super::protocol::Record;

/// What the child has made, in order.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Directories of the host, as mounts of their own.
    directories: Vec<OwnedFd>,
    made: Vec<Made>,
    /// Files that are kept open as long as the sandbox lives, for their locks.
    kept: Vec<OwnedFd>,
    /// In the place of what the removal needs, where it needs more than one.
    spare: Option<OwnedFd>,
}

/// A directory or an empty file, below one of the directories.
#[derive(Debug)]
struct Made {
    /// A share of the lock on it, where there was room for a descriptor.
    lock: Option<OwnedFd>,
    directory: usize,
    parent: PathBuf,
    name: PathBuf,
    inode: u64,
}

impl Leftovers {
    /// Takes in a [`Record::Made`], [`Record::Directory`] or [`Record::Kept`], and what was passed with it. An error means
    /// that what is made there cannot be removed.
    pub(super) fn add(
        &mut self,
        program: &Program,
        record: Record,
        lock: Option<OwnedFd>,
    ) -> io::Result<()> {
        if record == Record::Directory {
            // The kernel drops what the receiver has no room for.
            let directory = lock.ok_or(Errno::EMFILE)?;
            if self.spare.is_none() && Calls::known().openat2 == Known::No {
                self.spare = Some(directory.try_clone()?);
            }
            self.directories.push(directory);
            return Ok(());
        }
        if record == Record::Kept {
            self.kept.push(lock.ok_or(Errno::EMFILE)?);
            return Ok(());
        }
        let Record::Made { target, end, above, inode } = record else { return Ok(()) };
        let path = target_of(program, target).map_or(&[][..], |target| target.path.to_bytes());
        let path = Path::new(OsStr::from_bytes(path.get(..end as usize).ok_or(Errno::EPROTO)?));
        let directory = self.directories.len().checked_sub(1).ok_or(Errno::EMFILE)?;
        let names: Vec<_> = path.components().collect();
        let (name, parents) = names.split_last().ok_or(Errno::EPROTO)?;
        let parents = parents.iter().skip(parents.len().saturating_sub(above as usize));
        let (parent, name) = (parents.collect(), name.as_os_str().into());
        self.made.push(Made { lock, directory, parent, name, inode });
        Ok(())
    }

    /// Removes all of it, the last one first. What somebody has used or replaced meanwhile stays.
    pub(super) fn remove(&mut self) {
        self.spare = None;
        while let Some(made) = self.made.pop() {
            if let Some(directory) = self.directories.get(made.directory) {
                // Not an error: it is no longer ours, or no longer empty.
                let _ = made.remove(directory.as_fd());
            }
        }
        self.directories.clear();
        self.kept.clear();
    }
}

fn target_of(program: &Program, number: u32) -> Option<&Target> {
    program.ops.iter().find_map(|op| match &op.act {
        Act::Make(target) if target.number == number => Some(target),
        _ => None,
    })
}

impl Made {
    fn remove(self, directory: BorrowedFd<'_>) -> io::Result<()> {
        // Others hold it: the last of them removes it.
        let held = self.lock.is_some();
        let lock = self.lock.map_or_else(
            || {
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
                let path = self.parent.join(&self.name);
                openat(directory, &path, flags | OFlag::O_CLOEXEC, Mode::empty())
            },
            Ok,
        )?;
        // Closed at the end, which gives the lock up; an unlocking of its own could fail.
        let lock = File::from(lock);
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let below;
        let (parent, name) = if self.parent.as_os_str().is_empty() {
            (directory, self.name)
        } else if held {
            below = open_below(directory, &self.parent)?;
            (below.as_fd(), self.name)
        } else {
            // There is one descriptor for all of it; and no command has run that could have put links.
            (directory, self.parent.join(self.name))
        };
        let now = fstatat(parent, &name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let is_directory = now.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
        if now.st_ino == self.inode && (is_directory || now.st_size == 0) {
            let flags =
                if is_directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
            unlinkat(parent, &name, flags)?;
        }
        Ok(())
    }
}

/// The command may have put links there since.
fn open_below(directory: BorrowedFd<'_>, path: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    match openat2(directory, path, OpenHow::new().flags(flags).resolve(resolve)) {
        // Before Linux 5.6, name by name: what we have made is below, and `..` leads out of it.
        Err(Errno::ENOSYS) => {
            let mut here = None;
            for part in path.components() {
                let Component::Normal(name) = part else { return Err(Errno::EXDEV) };
                let parent = here.as_ref().map_or(directory, AsFd::as_fd);
                here = Some(openat(parent, name, flags | OFlag::O_NOFOLLOW, Mode::empty())?);
            }
            here.ok_or(Errno::ENOENT)
        }
        opened => opened,
    }
}
