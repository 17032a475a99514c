//! Directories that belong to one process as long as it lives, by a lock that the kernel gives up when the
//! process ends, however it ends; and those whose process has ended.

use std::ffi::{CStr, CString, OsStr};
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{self, Dir, FileType, FlockOperation, Mode};
use rustix::io::{Errno, retry_on_intr};

use super::beneath::{self, Identity};
use super::error::{PlaceError, RemoveError, Step};
use super::remove;

/// How many random letters end a name.
const LETTERS: usize = 12;
/// How many names are tried. A sweeper may take one before it is locked, so a few are lost where many
/// processes start at once.
const TRIES: u32 = 1000;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A directory that directories are made in.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) fd: OwnedFd,
    /// Absolute.
    pub(super) path: PathBuf,
}

impl Base {
    pub(super) fn open(path: &Path) -> Result<Self, PlaceError> {
        let path = std::path::absolute(path).map_err(PlaceError::call(Step::Open, path))?;
        let flags = fs::OFlags::RDONLY | fs::OFlags::DIRECTORY | fs::OFlags::CLOEXEC;
        let fd =
            fs::open(&path, flags, Mode::empty()).map_err(PlaceError::call(Step::Open, &path))?;
        Ok(Self { fd, path })
    }

    pub(super) fn try_clone(&self) -> Result<Self, PlaceError> {
        let fd = self.fd.try_clone().map_err(PlaceError::call(Step::Open, &self.path))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    pub(super) fn join(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    /// Whether a name is still the file that it was.
    pub(super) fn has(&self, name: &CStr, fd: impl AsFd) -> Result<bool, PlaceError> {
        is_still(self.fd.as_fd(), name, fd)
            .map_err(PlaceError::call(Step::Inspect, &self.join(name)))
    }

    /// The names of the directories with random letters after this.
    pub(super) fn private_names(
        &self,
        prefix: &str,
    ) -> Result<impl Iterator<Item = Result<CString, PlaceError>>, PlaceError> {
        let listed = |error: Errno| PlaceError::call(Step::List, &self.path)(error);
        let entries = Dir::read_from(&self.fd).map_err(listed)?;
        Ok(entries.filter_map(move |entry| match entry {
            Ok(entry) => {
                let directory = [FileType::Directory, FileType::Unknown];
                let ours =
                    directory.contains(&entry.file_type()) && is_private(entry.file_name(), prefix);
                ours.then(|| Ok(entry.file_name().to_owned()))
            }
            Err(error) => Some(Err(listed(error))),
        }))
    }
}

/// A new directory, mode 0700, whose lock this process has.
#[derive(Debug)]
pub(super) struct Private {
    pub(super) name: CString,
    /// The directory, and the lock.
    pub(super) fd: OwnedFd,
}

impl Private {
    /// Makes one whose name begins so.
    pub(super) fn make(base: &Base, prefix: &str) -> Result<Self, PlaceError> {
        for _ in 0..TRIES {
            let name = random_name(prefix);
            let path = || base.join(&name);
            match fs::mkdirat(&base.fd, &name, Mode::RWXU) {
                Ok(()) => {}
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(PlaceError::call(Step::Make, &path())(error)),
            }
            // Until it is locked, a sweeper takes it for a dead one.
            let fd = match beneath::open_directory(&base.fd, &name) {
                Ok(fd) => fd,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(PlaceError::call(Step::Open, &path())(error)),
            };
            match Self::of(base, name, fd) {
                Ok(Some(private)) => return Ok(private),
                Ok(None) => {}
                Err((name, error)) => {
                    // It is empty. If it cannot be removed either, the error is the same.
                    let _ = fs::unlinkat(&base.fd, &name, fs::AtFlags::REMOVEDIR);
                    return Err(PlaceError::call(Step::Lock, &base.join(&name))(error));
                }
            }
        }
        Err(PlaceError::Names { path: base.path.clone(), tries: TRIES })
    }

    /// Locks one that was made. `None`: a sweeper was faster.
    fn of(base: &Base, name: CString, fd: OwnedFd) -> Result<Option<Self>, (CString, Errno)> {
        let ours = lock(&fd, FlockOperation::NonBlockingLockExclusive)
            .and_then(|lock| Ok(lock == Lock::Had && is_still(base.fd.as_fd(), &name, &fd)?));
        match ours {
            Ok(ours) => Ok(ours.then_some(Self { name, fd })),
            Err(error) => Err((name, error)),
        }
    }

    /// Removes it with all that is in it.
    pub(super) fn remove(&self, base: &Base) -> Result<(), PlaceError> {
        if !base.has(&self.name, &self.fd)? {
            return match Identity::of_name(&base.fd, &self.name) {
                Ok(None) => Ok(()),
                _ => Err(PlaceError::Replaced { path: base.join(&self.name) }),
            };
        }
        remove::remove_tree(&base.fd, OsStr::from_bytes(self.name.to_bytes()))
            .map_err(|source| PlaceError::Remove { path: base.join(&self.name), source })
    }
}

/// A directory whose process has ended: its lock is ours.
///
/// Whoever uses a directory keeps an exclusive flock(2) on it, from right after it was made until it is
/// removed. One whose lock can be had is used by nobody.
#[derive(Debug)]
pub struct Leftover<'a> {
    parent: BorrowedFd<'a>,
    name: CString,
    /// Holds the lock, so that nobody else removes it at the same time.
    _lock: OwnedFd,
}

impl<'a> Leftover<'a> {
    /// Claims a directory. `None`: somebody uses it, it is not the caller's alone (mode 0700), it is no
    /// directory (a symbolic link to one is none, nor is a mount), or it is gone.
    ///
    /// # Errors
    /// A system call fails for another reason.
    pub fn claim(parent: BorrowedFd<'a>, name: &CStr) -> std::io::Result<Option<Self>> {
        let lock = match beneath::open_here(parent, name) {
            Ok(fd) => fd,
            Err(
                Errno::NOENT
                | Errno::NOTDIR
                | Errno::LOOP
                | Errno::MLINK
                | Errno::ACCESS
                | Errno::XDEV,
            ) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Self::of(parent, name, lock)?)
    }

