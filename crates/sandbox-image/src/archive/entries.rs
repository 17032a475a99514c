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

/// Takes pieces of a file, and where in it each belongs.
pub type Sink<'a, E> = dyn FnMut(u64, &[u8]) -> Result<(), E> + 'a;

/// How much of an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most entries. Default: a million.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000 }
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

    /// The next entry. What of the last one's content was not read is skipped. After an error there is
    /// nothing more to be had.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        self.skip_content()?;
        let mut local = Local::default();
        loop {
            let offset = self.offset;
            let Some(block) = self.header()? else {
                return if local.any { Err(Error::Dangling { offset }) } else { Ok(None) };
            };
            self.count += 1;
            if self.count > self.limits.entries {
                return Err(Error::TooManyEntries { limit: self.limits.entries });
            }
            let name = block.name();
            self.name = shown(&name);
            match block.role() {
                Role::LongName => local.name = Some(self.long_name(&block, "name")?),
                Role::LongLink => local.link = Some(self.long_name(&block, "link name")?),
                Role::Pax => {
                    let body = self.pax_body(&block, offset)?;
                    let records = local.records.get_or_insert_with(|| self.global.clone());
                    records.read(&body).map_err(|problem| Error::Pax { offset, problem })?;
                }
                Role::PaxGlobal => {
                    let body = self.pax_body(&block, offset)?;
                    self.global.read(&body).map_err(|problem| Error::Pax { offset, problem })?;
                    // It describes no entry, so the archive may end here.
                    continue;
                }
                Role::Entry | Role::GnuSparse => return self.entry(&block, local).map(Some),
            }
            local.any = true;
        }
    }

    /// Gives the content of the entry that came last to `sink`: pieces, and where in the file each
    /// belongs. Between them are holes.
    pub fn content<E: From<Error>>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        for Segment { mut offset, length } in std::mem::take(&mut self.parts) {
            let mut left = length;
            while left > 0 {
                let available = self.available()?;
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(available.len());
                sink(offset, available.get(..count).unwrap_or_default())?;
                self.consume(count);
                left -= count as u64;
                offset = offset.saturating_add(count as u64);
            }
        }
        Ok(())
    }

    /// The input, once there are no more entries: a [`super::Stream`] is to be
    /// [finished](super::Stream::finish). Entries that were not asked for are read over. Nothing but
    /// zeros may follow the end of the archive, which is checked here.
    pub fn finish(mut self) -> Result<R, Error> {
        while self.next_entry()?.is_some() {}
        loop {
            let rest = self.input.fill_buf().map_err(Error::from_io)?;
            if rest.is_empty() {
                return Ok(self.input);
            }
            if let Some(at) = rest.iter().position(|byte| *byte != 0) {
                return Err(Error::AfterEnd { offset: self.offset + at as u64 });
            }
            let count = rest.len();
            self.consume(count);
        }
    }

    /// The next header, unless the archive ends here: with a block of zeros, or without one. (GNU tar
    /// takes both; tools that write no end at all exist.)
    fn header(&mut self) -> Result<Option<Block>, Error> {
        if self.ended {
            return Ok(None);
        }
        "a header".clone_into(&mut self.name);
        let first = self.offset == 0;
        if self.input.fill_buf().map_err(Error::from_io)?.is_empty() {
            self.ended = true;
            // An empty file is no archive; one of tar has at least a block of zeros.
            return if first { Err(Error::NotTar) } else { Ok(None) };
        }
        let offset = self.offset;
        let mut bytes = [0; BLOCK];
        let complete = self.block(&mut bytes);
        if first {
            let compression = Compression::of(&bytes);
            if compression != Compression::None {
                return Err(Error::Nested { compression });
            }
            if let Err(Error::EndsInside { .. }) = complete {
                return Err(Error::NotTar);
            }
        }
        complete?;
        if bytes == [0; BLOCK] {
            self.ended = true;
            return Ok(None);
        }
        match Block::new(&bytes) {
            Some(block) => Ok(Some(block)),
            None if first => Err(Error::NotTar),
            None => Err(Error::Checksum { offset }),
        }
    }

    /// Puts a header and what was said before it together.
    fn entry(&mut self, block: &Block, local: Local) -> Result<Entry, Error> {
        let records = local.records.unwrap_or_else(|| self.global.clone());
        let sparse = records.sparse;
        let path = sparse.name.or(records.path).or(local.name).unwrap_or_else(|| block.name());
        let link = records.link.or(local.link).unwrap_or_else(|| block.link_name());
        self.name = shown(&path);
        check_name(&path, &path, "name")?;
        let mut kind = block.kind(&path, link)?;
        if let Kind::Symlink { target } | Kind::HardLink { target } = &kind {
            check_name(&path, target, "link name")?;
        }
        let declared = match records.size {
            Some(size) => size,
            None => block.size(&path)?,
        };
        // Only files have content. Others may have a size nevertheless: hard links have their file's, and
        // no content, unless a pax archive gives it. Directories' sizes are hints (pax(5)).
        let has_content = matches!(kind, Kind::File | Kind::Sparse);
        let mut stored = if has_content { declared } else { 0 };
        self.padding = padding(stored);
        let mut size = stored;
        let map = if block.role() == Role::GnuSparse {
            size = block.gnu().and_then(|gnu| gnu.real_size().ok()).unwrap_or(stored);
            Some(self.old_gnu_map(block)?)
        } else if kind == Kind::File && sparse.in_content {
            let (map, read) = self.map_in_content(stored)?;
            stored -= read;
            Some(map)
        } else {
            sparse.map.filter(|_| kind == Kind::File)
        };
        self.parts = match map {
            None => vec![Segment { offset: 0, length: stored }],
            Some(map) => {
                if block.role() != Role::GnuSparse {
                    size = sparse.size.unwrap_or(stored);
                }
                sparse::check(&map, size, stored)
                    .map_err(|problem| Error::Sparse { entry: shown(&path), problem })?;
                kind = Kind::Sparse;
                map
            }
        }
        .into_iter();
        Ok(Entry {
            kind,
            mode: block.mode(&path)?,
            uid: records.uid.map_or_else(|| block.uid(&path), Ok)?,
            gid: records.gid.map_or_else(|| block.gid(&path), Ok)?,
            mtime: records.mtime.map_or_else(|| block.mtime(&path), Ok)?,
            atime: records.atime,
            size,
            stored,
            parts: self.parts.len() as u64,
            offset: self.offset,
            xattrs: records.xattrs,
            path,
        })
    }

    fn old_gnu_map(&mut self, block: &Block) -> Result<Vec<Segment>, Error> {
        let entry = self.name.clone();
        let wrong = |problem| Error::Sparse { entry: entry.clone(), problem };
        let mut map = Vec::new();
        let Some(gnu) = block.gnu() else {
            return Err(Error::UnknownKind { entry, kind: b'S' });
        };
        sparse::old_gnu(&mut map, &gnu.sparse).map_err(wrong)?;
        let mut more = gnu.is_extended();
        let mut bytes = [0; BLOCK];
        while more {
            let before = map.len();
            self.block(&mut bytes)?;
            more = sparse::extension(&mut map, &bytes).map_err(wrong)?;
            // A block without parts could go on for ever.
            if more && map.len() == before {
                return Err(wrong(SparseProblem::Number { value: String::new() }));
            }
        }
        Ok(map)
    }

    /// The map before the content of a sparse file, and its bytes.
    fn map_in_content(&mut self, stored: u64) -> Result<(Vec<Segment>, u64), Error> {
        let entry = self.name.clone();
        let wrong = |problem| Error::Sparse { entry: entry.clone(), problem };
        let (mut lines, mut read, mut bytes) = (Lines::default(), 0, [0; BLOCK]);
        loop {
            read += BLOCK as u64;
            if read > stored {
                return Err(wrong(SparseProblem::Size { mapped: read, stored }));
            }
            self.block(&mut bytes)?;
            if lines.block(&bytes).map_err(wrong)? {
                return Ok((lines.map, read));
            }
        }
    }

    /// A name that is the content of an entry.
    fn long_name(&mut self, block: &Block, field: &'static str) -> Result<Vec<u8>, Error> {
        let size = block.size(b"././@LongLink")?;
        // With the zero byte after it.
        let most = NAME_LIMIT as u64 + 1;
        let mut name = self.body(size.min(most))?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        if size > most {
            let (entry, length, limit) = (shown(&name), size, NAME_LIMIT as u64);
            return Err(Error::NameTooLong { entry, field, length, limit });
        }
        self.skip(padding(size))?;
        Ok(name)
    }

    fn pax_body(&mut self, block: &Block, offset: u64) -> Result<Vec<u8>, Error> {
        let size = block.size(b"extended header")?;
        if size > PAX_LIMIT {
            let problem = PaxProblem::TooLong { size, limit: PAX_LIMIT };
            return Err(Error::Pax { offset, problem });
        }
        let body = self.body(size)?;
        self.skip(padding(size))?;
        Ok(body)
    }

    /// The next `size` bytes. The memory is not taken before they are there.
    fn body(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        let (mut body, mut left) = (Vec::new(), usize::try_from(size).unwrap_or(usize::MAX));
        while left > 0 {
            let available = self.available()?;
            let count = left.min(available.len());
            body.extend_from_slice(available.get(..count).unwrap_or_default());
            self.consume(count);
            left -= count;
        }
        Ok(body)
    }

    fn block(&mut self, bytes: &mut [u8; BLOCK]) -> Result<(), Error> {
        let mut free = bytes.as_mut_slice();
        while !free.is_empty() {
            let available = self.available()?;
            let count = free.len().min(available.len());
            let (now, later) = free.split_at_mut(count);
            now.copy_from_slice(available.get(..count).unwrap_or_default());
            free = later;
            self.consume(count);
        }
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), Error> {
        self.content::<Error>(&mut |_, _| Ok(()))?;
        let padding = std::mem::take(&mut self.padding);
        // Layers of `umoci insert` end with the last byte of a file. Nothing of that is missing.
        if padding > 0 && self.input.fill_buf().map_err(Error::from_io)?.is_empty() {
            return Ok(());
        }
        self.skip(padding)
    }

    fn skip(&mut self, mut left: u64) -> Result<(), Error> {
        while left > 0 {
            let available = self.available()?.len();
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(available);
            self.consume(count);
            left -= count as u64;
        }
        Ok(())
    }

    /// Some of the bytes that have to come.
    fn available(&mut self) -> Result<&[u8], Error> {
        let available = self.input.fill_buf().map_err(Error::from_io)?;
        if available.is_empty() {
            return Err(Error::EndsInside { offset: self.offset, inside: self.name.clone() });
        }
        Ok(available)
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.offset += count as u64;
    }
}

/// What was said about an entry before its header.
#[derive(Default)]
struct Local {
    any: bool,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Records>,
}

/// From the end of `size` bytes to that of their last block.
fn padding(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}

fn check_name(entry: &[u8], name: &[u8], field: &'static str) -> Result<(), Error> {
    let too_long = |field, length: usize, limit: usize| {
        let (length, limit) = (length as u64, limit as u64);
        Err(Error::NameTooLong { entry: shown(entry), field, length, limit })
    };
    if name.is_empty() || name.contains(&0) {
        return Err(Error::BadName { entry: shown(entry), field });
    }
    // PATH_MAX counts the zero byte at the end.
    if name.len() >= NAME_LIMIT {
        return too_long(field, name.len(), NAME_LIMIT - 1);
    }
    match name.split(|byte| *byte == b'/').map(<[u8]>::len).max() {
        Some(length) if length > PART_LIMIT => too_long("part of a name", length, PART_LIMIT),
        _ => Ok(()),
    }
}
