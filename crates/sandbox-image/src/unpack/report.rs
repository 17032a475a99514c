//! What could not be kept.

use std::collections::BTreeMap;

use rustix::io::Errno;

/// How many names of each kind a report has.
const EXAMPLES: usize = 5;

/// Things of one kind that could not be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// How many there are.
    pub count: u64,
    /// The names of the first few.
    pub examples: Vec<Vec<u8>>,
}

impl Lost {
    pub(super) fn add(&mut self, path: &[u8]) {
        self.count = self.count.saturating_add(1);
        if self.examples.len() < EXAMPLES {
            self.examples.push(path.to_vec());
        }
    }
}

/// What was unpacked, and what of it could not be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Entries that were unpacked.
    pub entries: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Files that belong to the caller, and in the archive to another, who is not root.
    pub owners: Lost,
    /// Devices that were not made.
    pub devices: Lost,
    /// Extended attributes that could not be set, by name and error number.
    pub xattrs: BTreeMap<(Vec<u8>, i32), Lost>,
}

impl Report {
    /// Whether all was kept.
    pub fn complete(&self) -> bool {
        self.owners.count == 0 && self.devices.count == 0 && self.xattrs.is_empty()
    }

    pub(super) fn xattr(&mut self, name: &[u8], errno: Errno, path: &[u8]) {
        // Names come from the archive; there are few in practice, and no more than these are kept.
        let key = (name.to_vec(), errno.raw_os_error());
        if self.xattrs.len() < 64 || self.xattrs.contains_key(&key) {
            self.xattrs.entry(key).or_default().add(path);
        }
    }
}
