//! Making what an entry is.

use std::io::BufRead;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};
use rustix::io::Errno;

use super::directories::{Directories, Finally};
use super::error::failed;
use super::metadata::{give, give_at, owner, set_attribute};
use super::names::split;
use super::remove::remove;
use super::tree::Tree;
use super::{Devices, Error, Options, Over, Owners, Report};
use crate::archive::{Entries, Entry, Kind, shown};

/// The tree that is made, and what will be said of it.
pub(super) struct Maker {
    pub(super) tree: Tree,
    pub(super) options: Options,
    pub(super) report: Report,
    pub(super) directories: Directories,
}

impl Maker {
    /// Makes `entry` at the clean `path`. `target` is a hard link's, the same way.
    pub(super) fn make<R: BufRead>(
        &mut self,
        entries: &mut Entries<R>,
        entry: &Entry,
        path: &[u8],
        target: &[u8],
    ) -> Result<(), Error> {
        if path.is_empty() && entry.kind != Kind::Directory {
            return Err(Error::Root { path: shown(&entry.path) });
        }
        let made = match &entry.kind {
            Kind::File | Kind::Sparse => self.file(entries, entry, path)?,
            Kind::Directory => self.directory(entry, path)?,
            Kind::Symlink { target } => {
                self.place(path, |directory, name| {
                    rustix::fs::symlinkat(target.as_slice(), directory, name)
                })?;
                self.give_at(entry, path)?
            }
            Kind::HardLink { .. } => return self.hard_link(path, target),
            Kind::Fifo => self.node(entry, path, FileType::Fifo, (0, 0))?,
            Kind::CharDevice { major, minor } => {
                self.node(entry, path, FileType::CharacterDevice, (*major, *minor))?
            }
            Kind::BlockDevice { major, minor } => {
                self.node(entry, path, FileType::BlockDevice, (*major, *minor))?
            }
        };
        if made == Made::Yes && self.options.owners == Owners::Mine && !mine(entry) {
            self.report.owners.add(path);
        }
        Ok(())
    }

