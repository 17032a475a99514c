//! An entry of an archive, as plain data.

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, byte for byte as the archive has it; what is unpacked has been cleaned first.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions, and the bits for set-user-ID, set-group-ID and sticky: at most 0o7777.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// When it was last written.
    pub mtime: Time,
    /// When it was last read, if the archive says so.
    pub atime: Option<Time>,
    /// Bytes of the file, holes among them.
    pub size: u64,
    /// Bytes of its content that the archive has.
    pub stored: u64,
    /// How many parts these are in, with holes between them: none but sparse files have more than one.
    pub parts: u64,
    /// Where its content begins, in the uncompressed archive. An image inside an archive that is not
    /// compressed can be read there directly.
    pub offset: u64,
    /// Extended attributes: names and values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A file with content.
    File,
    /// A file of which the archive has some parts only.
    Sparse,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: Vec<u8>,
    },
    /// One more name of a file.
    HardLink {
        /// The name that the file has already.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// A time, as utimensat(2) takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds, less than a thousand million.
    pub nanoseconds: u32,
}
