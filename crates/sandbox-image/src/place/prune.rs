//! Removing entries of a cache that have not been used for the longest time.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, Dir};
use rustix::io::Errno;

use super::beneath;
use super::cache::{Cache, Key, LOCK, UNFINISHED};
use super::entry;
use super::error::{PlaceError, Step};
use super::private::{Leftover, random_name};

/// How much of a cache is kept; `None`: any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// How many entries.
    pub entries: Option<u64>,
    /// How many bytes, as was said when the entries were made.
    pub bytes: Option<u64>,
}

/// What [`Cache::prune`] has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// The entries that were removed.
    pub removed: Vec<PathBuf>,
    /// How many are left.
    pub entries: u64,
    /// How many bytes are left.
    pub bytes: u64,
    /// What could not be removed.
    pub failed: Vec<PlaceError>,
}

/// An entry that might be removed.
struct Candidate {
    /// When it was used last, in nanoseconds of the epoch.
    used: i128,
    key: Key,
    bytes: u64,
}

impl Cache {
    /// Removes entries of the caller's, those first that have not been used for the longest time, until no
    /// more than this is left. One that is in use stays.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn prune(&self, keep: Keep) -> Result<Pruned, PlaceError> {
        let (mut candidates, locks) = self.list()?;
        candidates.sort_by_key(|candidate| candidate.used);
        let mut pruned = Pruned::default();
        for candidate in &candidates {
            pruned.entries = pruned.entries.saturating_add(1);
            pruned.bytes = pruned.bytes.saturating_add(candidate.bytes);
        }
        for Candidate { key, bytes, .. } in candidates {
            let over = |most: Option<u64>, now| most.is_some_and(|most| now > most);
            if !over(keep.entries, pruned.entries) && !over(keep.bytes, pruned.bytes) {
                break;
            }
            match self.remove(&key) {
                Ok(Removal::InUse) => continue,
                Ok(Removal::Done) => pruned.removed.push(self.base.join(key.name())),
                Err(error) => pruned.failed.push(error),
            }
            pruned.entries = pruned.entries.saturating_sub(1);
            pruned.bytes = pruned.bytes.saturating_sub(bytes);
        }
        for key in locks {
            if let Err(error) = self.remove_lock(&key) {
                pruned.failed.push(error);
            }
        }
        Ok(pruned)
    }

    /// The caller's entries, and those that there are locks of.
    fn list(&self) -> Result<(Vec<Candidate>, Vec<Key>), PlaceError> {
        let listed = |error: Errno| PlaceError::call(Step::List, &self.base.path)(error);
        let (mut candidates, mut locks) = (Vec::new(), Vec::new());
        for found in Dir::read_from(&self.base.fd).map_err(listed)? {
            let found = found.map_err(listed)?;
            let name = found.file_name();
            if let Some(key) = Key::of_name(name) {
                candidates.extend(self.candidate(key));
            } else if let Some(name) = name.to_bytes().strip_suffix(LOCK.as_bytes()) {
                locks.extend(CString::new(name).ok().and_then(|name| Key::of_name(&name)));
            }
        }
        Ok((candidates, locks))
    }

    /// `None`: it is gone, or no entry.
    fn candidate(&self, key: Key) -> Option<Candidate> {
        let fd = beneath::open_directory(&self.base.fd, key.name()).ok()?;
        let stat = fs::fstat(&fd).ok()?;
        let used = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        Some(Candidate { used, key, bytes: entry::number(fd).unwrap_or(0) })
    }

    fn remove(&self, key: &Key) -> Result<Removal, PlaceError> {
        let path = self.base.join(key.name());
        // Who has just made it has this lock until it has that of the entry.
        let Some(lock) = self.lock(key)? else { return Ok(Removal::InUse) };
        let claimed = Leftover::claim(self.base.fd.as_fd(), key.name())
            .map_err(PlaceError::call(Step::Lock, &path))?;
        let Some(mut leftover) = claimed else { return Ok(Removal::InUse) };
        // From here on nobody finds it, and if this process is killed, it is swept.
        leftover.rename(random_name(UNFINISHED)).map_err(PlaceError::call(Step::Rename, &path))?;
        self.unlink_lock(key)?;
        drop(lock);
        leftover.remove(None).map_err(|source| PlaceError::Remove { path, source })?;
        Ok(Removal::Done)
    }

    /// Removes the lock of an entry that there is none of, if nobody has it.
    fn remove_lock(&self, key: &Key) -> Result<(), PlaceError> {
        let path = self.base.join(key.name());
        let entry = || {
            beneath::Identity::of_name(&self.base.fd, key.name())
                .map_err(PlaceError::call(Step::Inspect, &path))
        };
        if entry()?.is_some() {
            return Ok(());
        }
        match self.lock(key)? {
            Some(_lock) if entry()?.is_none() => self.unlink_lock(key),
            _ => Ok(()),
        }
    }

    fn unlink_lock(&self, key: &Key) -> Result<(), PlaceError> {
        let name = key.lock_name();
        match fs::unlinkat(&self.base.fd, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(PlaceError::call(Step::Remove, &self.base.join(&name))(error)),
        }
    }
}

enum Removal {
    Done,
    InUse,
}
