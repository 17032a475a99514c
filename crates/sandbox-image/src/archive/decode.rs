//! Decompressing: members one after another, until the file ends.

use std::io::{self, BufRead, Read};
use std::thread::available_parallelism;

use liblzma::stream::{Action, MtStreamBuilder, Status};

use super::source::Source;
use super::{Compression, Error};

/// The largest window of a zstd frame: 16 MiB, twice that of `zstd -19`.
const ZSTD_WINDOW_LOG: u32 = 24;
/// Up to here liblzma may use more than one thread; it takes fewer where their blocks don't fit.
const XZ_THREADING: u64 = 36 << 20;
/// What liblzma may use at all: enough for a dictionary of 32 MiB (`xz -8`).
const XZ_STOP: u64 = 36 << 20;

/// Fills `buffer` again and again with what `source` is decompressed to. `sink` takes the filled buffer,
/// and gives back one to fill next, of the length that it wants, or `None` if nobody wants more.
pub(super) fn decode<R: Read>(
    source: &mut Source<R>,
    compression: Compression,
    mut buffer: Vec<u8>,
    mut sink: impl FnMut(Vec<u8>) -> Result<Option<Vec<u8>>, Error>,
) -> Result<(), Error> {
    let mut filled = 0;
    loop {
        let mut member = member(source, compression)?;
        loop {
            let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) else {
                filled = 0;
                match sink(buffer)? {
                    Some(empty) => buffer = empty,
                    None => return Ok(()),
                }
                continue;
            };
            match member.read(free) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    drop(member);
                    return Err(explain(error, source, compression));
                }
            }
        }
        drop(member);
        if !another(source, compression)? {
            buffer.truncate(filled);
            if filled > 0 {
                sink(buffer)?;
            }
            return Ok(());
        }
    }
}

/// What reads one member, and no byte more.
fn member<'a, R: Read>(
    source: &'a mut Source<R>,
    compression: Compression,
) -> Result<Box<dyn Read + 'a>, Error> {
    let damaged = |source| Error::Damaged { compression, source };
    Ok(match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(flate2::bufread::GzDecoder::new(source)),
        Compression::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(source)),
        Compression::Xz => {
            let needs = source.peek(64).map(xz_dictionary)?;
            if needs.is_some_and(|needs| needs > 32 << 20) {
                let needs = needs.unwrap_or_default();
                return Err(Error::Memory { compression, needs, limit: 32 << 20 });
            }
            let threads = available_parallelism().map_or(1, |n| n.get().min(8));
            let stream = MtStreamBuilder::new()
                .threads(u32::try_from(threads).unwrap_or(1))
                .memlimit_threading(XZ_THREADING)
                .memlimit_stop(XZ_STOP)
                .timeout_ms(300)
                .decoder()
                .map_err(|error| damaged(error.into()))?;
            Box::new(Xz { source, stream, ended: false })
        }
        Compression::Zstd => {
            let needs = source.peek(18).map(zstd_window)?;
            let limit = 1 << ZSTD_WINDOW_LOG;
            if let Some(needs) = needs.filter(|needs| *needs > limit) {
                return Err(Error::Memory { compression, needs, limit });
            }
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(source).map_err(damaged)?.single_frame();
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(damaged)?;
            Box::new(decoder)
        }
    })
}

/// Whether another member follows. What follows and is none is an error, except zeros where the
/// format's own tool takes them: any after gzip, a multiple of four after xz.
fn another<R: Read>(source: &mut Source<R>, compression: Compression) -> Result<bool, Error> {
    let garbage = |offset| Err(Error::AfterStream { compression, offset });
    let end = source.position();
    let mut zeros = 0_u64;
    if matches!(compression, Compression::Gzip | Compression::Xz) {
        loop {
            let head = source.peek(1)?;
            if head != [0] {
                break;
            }
            let buffered = source.fill_buf().map_err(Error::from_io)?;
            let run = buffered.iter().take_while(|byte| **byte == 0).count();
            source.consume(run);
            zeros += run as u64;
        }
    }
    let head = source.peek(Compression::PEEK)?;
    let (nothing, same) = (head.is_empty(), Compression::of(head) == compression);
    match compression {
        _ if zeros == 0 && nothing => Ok(false),
        Compression::None => Ok(false),
        Compression::Gzip if nothing => Ok(false),
        Compression::Gzip if zeros > 0 => garbage(end),
        Compression::Xz if !zeros.is_multiple_of(4) => garbage(end),
        Compression::Xz if nothing => Ok(false),
        _ if same => Ok(true),
        _ => garbage(source.position()),
    }
}

