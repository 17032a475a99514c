//! Why an archive cannot be read.

use std::io;

use thiserror::Error;

use super::Compression;

/// Why an archive cannot be read. Offsets count bytes of the uncompressed archive.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file itself cannot be read.
    #[error("cannot read the archive: {0}")]
    Read(#[source] io::Error),
    /// The thread that decompresses could not be started, or ended without a word.
    #[error("cannot decompress on a thread: {0}")]
    Thread(#[source] io::Error),
    /// The compressed stream ends too early.
    #[error("the {compression} stream is truncated: it ends after {bytes} bytes in the middle")]
    Truncated {
        /// How it is compressed.
        compression: Compression,
        /// How many compressed bytes there are.
        bytes: u64,
    },
    /// The compressed stream is not what its library reads.
    #[error("the {compression} stream is damaged: {source}")]
    Damaged {
        /// How it is compressed.
        compression: Compression,
        /// What its library says.
        source: io::Error,
    },
    /// Something that is not part of it follows the compressed stream.
    #[error("trailing garbage after the {compression} stream, at byte {offset} of the file")]
    AfterStream {
        /// How it is compressed.
        compression: Compression,
        /// Where it begins, in the compressed file.
        offset: u64,
    },
    /// Decompressing needs more memory than is given to it.
    #[error("the {compression} stream needs {needs} bytes of memory to decompress, more than {limit}; compress it again with a smaller {}", remedy(*.compression))]
    Memory {
        /// How it is compressed.
        compression: Compression,
        /// What it needs: its window, or its dictionary.
        needs: u64,
        /// What it may have.
        limit: u64,
    },
    /// The uncompressed archive is longer than it may be.
    #[error(
        "the uncompressed archive is longer than {limit} bytes; --max-unpacked-size allows more"
    )]
    TooLong {
        /// The most bytes.
        limit: u64,
    },
    /// The first record is compressed data.
    #[error(
        "not a tar archive: what was compressed is a {compression} stream itself; decompress it once"
    )]
    Nested {
        /// How it is compressed.
        compression: Compression,
    },
    /// The first record is not one of tar.
    #[error("not a tar archive, compressed or not; an image is one, or give a directory tree")]
    NotTar,
    /// A header's checksum is wrong.
    #[error("offset {offset}: the checksum of the tar header is wrong: the archive is damaged")]
    Checksum {
        /// Of the header.
        offset: u64,
    },
    /// The archive ends inside an entry, or inside a header.
    #[error("the archive is truncated: it ends at offset {offset}, inside {inside}")]
    EndsInside {
        /// Where it ends.
        offset: u64,
        /// What it ends in: the name of an entry, or "a header".
        inside: String,
    },
    /// The end of an archive is followed by more.
    #[error("trailing garbage after the end of the archive, at offset {offset}")]
    AfterEnd {
        /// Where it begins.
        offset: u64,
    },
    /// Records that describe an entry are followed by none.
    #[error("offset {offset}: the archive ends after records that describe a further entry")]
    Dangling {
        /// Where it ends.
        offset: u64,
    },
    /// There are more entries than there may be.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries {
        /// The most entries.
        limit: u64,
    },
    /// A number in a header is none, or does not fit.
    #[error("entry {entry:?}: field {field}: {value} is not a number that fits there")]
    Number {
        /// The entry's name.
        entry: String,
        /// The field of the header, or the keyword of the extended one.
        field: &'static str,
        /// What is there.
        value: String,
    },
    /// A name is longer than a path can be.
    #[error("entry {entry:?}...: the {field} has {length} bytes; at most {limit} are possible")]
    NameTooLong {
        /// How the name begins.
        entry: String,
        /// `name`, `link name` or a part of these.
        field: &'static str,
        /// Its length.
        length: u64,
        /// The longest possible.
        limit: u64,
    },
    /// A name is empty, or has a zero byte in it.
    #[error("entry {entry:?}: the {field} is empty or has a zero byte in it")]
    BadName {
        /// The name.
        entry: String,
        /// `name` or `link name`.
        field: &'static str,
    },
    /// A kind of entry that is not known.
    #[error("entry {entry:?}: type {:?} is not known", char::from(*.kind))]
    UnknownKind {
        /// The entry's name.
        entry: String,
        /// The type flag.
        kind: u8,
    },
    /// An extended header is wrong.
    #[error("offset {offset}: extended header: {problem}")]
    Pax {
        /// Of its header.
        offset: u64,
        /// What is wrong.
        problem: PaxProblem,
    },
    /// The map of a sparse file is wrong.
    #[error("entry {entry:?}: map of the sparse file: {problem}")]
    Sparse {
        /// The entry's name.
        entry: String,
        /// What is wrong.
        problem: SparseProblem,
    },
}

/// What is wrong with an extended header (pax(5)).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PaxProblem {
    /// It is longer than it may be.
    #[error("{size} bytes, more than {limit}")]
    TooLong {
        /// Its length.
        size: u64,
        /// The longest that is taken.
        limit: u64,
    },
    /// A record is not `LENGTH KEYWORD=VALUE`.
    #[error("a record is not LENGTH KEYWORD=VALUE, or its length is wrong: {record:?}")]
    Record {
        /// How it begins.
        record: String,
    },
    /// A value is not what its keyword wants.
    #[error("{keyword}: {value:?} is not valid there")]
    Value {
        /// The keyword.
        keyword: String,
        /// The value, or how it begins.
        value: String,
    },
    /// An extended attribute is longer than Linux has them.
    #[error("{keyword}: {size} bytes, more than {limit}")]
    Attribute {
        /// The keyword.
        keyword: String,
        /// Bytes of the value.
        size: u64,
        /// The most (xattr(7)).
        limit: u64,
    },
}

/// What is wrong with the map of a sparse file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SparseProblem {
    /// It has more parts than are taken.
    #[error("more than {limit} parts")]
    TooMany {
        /// The most.
        limit: usize,
    },
    /// A part is before the end of the one before, or after the end of the file.
    #[error("a part of {length} bytes at {offset} overlaps another or is outside the file")]
    Order {
        /// Where the part is.
        offset: u64,
        /// Its bytes.
        length: u64,
    },
    /// The parts have more or fewer bytes than are stored.
    #[error("its parts have {mapped} bytes, {stored} are stored")]
    Size {
        /// Bytes of all parts.
        mapped: u64,
        /// Bytes in the archive.
        stored: u64,
    },
    /// A number in it is none.
    #[error("{value:?} is not a number")]
    Number {
        /// What is there.
        value: String,
    },
}

fn remedy(compression: Compression) -> &'static str {
    match compression {
        Compression::Xz => "dictionary (xz -6)",
        _ => "window (zstd -19, without --long)",
    }
}

impl Error {
    /// Takes back out what a [`super::Stream`] puts into an [`io::Error`].
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Read(error),
        }
    }
}

/// A name as messages show it: no longer than a line, without control characters.
pub(crate) fn shown(name: &[u8]) -> String {
    let (name, _) = name.split_at_checked(200).unwrap_or((name, &[]));
    String::from_utf8_lossy(name).replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not all messages quote what they show, and a terminal obeys what it is sent.
    #[test]
    fn names_are_shown_in_one_line() {
        let inside = shown(b"a\nb\x1b[31m\xff \xc2\x9b");
        assert_eq!(inside, "a\u{fffd}b\u{fffd}[31m\u{fffd} \u{fffd}");
        let keyword = shown(b"SCHILY.xattr.\r");
        let problem = PaxProblem::Value { keyword, value: shown(b"\0") };
        assert!(!problem.to_string().contains(char::is_control));
    }
}
