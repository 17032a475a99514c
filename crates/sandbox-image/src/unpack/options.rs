//! How an archive is unpacked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use crate::archive::shown;

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

/// How many bytes may be unpacked, for all that share it.
#[derive(Debug, Clone)]
pub struct Budget {
    max_bytes: u64,
    used: Arc<AtomicU64>,
}

impl Budget {
    /// The default of `--max-unpacked-size`: 16 GiB.
    pub const DEFAULT: u64 = 16 << 30;

    /// At most `max_bytes` of content. Holes of sparse files don't count, but no file may be longer.
    pub fn new(max_bytes: u64) -> Self {
        Self { max_bytes, used: Arc::new(AtomicU64::new(0)) }
    }

    /// The most bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Bytes of content so far, skipped ones among them.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, path: &[u8], stored: u64, size: u64) -> Result<(), Error> {
        let before = self.used.fetch_add(stored.min(self.max_bytes), Ordering::Relaxed);
        let limit = self.max_bytes;
        if stored > limit || before.saturating_add(stored) > limit {
            return Err(Error::TooMuch { path: shown(path), limit });
        }
        if size > limit {
            return Err(Error::FileTooLong { path: shown(path), size, limit });
        }
        Ok(())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}
