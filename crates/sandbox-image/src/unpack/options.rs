//! How an archive is unpacked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use crate::archive::{Entry, Kind, shown};

/// To whom files belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// To whom the archive says. Needs `CAP_CHOWN`.
    Keep,
    /// To the caller. Those that the archive gives to another are counted.
    Mine,
}

/// What becomes of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// They are made. Needs `CAP_MKNOD`; where the kernel refuses nevertheless, as in a user namespace,
    /// they are reported.
    Make,
    /// They are not made, and reported.
    Skip,
}

/// Which names are taken. `..` never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Relative ones only.
    Strict,
    /// A `/` in front is dropped.
    Lenient,
}

/// What a second entry of the same name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// An error.
    Error,
    /// What counts.
    LastWins,
}

/// What becomes of a directory in whose place an entry puts something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// It is an error.
    Error,
    /// It is removed with what is in it, as layers want it.
    Remove,
}

/// What entries named `.wh.NAME` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whiteouts {
    /// Files as others.
    Files,
    /// Whiteouts of an OCI layer: they remove what lower layers have put there.
    Apply,
}

/// How an archive is unpacked.
#[derive(Debug, Clone)]
pub struct Options {
    /// To whom files belong.
    pub owners: Owners,
    /// What becomes of devices.
    pub devices: Devices,
    /// Which names are taken.
    pub names: Names,
    /// What a second entry of the same name is.
    pub duplicates: Duplicates,
    /// What becomes of directories that something else replaces.
    pub over: Over,
    /// What entries named `.wh.NAME` are.
    pub whiteouts: Whiteouts,
    /// What may be unpacked in all. Share it (it is cloned by reference) between archives of one image.
    pub budget: Budget,
}

impl Options {
    /// Keeps owners if the caller may (it has `CAP_CHOWN`), and makes devices if it may (`CAP_MKNOD`). The rest is as strict as
    /// an App Container image has to be: relative names, each once, nothing replaced, no whiteouts.
    pub fn for_caller() -> Self {
        let (chown, mknod) = abilities();
        Self {
            owners: if chown { Owners::Keep } else { Owners::Mine },
            devices: if mknod { Devices::Make } else { Devices::Skip },
            names: Names::Strict,
            duplicates: Duplicates::Error,
            over: Over::Error,
            whiteouts: Whiteouts::Files,
            budget: Budget::default(),
        }
    }

    /// The same for the layers of an OCI image: absolute names are taken as relative ones, what comes
    /// later wins and replaces directories, and whiteouts are applied.
    pub fn for_layers() -> Self {
        Self {
            names: Names::Lenient,
            duplicates: Duplicates::LastWins,
            over: Over::Remove,
            whiteouts: Whiteouts::Apply,
            ..Self::for_caller()
        }
    }
}

/// Whether the caller may give files away and make devices.
#[cfg(target_os = "linux")]
fn abilities() -> (bool, bool) {
    use rustix::thread::{CapabilitySet, capabilities};
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    (effective.contains(CapabilitySet::CHOWN), effective.contains(CapabilitySet::MKNOD))
}

#[cfg(not(target_os = "linux"))]
fn abilities() -> (bool, bool) {
    let root = rustix::process::geteuid().is_root();
    (root, root)
}

/// How much may be unpacked, for all that share it: bytes, and files of whatever kind.
#[derive(Debug, Clone)]
pub struct Budget {
    max_bytes: u64,
    used: Arc<AtomicU64>,
    files: Arc<AtomicU64>,
}

impl Budget {
    /// The default of `--max-unpacked-size`: 16 GiB.
    pub const DEFAULT: u64 = 16 << 30;
    /// The most files: entries, and directories that entries are in and that none is of. An archive has
    /// half as many at most, but an image may have many archives.
    pub const FILES: u64 = 2_000_000;

    /// At most `max_bytes` of content, extended attributes and targets of links. Holes of sparse files
    /// don't count, but no file may be longer.
    pub fn new(max_bytes: u64) -> Self {
        Self { max_bytes, used: Arc::default(), files: Arc::default() }
    }

    /// The most bytes that an archive may have of which so many are unpacked: headers and padding come
    /// on top of content.
    pub(crate) fn stream_limit(max_bytes: u64) -> u64 {
        max_bytes.saturating_mul(2).saturating_add(1 << 30)
    }

    /// The most bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Bytes so far, those of skipped entries among them.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes what an entry needs.
    pub(super) fn take(&self, entry: &Entry) -> Result<(), Error> {
        let (bytes, limit) = (on_disk(entry), self.max_bytes);
        self.take_file(&entry.path)?;
        let before = self.used.fetch_add(bytes.min(limit), Ordering::Relaxed);
        if before.saturating_add(bytes) > limit {
            return Err(Error::TooMuch { path: shown(&entry.path), limit });
        }
        if entry.size > limit {
            let (path, size) = (shown(&entry.path), entry.size);
            return Err(Error::FileTooLong { path, size, limit });
        }
        Ok(())
    }

    /// Takes one more file.
    pub(super) fn take_file(&self, path: &[u8]) -> Result<(), Error> {
        if self.files.fetch_add(1, Ordering::Relaxed) < Self::FILES {
            return Ok(());
        }
        Err(Error::TooManyFiles { path: shown(path), limit: Self::FILES })
    }
}

/// About how many bytes an entry takes beside its name.
fn on_disk(entry: &Entry) -> u64 {
    // However little a part of a sparse file has, it takes a block.
    const BLOCK: u64 = 4096;
    let content = match &entry.kind {
        Kind::Sparse => {
            entry.stored.saturating_add(entry.parts.saturating_mul(BLOCK)).min(entry.size)
        }
        Kind::Symlink { target } | Kind::HardLink { target } => target.len() as u64,
        _ => entry.stored,
    };
    let attributes = entry.xattrs.iter().map(|(name, value)| (name.len() + value.len()) as u64);
    attributes.fold(content, u64::saturating_add)
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_for_all_that_share_it() {
        let (budget, other) = {
            let budget = Budget::default();
            (budget.clone(), budget)
        };
        for _ in 0..Budget::FILES / 2 {
            budget.take_file(b"a").unwrap();
            other.take_file(b"b").unwrap();
        }
        let error = other.take_file(b"c").unwrap_err().to_string();
        assert!(error.starts_with("entry \"c\": more than 2000000 files"), "{error}");
    }
}
