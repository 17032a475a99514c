//! Maps of sparse files: which parts of a file an archive has.

use tar::{GnuExtSparseHeader, GnuSparseHeader};

use super::SparseProblem;
use super::pax::{SEGMENT_LIMIT, decimal};

/// A part of a file that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Whether the parts are in order, inside a file of `size` bytes, and are what is stored.
pub(super) fn check(map: &[Segment], size: u64, stored: u64) -> Result<(), SparseProblem> {
    let (mut end, mut mapped) = (0_u64, 0_u64);
    for Segment { offset, length } in map {
        let wrong = SparseProblem::Order { offset: *offset, length: *length };
        let next = offset.checked_add(*length).filter(|next| *next <= size && *offset >= end);
        end = next.ok_or(wrong)?;
        // Parts that don't overlap have no more bytes than the file.
        mapped = mapped.saturating_add(*length);
    }
    if mapped == stored { Ok(()) } else { Err(SparseProblem::Size { mapped, stored }) }
}

/// Adds the parts that a header of old GNU tar has.
pub(super) fn old_gnu(
    map: &mut Vec<Segment>,
    headers: &[GnuSparseHeader],
) -> Result<(), SparseProblem> {
    let number = |number: std::io::Result<u64>, field: &[u8]| {
        number.map_err(|_| SparseProblem::Number { value: super::error::shown(field) })
    };
    for header in headers.iter().take_while(|header| !header.is_empty()) {
        if map.len() >= SEGMENT_LIMIT {
            return Err(SparseProblem::TooMany { limit: SEGMENT_LIMIT });
        }
        map.push(Segment {
            offset: number(header.offset(), &header.offset)?,
            length: number(header.length(), &header.numbytes)?,
        });
    }
    Ok(())
}

/// A block of further parts, and whether another follows.
pub(super) fn extension(map: &mut Vec<Segment>, block: &[u8]) -> Result<bool, SparseProblem> {
    let mut header = GnuExtSparseHeader::new();
    if let Some(bytes) = block.get(..header.as_bytes().len()) {
        header.as_mut_bytes().copy_from_slice(bytes);
    }
    old_gnu(map, header.sparse())?;
    Ok(header.is_extended())
}

/// Reads the map of version 1.0 of GNU's format: decimal lines, the number of parts first.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    parts: Option<u64>,
    offset: Option<u64>,
    pub(super) map: Vec<Segment>,
}

impl Lines {
    /// Takes a block. Whether the map is complete; what is left of the block is padding.
    pub(super) fn block(&mut self, block: &[u8]) -> Result<bool, SparseProblem> {
        for byte in block {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > 20 {
                    return Err(self.not_a_number());
                }
                continue;
            }
            let number = decimal(&self.line).ok_or_else(|| self.not_a_number())?;
            self.line.clear();
            match (self.parts, self.offset.take()) {
                (None, _) if number > SEGMENT_LIMIT as u64 => {
                    return Err(SparseProblem::TooMany { limit: SEGMENT_LIMIT });
                }
                (None, _) => self.parts = Some(number),
                (_, None) => self.offset = Some(number),
                (_, Some(offset)) => self.map.push(Segment { offset, length: number }),
            }
            if self.parts == Some(self.map.len() as u64) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn not_a_number(&self) -> SparseProblem {
        SparseProblem::Number { value: super::error::shown(&self.line) }
    }
}
