//! The fields of one header block, checked.

use tar::Header;

use super::error::shown;
use super::{Error, Kind, Time};

/// Bytes of a block.
pub(super) const BLOCK: usize = 512;

/// A header whose checksum is right.
pub(super) struct Block {
    header: Header,
}

/// What a header is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It describes an entry.
    Entry,
    /// An old sparse file of GNU tar.
    GnuSparse,
    /// Its content is the name of the next entry.
    LongName,
    /// Its content is the link name of the next entry.
    LongLink,
    /// Its content is an extended header for the next entry.
    Pax,
    /// Its content is an extended header for all entries that follow.
    PaxGlobal,
}

impl Block {
    /// Nothing where the checksum is wrong.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != BLOCK {
            return None;
        }
        let header = Header::from_byte_slice(bytes).clone();
        let sum = |bytes: &[u8]| bytes.iter().copied().map(u32::from).sum::<u32>();
        // The field itself counts as blanks.
        let field = bytes.get(148..156)?;
        let unsigned = sum(bytes).wrapping_sub(sum(field)).wrapping_add(8 * 32);
        let told = header.cksum().ok()?;
        if told == unsigned {
            return Some(Self { header });
        }
        // Some old tars added signed bytes.
        let high = |bytes: &[u8]| bytes.iter().filter(|byte| **byte >= 128).count();
        let high = u32::try_from(high(bytes).checked_sub(high(field))?).ok()?;
        (told == unsigned.wrapping_sub(256 * high)).then_some(Self { header })
    }

    pub(super) fn role(&self) -> Role {
        match self.type_flag() {
            b'L' => Role::LongName,
            b'K' => Role::LongLink,
            b'x' | b'X' => Role::Pax,
            b'g' => Role::PaxGlobal,
            b'S' => Role::GnuSparse,
            _ => Role::Entry,
        }
    }

    fn type_flag(&self) -> u8 {
        self.header.entry_type().as_byte()
    }

    pub(super) fn name(&self) -> Vec<u8> {
        self.header.path_bytes().into_owned()
    }

    pub(super) fn link_name(&self) -> Vec<u8> {
        self.header.link_name_bytes().unwrap_or_default().into_owned()
    }

    pub(super) fn gnu(&self) -> Option<&tar::GnuHeader> {
        self.header.as_gnu()
    }

    /// What the entry is; a file whose name ends with a slash is a directory, as before POSIX.
    pub(super) fn kind(&self, name: &[u8], link: Vec<u8>) -> Result<Kind, Error> {
        Ok(match self.type_flag() {
            b'0' | 0 if name.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' => Kind::File,
            b'S' => Kind::Sparse,
            b'1' => Kind::HardLink { target: link },
            b'2' => Kind::Symlink { target: link },
            b'3' => {
                let (major, minor) = self.device(name)?;
                Kind::CharDevice { major, minor }
            }
            b'4' => {
                let (major, minor) = self.device(name)?;
                Kind::BlockDevice { major, minor }
            }
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            kind => return Err(Error::UnknownKind { entry: shown(name), kind }),
        })
    }

    fn device(&self, name: &[u8]) -> Result<(u32, u32), Error> {
        let number = |range, field, read: fn(&Header) -> std::io::Result<Option<u32>>| {
            let value = self.number(name, range, field, |header| {
                Ok(u64::from(read(header)?.unwrap_or_default()))
            })?;
            Ok::<u32, Error>(u32::try_from(value).unwrap_or_default())
        };
        Ok((
            number((329, 337), "devmajor", Header::device_major)?,
            number((337, 345), "devminor", Header::device_minor)?,
        ))
    }

    pub(super) fn size(&self, name: &[u8]) -> Result<u64, Error> {
        self.number(name, (124, 136), "size", Header::entry_size)
    }

    pub(super) fn mode(&self, name: &[u8]) -> Result<u32, Error> {
        let mode = self.number(name, (100, 108), "mode", |h| h.mode().map(u64::from))?;
        // The bits above are the file type's, which some archives have here as well.
        Ok(u32::try_from(mode & 0o7777).unwrap_or_default())
    }

    pub(super) fn uid(&self, name: &[u8]) -> Result<u32, Error> {
        let value = self.number(name, (108, 116), "uid", Header::uid)?;
        owner(value).ok_or_else(|| bad(name, "uid", value))
    }

    pub(super) fn gid(&self, name: &[u8]) -> Result<u32, Error> {
        let value = self.number(name, (116, 124), "gid", Header::gid)?;
        owner(value).ok_or_else(|| bad(name, "gid", value))
    }

    /// Before 1970 in base 256 only.
    pub(super) fn mtime(&self, name: &[u8]) -> Result<Time, Error> {
        let field = self.field((136, 148));
        let [first, ..] = field else { return Ok(Time::default()) };
        if *first == 0xff {
            let Some((high, rest)) = field.split_at_checked(4) else { return Ok(Time::default()) };
            let bytes = rest.try_into().unwrap_or_default();
            if high != [0xff; 4] || i64::from_be_bytes(bytes) >= 0 {
                return Err(bad(name, "mtime", 0));
            }
            return Ok(Time { seconds: i64::from_be_bytes(bytes), nanoseconds: 0 });
        }
        let value = self.number(name, (136, 148), "mtime", Header::mtime)?;
        let seconds = i64::try_from(value).map_err(|_| bad(name, "mtime", value))?;
        Ok(Time { seconds, nanoseconds: 0 })
    }

    fn field(&self, (from, to): (usize, usize)) -> &[u8] {
        self.header.as_bytes().get(from..to).unwrap_or_default()
    }

    /// A number, octal or in base 256. Blank is 0, as for GNU tar.
    fn number(
        &self,
        name: &[u8],
        range: (usize, usize),
        field: &'static str,
        read: impl FnOnce(&Header) -> std::io::Result<u64>,
    ) -> Result<u64, Error> {
        let bytes = self.field(range);
        let text = || shown(bytes).trim_matches(['\0', ' ']).to_owned();
        let error = || Error::Number { entry: shown(name), field, value: text() };
        match bytes {
            [0x80, high @ ..] => {
                // The library reads the last eight bytes; what is before them has to be zero.
                let high = high.get(..bytes.len().saturating_sub(8 + 1)).unwrap_or_default();
                if high.iter().any(|byte| *byte != 0) {
                    return Err(error());
                }
            }
            [first, ..] if first & 0x80 != 0 => return Err(error()),
            _ if bytes.iter().all(|byte| matches!(byte, 0 | b' ')) => return Ok(0),
            _ => {}
        }
        read(&self.header).map_err(|_| error())
    }
}

/// (uid_t) -1 means "leave it" to chown(2), so nobody has it.
pub(super) fn owner(value: u64) -> Option<u32> {
    u32::try_from(value).ok().filter(|id| *id != u32::MAX)
}

fn bad(name: &[u8], field: &'static str, value: u64) -> Error {
    Error::Number { entry: shown(name), field, value: value.to_string() }
}