    fn file<R: BufRead>(
        &mut self,
        entries: &mut Entries<R>,
        entry: &Entry,
        path: &[u8],
    ) -> Result<Made, Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file: OwnedFd =
            self.place(path, |directory, name| rustix::fs::openat(directory, name, flags, mode))?;
        let mut written = 0_u64;
        entries.content::<Error>(&mut |offset, bytes| {
            written += bytes.len() as u64;
            write_at(file.as_fd(), bytes, offset).map_err(failed(path, "write it"))
        })?;
        self.report.bytes = self.report.bytes.saturating_add(written);
        if entry.kind == Kind::Sparse {
            rustix::fs::ftruncate(&file, entry.size).map_err(failed(path, "make it as long"))?;
        }
        give(file.as_fd(), entry, path, owner(entry, self.options.owners), &mut self.report)?;
        Ok(Made::Yes)
    }

    /// A directory that is there already keeps what is in it; anything else makes way.
    fn directory(&mut self, entry: &Entry, path: &[u8]) -> Result<Made, Error> {
        if !path.is_empty() && !self.make_directory(path)? {
            self.place(path, |directory, name| rustix::fs::mkdirat(directory, name, Mode::RWXU))?;
        }
        if !entry.xattrs.is_empty() {
            let fd = self.tree.open(path).map_err(failed(path, "open the directory"))?;
            for (name, value) in &entry.xattrs {
                if let Err(errno) = set_attribute(fd.as_fd(), name, value) {
                    self.report.xattr(name, errno, path);
                }
            }
        }
        let finally = Finally {
            mode: entry.mode,
            owner: owner(entry, self.options.owners),
            times: Some((entry.mtime, entry.atime)),
        };
        self.directories.insert(path, finally)?;
        Ok(Made::Yes)
    }

    /// Makes it if nothing is there. Whether a directory is there then.
    fn make_directory(&mut self, path: &[u8]) -> Result<bool, Error> {
        let directory = match self.tree.parent(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(failed(path, PARENT)(error)),
        };
        let name = split(path).1;
        match rustix::fs::mkdirat(directory, name, Mode::RWXU) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(failed(path, "make it")(error)),
        }
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed(path, "look at what is there"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Ok(false);
        }
        // The caller must be able to put something into its own; the entry's mode comes in the end.
        let all = Mode::RWXU;
        if self.options.owners == Owners::Mine && !Mode::from_raw_mode(stat.st_mode).contains(all) {
            rustix::fs::chmodat(directory, name, all, AtFlags::empty())
                .map_err(failed(path, "make it writable"))?;
        }
        Ok(true)
    }

    fn node(
        &mut self,
        entry: &Entry,
        path: &[u8],
        kind: FileType,
        (major, minor): (u32, u32),
    ) -> Result<Made, Error> {
        let device = kind != FileType::Fifo;
        if device && self.options.devices == Devices::Skip {
            self.report.devices.add(path);
            return Ok(Made::No);
        }
        let made = self.place(path, |directory, name| {
            match mknod(directory, name, kind, major, minor) {
                // A user namespace, whose capabilities are not enough.
                Err(Errno::PERM) if device => Ok(Made::No),
                other => other.map(|()| Made::Yes),
            }
        })?;
        if made == Made::No {
            self.report.devices.add(path);
            return Ok(made);
        }
        self.give_at(entry, path)?;
        // After the owner. It is the node that was made right now: nothing to follow.
        let bits = super::metadata::mode(entry.mode);
        let directory = self.tree.parent(path).map_err(failed(path, PARENT))?;
        rustix::fs::chmodat(directory, split(path).1, bits, AtFlags::empty())
            .map_err(failed(path, "give it its mode"))?;
        Ok(made)
    }

    fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        let missing = |errno: Errno| Error::LinkTarget {
            path: shown(path),
            target: shown(target),
            source: errno.into(),
        };
        // Both directories are needed at once, and one is remembered.
        let from = self.tree.parent(target).and_then(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 0));
        let (from, from_name) = (from.map_err(missing)?, split(target).1);
        let source = statat(&from, from_name, AtFlags::SYMLINK_NOFOLLOW).map_err(missing)?;
        // linkat(2) says so as well, unless the name is that of the directory itself.
        if FileType::from_raw_mode(source.st_mode) == FileType::Directory {
            return Err(missing(Errno::PERM));
        }
        let mut same = false;
        self.place(path, |directory, name| {
            let made = rustix::fs::linkat(&from, from_name, directory, name, AtFlags::empty());
            if made == Err(Errno::EXIST) {
                let there = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                same = (there.st_dev, there.st_ino) == (source.st_dev, source.st_ino);
                if same {
                    return Ok(());
                }
            }
            made
        })
    }

    fn give_at(&mut self, entry: &Entry, path: &[u8]) -> Result<Made, Error> {
        let owner = owner(entry, self.options.owners);
        let directory = self.tree.parent(path).map_err(failed(path, PARENT))?;
        give_at(directory, split(path).1, entry, path, owner, &mut self.report)?;
        Ok(Made::Yes)
    }

    /// Calls `make` with the directory that is to hold `path` and the last part of that; once more if
    /// directories are missing, or something is there, after that was mended.
    fn place<T>(
        &mut self,
        path: &[u8],
        mut make: impl FnMut(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, Error> {
        if let Err(error) = self.tree.parent(path) {
            if error != Errno::NOENT {
                return Err(failed(path, PARENT)(error));
            }
            let (directories, budget) = (&mut self.directories, &self.options.budget);
            let finally = Finally { mode: 0o755, owner: None, times: None };
            self.tree.make_parents(path, &mut |made| {
                budget.take_file(made)?;
                directories.insert(made, finally)
            })?;
        }
        let name = split(path).1;
        let directory = self.tree.parent(path).map_err(failed(path, PARENT))?;
        match make(directory, name) {
            Err(Errno::EXIST) => {}
            other => return other.map_err(failed(path, "make it")),
        }
        self.vacate(path)?;
        let directory = self.tree.parent(path).map_err(failed(path, PARENT))?;
        make(directory, name).map_err(failed(path, "make it"))
    }

    fn vacate(&mut self, path: &[u8]) -> Result<(), Error> {
        let name = split(path).1;
        let directory = self.tree.parent(path).map_err(failed(path, PARENT))?;
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed(path, "look at what is there"))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            && self.options.over == Over::Error
        {
            return Err(Error::OverDirectory { path: shown(path) });
        }
        remove(directory, name).map_err(failed(path, "remove what is there"))?;
        self.directories.remove(path);
        self.tree.forget();
        Ok(())
    }
}

const PARENT: &str = "open the directory that it is in";

/// Whether something was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Yes,
    No,
}

/// Whether nothing is lost if the caller owns it: it is root in the sandboxes of images.
fn mine(entry: &Entry) -> bool {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    [(0, 0), (uid.as_raw(), gid.as_raw())].contains(&(entry.uid, entry.gid))
}

fn write_at(file: BorrowedFd<'_>, mut bytes: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                offset = offset.saturating_add(count as u64);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn mknod(
    directory: BorrowedFd<'_>,
    name: &[u8],
    kind: FileType,
    major: u32,
    minor: u32,
) -> Result<(), Errno> {
    let device = rustix::fs::makedev(major, minor);
    rustix::fs::mknodat(directory, name, kind, Mode::RUSR | Mode::WUSR, device)
}

/// rustix has no call for it there, and images of that system have neither pipes nor devices.
#[cfg(target_vendor = "apple")]
fn mknod(_: BorrowedFd<'_>, _: &[u8], _: FileType, _: u32, _: u32) -> Result<(), Errno> {
    Err(Errno::PERM)
}
