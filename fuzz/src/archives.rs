//! Archives: their records, their compression, and what becomes of them in a directory.

use std::io::{BufRead, BufReader, Cursor};

use sandbox_image::archive::{
    Compression, Entries, Entry, Error, Kind, Limits, Stream, StreamOptions,
};
use sandbox_image::unpack::{self, Budget, Choice, Options, Unpacker};
use tar::Header;

use super::fixture::Place;

const BLOCK: usize = 512;
/// More entries than bytes of any input can hold.
const LIMITS: Limits = Limits { entries: 10_000 };
/// More bytes than are made of an input, unless it is a bomb.
const MAX_BYTES: u64 = 4 << 20;

/// The records of a tar archive. How the bytes come in must not matter.
pub fn tar_entries(bytes: &[u8]) {
    let mended = mended(bytes);
    for bytes in [bytes, &mended] {
        let whole = read(bytes);
        let parts = read(BufReader::with_capacity(7, bytes));
        assert_eq!(whole, parts);
    }
}

/// A file that may be compressed.
pub fn stream(bytes: &[u8]) {
    let options = StreamOptions { max_bytes: Some(MAX_BYTES), ..StreamOptions::default() };
    let Ok(stream) = Stream::new(Cursor::new(bytes.to_vec()), options) else { return };
    let compression = stream.compression();
    let mut entries = Entries::new(stream, LIMITS);
    while let Ok(Some(entry)) = entries.next_entry() {
        if content(&mut entries, &entry).is_err() {
            return;
        }
    }
    let Ok(totals) = entries.finish().and_then(Stream::finish) else { return };
    assert_eq!(totals.raw_bytes, bytes.len() as u64, "every byte of the file is read");
    assert!(totals.bytes <= MAX_BYTES);
    if compression == Compression::None {
        assert_eq!(totals.bytes, totals.raw_bytes);
    }
}

/// Unpacking, as an App Container image and as a layer: nothing outside of the directory changes.
pub fn unpack(bytes: &[u8]) {
    let bytes = mended(bytes);
    for mut options in [Options::for_caller(), Options::for_layers()] {
        options.budget = Budget::new(MAX_BYTES);
        let place = Place::new();
        // It may well fail.
        let _ = apply(&place, &[&bytes], options);
        place.unharmed();
    }
}

/// Unpacks layers, one over the other.
pub(crate) fn apply(
    place: &Place,
    layers: &[impl AsRef<[u8]>],
    options: Options,
) -> Result<unpack::Report, unpack::Error> {
    let mut unpacker = Unpacker::new(place.target(), options);
    for layer in layers {
        let mut entries = Entries::new(layer.as_ref(), LIMITS);
        unpacker.apply(&mut entries, &mut |_| Choice::Unpack)?;
        entries.finish()?;
    }
    unpacker.finish()
}

/// All that an archive says, and what is wrong with it.
fn read(input: impl BufRead) -> (Vec<Entry>, Option<String>) {
    let (mut all, mut entries) = (Vec::new(), Entries::new(input, LIMITS));
    let problem = loop {
        match entries.next_entry() {
            Ok(Some(entry)) => {
                let read = content(&mut entries, &entry);
                all.push(entry);
                if let Err(error) = read {
                    break Some(error);
                }
            }
            Ok(None) => break entries.finish().err(),
            Err(error) => break Some(error),
        }
    };
    let text = problem.map(|error| error.to_string());
    if let Some(text) = &text {
        assert!(!text.contains(char::is_control), "an error is one line of text: {text:?}");
    }
    (all, text)
}

/// Reads the content of an entry: its pieces come in order, each once, within the file.
fn content<R: BufRead>(entries: &mut Entries<R>, entry: &Entry) -> Result<(), Error> {
    let (mut end, mut bytes) = (0, 0);
    entries.content::<Error>(&mut |offset, piece| {
        assert!(offset >= end, "a piece at {offset} after one that ends at {end}");
        end = offset + piece.len() as u64;
        bytes += piece.len() as u64;
        assert!(end <= entry.size, "a piece that ends at {end} of {}", entry.size);
        Ok(())
    })?;
    assert_eq!(bytes, entry.stored);
    assert!(bytes == 0 || matches!(entry.kind, Kind::File | Kind::Sparse));
    Ok(())
}

/// The same bytes, where what is like a header has the checksum that it should have: a fuzzer would find
/// none but by chance.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(BLOCK) {
        if block.get(257..262) == Some(b"ustar") {
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(block);
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
    bytes
}
