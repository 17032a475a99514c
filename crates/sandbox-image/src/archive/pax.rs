//! Extended headers (pax(5), POSIX 1003.1 and what GNU tar, star and bsdtar have added).

use super::error::shown;
use super::header::owner;
use super::sparse::Segment;
use super::{PaxProblem, Time};

/// The longest value of an extended attribute (xattr(7)).
const ATTRIBUTE_LIMIT: usize = 64 * 1024;
/// The most extended attributes of an entry. With the one above, this bounds what global headers can add up
/// to.
const ATTRIBUTES_LIMIT: usize = 100;
/// The most parts of a sparse file.
pub(super) const SEGMENT_LIMIT: usize = 65_536;

/// What extended headers say about an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) atime: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: SparseRecords,
}

/// What they say about the map of a sparse file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SparseRecords {
    /// Versions before 1.0: the map itself.
    pub(super) map: Option<Vec<Segment>>,
    /// Version 1.0: the map is before the content.
    pub(super) in_content: bool,
    /// An offset whose length has yet to come (version 0.0).
    offset: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

impl Records {
    /// Takes over what `body` says; what it says again counts.
    pub(super) fn read(&mut self, mut body: &[u8]) -> Result<(), PaxProblem> {
        while !body.is_empty() {
            let (keyword, value, rest) = record(body).ok_or_else(|| PaxProblem::Record {
                record: shown(body.get(..40).unwrap_or(body)),
            })?;
            self.take(keyword, value)?;
            body = rest;
        }
        Ok(())
    }

    fn take(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), PaxProblem> {
        let wrong = || PaxProblem::Value { keyword: shown(keyword), value: shown(value) };
        // An empty value takes back what a global header said.
        let empty = value.is_empty();
        let number = || if empty { Ok(None) } else { decimal(value).map(Some).ok_or_else(wrong) };
        let id = || match number()? {
            None => Ok(None),
            Some(value) => owner(value).map(Some).ok_or_else(wrong),
        };
        let moment = || if empty { Ok(None) } else { time(value).map(Some).ok_or_else(wrong) };
        let name = || match value {
            [] => Ok(None),
            _ if value.contains(&0) => Err(wrong()),
            _ => Ok(Some(value.to_vec())),
        };
        match keyword {
            b"path" => self.path = name()?,
            b"linkpath" => self.link = name()?,
            b"size" => self.size = number()?,
            b"uid" => self.uid = id()?,
            b"gid" => self.gid = id()?,
            b"mtime" => self.mtime = moment()?,
            b"atime" => self.atime = moment()?,
            b"GNU.sparse.name" => self.sparse.name = name()?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.size = number()?,
            b"GNU.sparse.major" => self.sparse.in_content = number()? == Some(1),
            b"GNU.sparse.offset" => self.sparse.offset = number()?,
            b"GNU.sparse.numbytes" => {
                let offset = self.sparse.offset.take().ok_or_else(wrong)?;
                let length = number()?.ok_or_else(wrong)?;
                let map = self.sparse.map.get_or_insert_default();
                if map.len() >= SEGMENT_LIMIT {
                    return Err(wrong());
                }
                map.push(Segment { offset, length });
            }
            b"GNU.sparse.map" => self.sparse.map = Some(map(value).ok_or_else(wrong)?),
            _ => {
                if let Some(name) = keyword.strip_prefix(b"SCHILY.xattr.") {
                    self.attribute(keyword, name, value)?;
                }
            }
        }
        Ok(())
    }

    fn attribute(&mut self, keyword: &[u8], name: &[u8], value: &[u8]) -> Result<(), PaxProblem> {
        if value.len() > ATTRIBUTE_LIMIT {
            let (size, limit) = (value.len() as u64, ATTRIBUTE_LIMIT as u64);
            return Err(PaxProblem::Attribute { keyword: shown(keyword), size, limit });
        }
        let full = self.xattrs.len() >= ATTRIBUTES_LIMIT;
        if full || name.is_empty() || name.len() > 255 || name.contains(&0) {
            return Err(PaxProblem::Value { keyword: shown(keyword), value: shown(value) });
        }
        self.xattrs.retain(|(known, _)| known != name);
        self.xattrs.push((name.to_vec(), value.to_vec()));
        Ok(())
    }
}

/// The first record of `body`, and what follows: `LENGTH KEYWORD=VALUE\n`.
fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = body.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(body.get(..space)?)?).ok()?;
    let (record, rest) = body.split_at_checked(length)?;
    let content = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    let (keyword, value) = content.split_at_checked(equals)?;
    (!keyword.is_empty()).then_some((keyword, value.get(1..)?, rest))
}

/// A decimal number without a sign.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `[-]SECONDS[.FRACTION]`; what is finer than nanoseconds is cut off.
fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let whole = i64::try_from(decimal(parts.next().filter(|whole| !whole.is_empty())?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds: whole, nanoseconds },
        (true, 0) => Time { seconds: -whole, nanoseconds },
        (true, _) => {
            Time { seconds: (-whole).checked_sub(1)?, nanoseconds: 1_000_000_000 - nanoseconds }
        }
    })
}

/// `OFFSET,LENGTH,OFFSET,LENGTH...`
fn map(value: &[u8]) -> Option<Vec<Segment>> {
    let mut numbers = value.split(|byte| *byte == b',');
    let mut segments = Vec::new();
    while let Some(offset) = numbers.next().filter(|text| !text.is_empty()) {
        let segment = Segment { offset: decimal(offset)?, length: decimal(numbers.next()?)? };
        if segments.len() >= SEGMENT_LIMIT {
            return None;
        }
        segments.push(segment);
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let mut records = Records::default();
        records
            .read(b"17 path=a\nb=c d\xff\n20 mtime=1.25000000\n")
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(records.path.as_deref(), Some(&b"a\nb=c d\xff"[..]));
        assert_eq!(records.mtime, Some(Time { seconds: 1, nanoseconds: 250_000_000 }));
        for bad in [
            &b"1"[..],
            b"99 path=a\n",
            b"8 path=a\n",
            b"x path=a\n",
            b"0 \n",
            b"-1 a=b\n",
            b"18446744073709551616 a=b\n",
            b"9 path:ab\n",
            b"8 a\0=\0b",
            b"4 =\n",
        ] {
            assert!(matches!(records.read(bad), Err(PaxProblem::Record { .. })), "{bad:?}");
        }
        for bad in [
            &b"12 path=a\0b\n"[..],
            b"11 size=-1\n",
            b"10 uid=1e\n",
            b"18 uid=4294967295\n",
            b"11 mtime=x\n",
            b"16 mtime=1.2.3.\n",
            b"13 mtime=--1\n",
        ] {
            assert!(matches!(records.read(bad), Err(PaxProblem::Value { .. })), "{bad:?}");
        }
    }

    #[test]
    fn times_before_1970() {
        assert_eq!(time(b"-1.5"), Some(Time { seconds: -2, nanoseconds: 500_000_000 }));
        assert_eq!(time(b"-3"), Some(Time { seconds: -3, nanoseconds: 0 }));
        assert_eq!(time(b"7.0000000019"), Some(Time { seconds: 7, nanoseconds: 1 }));
        assert_eq!(time(b"9223372036854775808"), None);
        assert_eq!(time(b""), None);
    }
}
