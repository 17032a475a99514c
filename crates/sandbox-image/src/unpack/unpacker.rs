//! What becomes of each entry.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::os::fd::OwnedFd;

use super::{Error, Options, Report};
use crate::archive::{Entries, Entry};

/// What is to become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice {
    /// It is unpacked where its name says.
    Unpack,
    /// It is unpacked without the first parts of its name, as many as this: `Strip(1)` unpacks
    /// `rootfs/bin/sh` to `bin/sh`, and `rootfs` gives its mode and times to the target itself. The
    /// target of a hard link must begin with the same parts, which it loses as well.
    Strip(usize),
    /// It is left out.
    Skip,
    /// Its content is held in memory, up to this many bytes; more are an error. It must be a file.
    Capture(u64),
}

/// Contents that were asked for, by name.
pub type Captured = BTreeMap<Vec<u8>, Vec<u8>>;

/// Unpacks archives, one over the other, below a directory.
pub struct Unpacker {
    root: OwnedFd,
    options: Options,
    report: Report,
}

impl Unpacker {
    /// Unpacks below `root`: a directory, opened for reading.
    pub fn new(root: OwnedFd, options: Options) -> Result<Self, Error> {
        Ok(Self { root, options, report: Report::default() })
    }

    /// Unpacks all of an archive: one layer. `choose` is asked for each entry, with its name cleaned:
    /// no `./` or `/` in front, no `//`, no `/` at the end; empty for the top directory itself.
    ///
    /// After an error the directory holds some of the archive, and is good for removal only.
    pub fn apply<R: BufRead>(
        &mut self,
        entries: &mut Entries<R>,
        choose: &mut dyn FnMut(&Entry) -> Choice,
    ) -> Result<Captured, Error> {
        todo!()
    }

    /// Gives directories their modes and times, which has to come after all that is put into them. Says
    /// what was unpacked, and what could not be kept.
    pub fn finish(self) -> Result<Report, Error> {
        todo!()
    }
}
