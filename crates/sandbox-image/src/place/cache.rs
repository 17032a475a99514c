//! Unpacked images that are kept, each unpacked once however many runs there are.
//!
//! ```text
//! DIR/v1.UID.VARIANT.DIGEST/       an entry: rootfs/, info, bytes; locked (shared) while it is used
//!     v1.UID.VARIANT.DIGEST.lock   who fills or removes that entry has its lock
//!     tmp.XXXXXXXXXXXX/            an entry that is being filled or removed; a leftover if not locked
//! ```
//!
//! An entry gets its name when it is complete and on disk, and loses it before anything in it is removed:
//! whatever happens in between leaves a `tmp.` directory, which is swept.

use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{self, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::beneath;
use super::entry::{Entry, Filling};
use super::error::{KeyField, PlaceError, Step};
use super::private::{Base, Lock, lock};
use super::sweep::{Budget, Swept, sweep_in};

/// The form of entries. Another one has other names, so each version sees its own only.
const FORMAT: &str = "v1";
/// How the names of unfinished entries begin.
pub(super) const UNFINISHED: &str = "tmp.";
/// How the name of an entry's lock ends.
pub(super) const LOCK: &str = ".lock";
/// How often it is tried to have the lock of an entry that another process fills.
const TICK: Duration = Duration::from_millis(20);

/// A directory of unpacked images.
#[derive(Debug)]
pub struct Cache {
    pub(super) base: Base,
}

/// What names an entry: what it was made of, how, by whom and in which form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(CString);

/// An entry, or the right to make it.
#[derive(Debug)]
pub enum Found {
    /// It is there.
    Hit(Entry),
    /// It is not. While this lives, other processes wait for it.
    Miss(Filling),
}

impl Key {
    /// Of an image with this digest (`sha512-…`), unpacked as `variant` says: a word for all that makes the
    /// tree another one, such as how owners are mapped. Entries of the caller's effective user only.
    ///
    /// # Errors
    /// One of them is empty, longer than 160 or 32 bytes, or has other characters than letters, digits
    /// and `-`.
    pub fn new(digest: &str, variant: &str) -> Result<Self, PlaceError> {
        word(KeyField::Digest, digest, 160)?;
        word(KeyField::Variant, variant, 32)?;
        let user = rustix::process::geteuid().as_raw();
        // There is no NUL in any of them.
        Ok(Self(CString::new(format!("{FORMAT}.{user}.{variant}.{digest}")).unwrap_or_default()))
    }

    pub(super) fn of_name(name: &CStr) -> Option<Self> {
        let user = rustix::process::geteuid().as_raw();
        let text = name.to_str().ok()?;
        let (variant, digest) = text.strip_prefix(&format!("{FORMAT}.{user}."))?.split_once('.')?;
        Self::new(digest, variant).ok()
    }

    pub(super) fn name(&self) -> &CStr {
        &self.0
    }

    pub(super) fn lock_name(&self) -> CString {
        CString::new([self.0.to_bytes(), LOCK.as_bytes()].concat()).unwrap_or_default()
    }
}

fn word(field: KeyField, value: &str, most: usize) -> Result<(), PlaceError> {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && (1..=most).contains(&value.len()) {
        return Ok(());
    }
    Err(PlaceError::Key { field, value: value.chars().take(most).collect(), most })
}

impl Cache {
    /// Opens a cache, and makes its directory if it is missing, mode 0700; those that lead to it have to
    /// be there.
    ///
    /// # Errors
    /// It cannot be made or opened, or it is not the caller's alone: whoever can write to it could change
    /// what is run. One that all can write to, but with the sticky bit, is as good.
    pub fn open(path: &Path) -> Result<Self, PlaceError> {
        match fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(PlaceError::call(Step::Make, path)(error)),
        }
        let base = Base::open(path)?;
        let stat = fs::fstat(&base.fd).map_err(PlaceError::call(Step::Inspect, &base.path))?;
        let sticky = Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX);
        check_owner(&base.path, &stat)?;
        if sticky { Ok(()) } else { check_mode(&base.path, &stat) }?;
        Ok(Self { base })
    }

    /// Removes what processes have left here that were killed.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sweep(&self, budget: Budget) -> Result<Swept, PlaceError> {
        sweep_in(&self.base, UNFINISHED, budget)
    }

    /// Finds an entry. While another process fills it, this waits, and calls `wait` some fifty times a
    /// second, whose `Break` ends it.
    ///
    /// # Errors
    /// The caller broke off, what is there is not the caller's, or a system call failed.
    pub fn get(
        &self,
        key: &Key,
        mut wait: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Found, PlaceError> {
        loop {
            if let Some(entry) = self.entry(key)? {
                return Ok(Found::Hit(entry.touched()));
            }
            if let Some(lock) = self.lock(key)? {
                // It may have come before the lock was ours.
                return Ok(match self.entry(key)? {
                    Some(entry) => Found::Hit(entry.touched()),
                    None => Found::Miss(Filling::new(&self.base, key, lock)?),
                });
            }
            if wait().is_break() {
                return Err(PlaceError::Interrupted { path: self.base.join(key.name()) });
            }
            std::thread::sleep(TICK);
        }
    }

    /// The entry, if it is there, and not about to be removed.
    pub(super) fn entry(&self, key: &Key) -> Result<Option<Entry>, PlaceError> {
        let path = self.base.join(key.name());
        let fd = match beneath::open_directory(&self.base.fd, key.name()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(PlaceError::call(Step::Open, &path)(error)),
        };
        // In a directory with the sticky bit others can make things as well.
        let stat = fs::fstat(&fd).map_err(PlaceError::call(Step::Inspect, &path))?;
        check_owner(&path, &stat)?;
        check_mode(&path, &stat)?;
        let locked = lock(&fd, FlockOperation::NonBlockingLockShared)
            .map_err(PlaceError::call(Step::Lock, &path))?;
        if locked == Lock::Taken || !self.base.has(key.name(), &fd)? {
            return Ok(None);
        }
        Ok(Some(Entry::new(fd, path)))
    }

    /// The lock of an entry's name. `None`: another process has it.
    pub(super) fn lock(&self, key: &Key) -> Result<Option<OwnedFd>, PlaceError> {
        let name = key.lock_name();
        let path = self.base.join(&name);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = fs::openat(&self.base.fd, &name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(PlaceError::call(Step::Open, &path))?;
        let stat = fs::fstat(&fd).map_err(PlaceError::call(Step::Inspect, &path))?;
        check_owner(&path, &stat)?;
        let locked = lock(&fd, FlockOperation::NonBlockingLockExclusive)
            .map_err(PlaceError::call(Step::Lock, &path))?;
        // Who removes an entry removes its lock.
        let ours = locked == Lock::Had && self.base.has(&name, &fd)?;
        Ok(ours.then_some(fd))
    }
}

fn check_owner(path: &Path, stat: &Stat) -> Result<(), PlaceError> {
    let user = rustix::process::geteuid().as_raw();
    if stat.st_uid == user {
        return Ok(());
    }
    Err(PlaceError::Owner { path: path.to_owned(), owner: stat.st_uid, user })
}

fn check_mode(path: &Path, stat: &Stat) -> Result<(), PlaceError> {
    if !Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return Ok(());
    }
    Err(PlaceError::Mode { path: path.to_owned(), mode: beneath::permissions(stat) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_and_known_again() {
        let key = Key::new("sha512-00ff", "plain").unwrap();
        assert_eq!(Key::of_name(key.name()).as_ref(), Some(&key));
        assert_eq!(Key::of_name(&key.lock_name()), None);
        assert_ne!(key, Key::new("sha512-00ff", "subuid").unwrap());
        for digest in ["", ".", "..", "a/b", "a.b", "a\0", "é", &"a".repeat(161)] {
            let error = Key::new(digest, "plain").unwrap_err();
            let PlaceError::Key { field: KeyField::Digest, value, .. } = error else {
                panic!("{digest:?}: {error}")
            };
            assert!(digest.starts_with(&value) && value.len() <= 160, "{value:?}");
        }
        assert!(Key::new("a", &"a".repeat(32)).is_ok());
        assert!(Key::new("a", &"a".repeat(33)).is_err());
    }
}
