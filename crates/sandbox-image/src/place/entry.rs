//! An entry of a cache, and the making of one.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::beneath;
use super::cache::{Cache, Key, UNFINISHED};
use super::error::{PlaceError, Step};
use super::private::{Base, Private, lock};
use super::run::{Directory, sub_directory};

/// The longest `info`, in bytes.
const INFO: u64 = 64 << 20;
/// The longest number in `bytes`, in bytes.
const NUMBER: u64 = 20;

/// An unpacked image of a cache, which is not removed while this lives. Others use the same: it must not
/// be written to.
#[derive(Debug)]
pub struct Entry {
    /// The directory, and the shared lock.
    fd: OwnedFd,
    path: PathBuf,
}

/// An entry that is being made. Dropped before it is [finished](Self::finish) it is removed.
#[derive(Debug)]
pub struct Filling {
    base: Base,
    private: Private,
    key: Key,
    finished: bool,
    _lock: OwnedFd,
}

impl Filling {
    pub(super) fn new(base: &Base, key: &Key, lock: OwnedFd) -> Result<Self, PlaceError> {
        let base = base.try_clone()?;
        let private = Private::make(&base, UNFINISHED)?;
        Ok(Self { base, private, key: key.clone(), finished: false, _lock: lock })
    }

    /// Where the image is unpacked, mode 0755.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn rootfs(&self) -> Result<Directory, PlaceError> {
        let mode = Mode::from_raw_mode(0o755);
        sub_directory(self.private.fd.as_fd(), &self.path(), c"rootfs", mode)
    }

    /// Makes it the entry, once all of it is on disk. `info` is kept with it, at most 64 MiB; `bytes` is how
    /// much it takes, for [`Cache::prune`]. If another process has made the same entry meanwhile, that
    /// is used, and this one removed.
    ///
    /// # Errors
    /// It cannot be written, or not be renamed.
    pub fn finish(mut self, info: &[u8], bytes: u64) -> Result<Entry, PlaceError> {
        if u64::try_from(info.len()).is_ok_and(|length| length > INFO) {
            return Err(PlaceError::Long { path: self.path().join("info"), most: INFO });
        }
        // An entry has one, be it empty.
        self.rootfs()?;
        self.write(c"info", info)?;
        self.write(c"bytes", bytes.to_string().as_bytes())?;
        sync(self.private.fd.as_fd()).map_err(PlaceError::call(Step::Sync, &self.path()))?;
        let name = self.key.name();
        let path = self.base.join(name);
        // A directory that is not empty is never replaced, and an entry never is empty.
        match fs::renameat(&self.base.fd, &self.private.name, &self.base.fd, name) {
            Ok(()) => self.finished = true,
            // Our lock keeps others away; where locks don't reach other hosts, they come.
            Err(Errno::EXIST | Errno::NOTEMPTY) => {
                let cache = Cache { base: self.base.try_clone()? };
                return cache.entry(&self.key)?.ok_or(PlaceError::Replaced { path });
            }
            Err(error) => return Err(PlaceError::call(Step::Rename, &path)(error)),
        }
        // Who removes entries needs the lock of their names, which is ours until this returns. A sweeper
        // may have this one's own for a moment.
        let fd = self.private.fd.try_clone().map_err(PlaceError::call(Step::Open, &path))?;
        lock(&fd, FlockOperation::LockShared).map_err(PlaceError::call(Step::Lock, &path))?;
        Ok(Entry { fd, path })
    }

    fn path(&self) -> PathBuf {
        self.base.join(&self.private.name)
    }

    fn write(&self, name: &CStr, bytes: &[u8]) -> Result<(), PlaceError> {
        let path = self.path().join(OsStr::from_bytes(name.to_bytes()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = fs::openat(&self.private.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(PlaceError::call(Step::Make, &path))?;
        File::from(fd).write_all(bytes).map_err(PlaceError::call(Step::Write, &path))
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody can be told. What is left is swept.
            let _ = self.private.remove(&self.base);
        }
    }
}

impl Entry {
    pub(super) fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path }
    }

    /// Notes that it is used now.
    pub(super) fn touched(self) -> Self {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // Where it cannot be noted, it is removed earlier than it need be.
        let _ = fs::futimens(&self.fd, &Timestamps { last_access: now, last_modification: now });
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tree. It must not be written to.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn rootfs(&self) -> Result<Directory, PlaceError> {
        let path = self.path.join("rootfs");
        let fd = beneath::open_directory(&self.fd, c"rootfs")
            .map_err(PlaceError::call(Step::Open, &path))?;
        Ok(Directory { fd, path })
    }

    /// What was given with it when it was made.
    ///
    /// # Errors
    /// It cannot be read, or is longer than 64 MiB.
    pub fn info(&self) -> Result<Vec<u8>, PlaceError> {
        let path = self.path.join("info");
        match read(self.fd.as_fd(), c"info", INFO) {
            Ok((bytes, Rest::None)) => Ok(bytes),
            Ok((_, Rest::Some)) => Err(PlaceError::Long { path, most: INFO }),
            Err(error) => Err(PlaceError::call(Step::Read, &path)(error)),
        }
    }

    /// How much it takes, as was said when it was made.
    ///
    /// # Errors
    /// It cannot be read, or is no number.
    pub fn bytes(&self) -> Result<u64, PlaceError> {
        number(&self.fd).map_err(PlaceError::call(Step::Read, &self.path.join("bytes")))
    }
}

/// The number in the file `bytes` of an entry.
pub(super) fn number(entry: impl AsFd) -> io::Result<u64> {
    let (text, _) = read(entry.as_fd(), c"bytes", NUMBER)?;
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// As much of a file, and whether there is more.
fn read(parent: BorrowedFd<'_>, name: &CStr, most: u64) -> io::Result<(Vec<u8>, Rest)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(fs::openat(parent, name, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    let mut file = file.take(most);
    file.read_to_end(&mut bytes)?;
    let rest = if file.into_inner().read(&mut [0])? == 0 { Rest::None } else { Rest::Some };
    Ok((bytes, rest))
}

/// Whether there is more of a file.
#[derive(PartialEq, Eq)]
enum Rest {
    None,
    Some,
}

/// Writes all that is in memory for the file system of a directory.
#[cfg(target_os = "linux")]
fn sync(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    fs::syncfs(directory)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as above")]
fn sync(_: BorrowedFd<'_>) -> Result<(), Errno> {
    fs::sync();
    Ok(())
}
