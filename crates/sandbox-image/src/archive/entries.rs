//! The entries of a tar archive, one after another.

use std::io::BufRead;

use super::error::shown;
use super::header::{BLOCK, Block, Role};
use super::pax::Records;
use super::sparse::{self, Lines, Segment};
use super::{Compression, Entry, Error, Kind, PaxProblem, SparseProblem};

/// The longest name, `PATH_MAX`, and the longest part of one, `NAME_MAX` (limits.h).
const NAME_LIMIT: usize = 4096;
const PART_LIMIT: usize = 255;
/// The longest extended header.
const PAX_LIMIT: u64 = 1 << 20;

/// How much of an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most entries. Default: 10 million.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000_000 }
    }
}

/// The entries of a tar archive: ustar, pax, and GNU's, sparse files among them. Memory is bounded
/// whatever the archive says. Bytes are read once, in order.
pub struct Entries<R> {
    input: R,
    limits: Limits,
    offset: u64,
    count: u64,
    global: Records,
    /// Of the entry given last: its name for messages, which parts of it are still to come, and the
    /// padding after them.
    name: String,
    parts: std::vec::IntoIter<Segment>,
    padding: u64,
    ended: bool,
}

impl<R: BufRead> Entries<R> {
    /// Reads the archive that `input` gives: a [`super::Stream`], or a part of another archive.
    pub fn new(input: R, limits: Limits) -> Self {
        Self {
            input,
            limits,
            offset: 0,
            count: 0,
            global: Records::default(),
            name: String::new(),
            parts: Vec::new().into_iter(),
            padding: 0,
            ended: false,
        }
    }

    /// The next entry. What of the last one's content was not read is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        todo!()
    }

    /// Gives the content of the entry that came last to `sink`: pieces, and where in the file each
    /// belongs. Between them are holes.
    pub fn content<E: From<Error>>(
        &mut self,
        sink: &mut dyn FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        todo!()
    }

    /// The input, once there are no more entries: a [`super::Stream`] is to be
    /// [finished](super::Stream::finish). Nothing but zeros may follow the end of the archive, which is
    /// checked here.
    pub fn finish(mut self) -> Result<R, Error> {
        todo!()
    }
}