    /// The same, of one that has been opened.
    fn of(parent: BorrowedFd<'a>, name: &CStr, lock: OwnedFd) -> Result<Option<Self>, Errno> {
        let stat = fs::fstat(&lock)?;
        // Another directory of the caller's, to which somebody could give such a name, has another mode.
        if stat.st_uid != rustix::process::geteuid().as_raw()
            || beneath::permissions(&stat) != 0o700
            || self::lock(&lock, FlockOperation::NonBlockingLockExclusive)? == Lock::Taken
            // Its user may have removed or renamed it before the lock was ours.
            || !is_still(parent, name, &lock)?
        {
            return Ok(None);
        }
        Ok(Some(Self { parent, name: name.to_owned(), _lock: lock }))
    }

    /// Gives it another name.
    pub(super) fn rename(&mut self, name: CString) -> Result<(), Errno> {
        fs::renameat(self.parent, &self.name, self.parent, &name)?;
        self.name = name;
        Ok(())
    }

    /// Removes it with all that is in it, or as much as can be until then.
    ///
    /// # Errors
    /// What is [left](super::Left); [`Left::Late`](super::Left::Late) if there was no time for all.
    pub fn remove(self, until: Option<Instant>) -> Result<(), RemoveError> {
        remove::remove_until(self.parent, OsStr::from_bytes(self.name.to_bytes()), until)
    }
}

/// Whether a lock could be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    Had,
    Taken,
}

/// flock(2).
pub(super) fn lock(fd: impl AsFd, how: FlockOperation) -> Result<Lock, Errno> {
    match retry_on_intr(|| fs::flock(fd.as_fd(), how)) {
        Ok(()) => Ok(Lock::Had),
        Err(Errno::WOULDBLOCK) => Ok(Lock::Taken),
        Err(error) => Err(error),
    }
}

fn is_still(parent: BorrowedFd<'_>, name: &CStr, fd: impl AsFd) -> Result<bool, Errno> {
    Ok(Identity::of_name(parent, name)? == Some(Identity::of_fd(fd)?))
}

/// The prefix and random letters. They keep names apart, no more: mkdir(2) and the lock do the rest.
pub(super) fn random_name(prefix: &str) -> CString {
    // The standard library's hashers are seeded by the kernel, each differently.
    let mut random = RandomState::new().hash_one(std::process::id());
    let mut name = prefix.as_bytes().to_vec();
    for _ in 0..LETTERS {
        let index = usize::try_from(random % 32).unwrap_or_default();
        name.extend(ALPHABET.get(index));
        random /= 32;
    }
    CString::new(name).unwrap_or_default()
}

/// Whether a name was made by [`random_name`].
fn is_private(name: &CStr, prefix: &str) -> bool {
    let letters = name.to_bytes().strip_prefix(prefix.as_bytes());
    letters.is_some_and(|letters| {
        letters.len() == LETTERS && letters.iter().all(|letter| ALPHABET.contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_again_and_no_other_is() {
        let name = random_name("run-sandbox.");
        assert!(is_private(&name, "run-sandbox."), "{name:?}");
        assert_ne!(name, random_name("run-sandbox."));
        for other in [
            c"run-sandbox.",
            c"run-sandbox.aaaaaaaaaaa",
            c"run-sandbox.aaaaaaaaaaaaa",
            c"run-sandbox.aaaaaaaaaaaA",
            c"run-sandbox-aaaaaaaaaaaa",
            c"xrun-sandbox.aaaaaaaaaaaa",
        ] {
            assert!(!is_private(other, "run-sandbox."), "{other:?}");
        }
    }

    /// A base, and a directory in it that is open but not locked.
    fn opened() -> (tempfile::TempDir, Base, OwnedFd) {
        let temp = tempfile::tempdir().unwrap();
        let base = Base::open(temp.path()).unwrap();
        fs::mkdirat(&base.fd, c"a", Mode::RWXU).unwrap();
        let fd = beneath::open_directory(&base.fd, c"a").unwrap();
        (temp, base, fd)
    }

    #[test]
    fn what_was_removed_before_it_was_locked_is_not_used() {
        let (_temp, base, fd) = opened();
        Leftover::claim(base.fd.as_fd(), c"a").unwrap().unwrap().remove(None).unwrap();
        assert!(Private::of(&base, c"a".to_owned(), fd).unwrap().is_none());

        let (_temp, base, fd) = opened();
        let claimed = Leftover::claim(base.fd.as_fd(), c"a").unwrap().unwrap();
        let again = fd.try_clone().unwrap();
        assert!(Private::of(&base, c"a".to_owned(), fd).unwrap().is_none());
        drop(claimed);
        assert!(Private::of(&base, c"a".to_owned(), again).unwrap().is_some());
    }

    #[test]
    fn what_was_renamed_before_it_was_locked_is_no_leftover() {
        let (_temp, base, fd) = opened();
        fs::renameat(&base.fd, c"a", &base.fd, c"b").unwrap();
        fs::mkdirat(&base.fd, c"a", Mode::RWXU).unwrap();
        let again = fd.try_clone().unwrap();
        assert!(Leftover::of(base.fd.as_fd(), c"a", fd).unwrap().is_none());
        assert!(Leftover::of(base.fd.as_fd(), c"b", again).unwrap().is_some());
    }
}