/// What an error of a decompressor means.
fn explain<R: Read>(error: io::Error, source: &Source<R>, compression: Compression) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Truncated { compression, bytes: source.position() }
        }
        Err(source) => Error::Damaged { compression, source },
    }
}

/// Reads one stream of xz.
struct Xz<'a, R> {
    source: &'a mut Source<R>,
    stream: liblzma::stream::Stream,
    ended: bool,
}

impl<R: Read> Read for Xz<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let input = self.source.fill_buf()?;
            let eof = input.is_empty();
            let before = (self.stream.total_in(), self.stream.total_out());
            let action = if eof { Action::Finish } else { Action::Run };
            let status = self.stream.process(input, buffer, action)?;
            let taken = self.stream.total_in().saturating_sub(before.0);
            let given = self.stream.total_out().saturating_sub(before.1);
            // Both are at most the lengths of slices.
            self.source.consume(usize::try_from(taken).unwrap_or(usize::MAX));
            self.ended = status == Status::StreamEnd;
            if given > 0 {
                return Ok(usize::try_from(given).unwrap_or(usize::MAX));
            }
            if eof && status == Status::MemNeeded {
                // What liblzma calls a buffer error: it can go on neither here nor there.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

/// The window of the zstd frame that begins with `head` (RFC 8878, section 3.1.1.1).
fn zstd_window(head: &[u8]) -> Option<u64> {
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..] = head else { return None };
    if descriptor & 0x20 == 0 {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // A single segment: the window is the content.
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let length = [1, 2, 4, 8].get(usize::from(descriptor >> 6))?;
    let field = rest.get(*dictionary..)?.get(..*length)?;
    let size = field.iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    Some(if field.len() == 2 { size + 256 } else { size })
}

/// The dictionary of the first block of the xz stream that begins with `head`, where its last filter is
/// LZMA2 (the .xz file format, sections 3.1 and 5.3.1).
fn xz_dictionary(head: &[u8]) -> Option<u64> {
    let block = head.get(12..)?;
    let [size, flags, rest @ ..] = block else { return None };
    let sizes = usize::from(flags & 0x40 != 0) + usize::from(flags & 0x80 != 0);
    let filters = usize::from(flags & 3) + 1;
    let header = rest.get(..(usize::from(*size) * 4).min(rest.len()))?;
    let mut bytes = header;
    for _ in 0..sizes {
        xz_number(&mut bytes)?;
    }
    for _ in 0..filters {
        let id = xz_number(&mut bytes)?;
        let length = usize::try_from(xz_number(&mut bytes)?).ok()?;
        let (properties, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        if id == 0x21 {
            let bits = *properties.first().filter(|bits| **bits <= 40)?;
            let mantissa = 2 | u64::from(bits & 1);
            return Some(mantissa << (bits / 2 + 11));
        }
    }
    None
}

/// A number of variable length (the .xz file format, section 1.2).
fn xz_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_zstd() {
        let frame = |rest: &[u8]| zstd_window(&[&[0x28, 0xb5, 0x2f, 0xfd], rest].concat());
        assert_eq!(frame(&[0x04, 0x58]), Some(2 << 20));
        assert_eq!(frame(&[0x04, 0x88]), Some(128 << 20));
        assert_eq!(frame(&[0x24, 7]), Some(7));
        assert_eq!(frame(&[0xa4, 0, 0, 0, 1]), Some(1 << 24));
        assert_eq!(frame(&[0xa4, 0, 0]), None);
        assert_eq!(zstd_window(b"\x50\x2a\x4d\x18"), None);
    }

    #[test]
    fn dictionaries_of_xz() {
        use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
        for size in [1 << 20, 8 << 20, 48 << 20] {
            let mut options = LzmaOptions::new_preset(1).unwrap();
            options.dict_size(size);
            let mut filters = Filters::new();
            filters.x86().lzma2(&options);
            let stream = Stream::new_stream_encoder(&filters, Check::Crc32).unwrap();
            let mut xz = Vec::new();
            liblzma::bufread::XzEncoder::new_stream(&b"text"[..], stream)
                .read_to_end(&mut xz)
                .unwrap();
            assert_eq!(xz_dictionary(xz.get(..64).unwrap_or(&xz)), Some(u64::from(size)));
        }
    }
}
