//! The raw bytes of a file: buffered, counted, hashed, and told to whoever watches.

use std::io::{self, BufRead, Read};

use super::digest::{Digest, Hasher};
use super::stream::Progress;
use super::{Algorithm, Error};

const BUFFER: usize = 128 * 1024;

/// A reader that can look ahead.
pub(super) struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    read: u64,
    hasher: Option<Hasher>,
    progress: Option<Progress>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R, hash: Option<Algorithm>, progress: Option<Progress>) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { inner, buffer, start: 0, end: 0, read: 0, hasher: hash.map(Hasher::new), progress }
    }

    /// The next bytes: `count`, or all there are if these are fewer.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8], Error> {
        while self.end - self.start < count && self.more().map_err(Error::Read)? {}
        let all = self.unread();
        Ok(all.get(..count).unwrap_or(all))
    }

    /// Where the next byte is.
    pub(super) fn position(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }

    /// Bytes read from the file, and their digest.
    pub(super) fn finish(self) -> (u64, Option<Digest>) {
        (self.read, self.hasher.map(Hasher::finish))
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads what there is after what is in the buffer. Whether there was any.
    fn more(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let Some(free) = self.buffer.get_mut(self.end..).filter(|free| !free.is_empty()) else {
            return Ok(false);
        };
        let count = loop {
            match self.inner.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if let (Some(hasher), Some(new)) = (&mut self.hasher, free.get(..count)) {
            hasher.update(new);
        }
        self.end += count;
        self.read += count as u64;
        if let Some(progress) = &mut self.progress {
            progress(self.read)?;
        }
        Ok(count > 0)
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            // A file's own error is told apart from those of the libraries that read through here.
            self.more().map_err(|error| io::Error::other(Error::Read(error)))?;
        }
        Ok(self.unread())
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }
}
