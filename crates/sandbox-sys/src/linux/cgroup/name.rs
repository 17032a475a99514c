//! The names of cgroups, and the locks that tell which have an owner: `sandboxlib-PID-NUMBER`.
//!
//! A number of a process means something else in another PID namespace, and cgroups are seen from all of them. So
//! it only tells people whose a cgroup is: that its owner lives is told by a lock (flock(2)) on its directory,
//! which the kernel gives up for whoever is killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PREFIX: &str = "sandboxlib-";
/// Others make their own or sweep at the same time; there are not that many.
const TRIES: u32 = 1000;

/// A cgroup with a name that no other one has in this place, and the lock that keeps others from removing it.
pub(super) fn make(parent: &Path) -> io::Result<(String, File)> {
    let mut refused = io::ErrorKind::AlreadyExists.into();
    for _ in 0..TRIES {
        let name = new();
        match take(parent, &name) {
            Ok(Some(lock)) => return Ok((name, lock)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// A name that no other cgroup of this process has.
fn new() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed))
}

/// Nothing where another process took it for one that was left.
fn take(parent: &Path, name: &str) -> io::Result<Option<File>> {
    let path = parent.join(name);
    fs::create_dir(&path)?;
    let lock = match lock(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            fs::remove_dir(&path)?;
            return Err(error);
        }
        Ok(lock) => lock,
    };
    let is_there = |held: &fs::Metadata| {
        let there = fs::symlink_metadata(&path);
        there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()))
    };
    Ok(lock.filter(|lock| lock.metadata().is_ok_and(|held| is_there(&held))))
}

/// The lock of a cgroup, if nobody has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let directory = File::open(path)?;
    match directory.try_lock() {
        Ok(()) => Ok(Some(directory)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The lock of a cgroup that was one of ours, and has no owner any more.
pub(super) fn left(parent: &Path, name: &str) -> Option<File> {
    if name.starts_with(PREFIX) { lock(&parent.join(name)).ok()? } else { None }
}
