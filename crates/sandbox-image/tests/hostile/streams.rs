//! Compressed streams: whole, in parts, cut short, and followed by something else.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};

use sandbox_image::archive::{
    Algorithm, Compression, Digest, Entries, Error, Limits, Stream, StreamOptions,
};

use super::fixture::{Tar, bzip2, gzip, stream, xz, zstd};

type Pack = fn(&[u8]) -> Vec<u8>;
const PACKS: [(Compression, Pack); 5] = [
    (Compression::None, |bytes| bytes.to_vec()),
    (Compression::Gzip, |bytes| gzip(bytes)),
    (Compression::Bzip2, bzip2),
    (Compression::Xz, xz),
    (Compression::Zstd, zstd),
];

/// Something that compresses badly.
fn noise(size: usize) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    std::iter::successors(Some(7_u32), |s| {
        Some(s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    })
    .map(|mut state| next(&mut state).unwrap())
    .take(size)
    .collect()
}

fn all(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut stream = stream(bytes).map_err(|error| error.to_string())?;
    stream.read_to_end(&mut out).map_err(|error| error.to_string())?;
    stream.finish().map_err(|error| error.to_string())?;
    Ok(out)
}

/// Reads an archive as the unpacker does, without a disk.
fn read(bytes: Vec<u8>) -> Result<usize, Error> {
    let mut entries = Entries::new(stream(bytes)?, Limits::default());
    let mut count = 0;
    while entries.next_entry()?.is_some() {
        count += 1;
    }
    entries.finish()?.finish()?;
    Ok(count)
}

#[test]
fn members_one_after_another() {
    let (a, b) = (noise(700_000), noise(1000));
    for (compression, pack) in PACKS {
        let packed = [pack(&a), pack(&b), pack(b"")].concat();
        let found = stream(packed.clone()).unwrap().compression();
        assert_eq!(found, compression);
        assert!(all(packed).unwrap() == [a.as_slice(), &b].concat(), "{compression}");
    }
}

#[test]
fn digests_and_progress() {
    let content = noise(1_000_000);
    for (_, pack) in PACKS {
        let packed = pack(&content);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&seen);
        let options = StreamOptions {
            raw_digest: Some(Algorithm::Sha256),
            digest: Some(Algorithm::Sha512),
            progress: Some(Box::new(move |bytes| {
                hear.lock().unwrap().push(bytes);
                Ok(())
            })),
            max_bytes: Some(1_000_000),
        };
        let totals = Stream::new(Cursor::new(packed.clone()), options).unwrap().finish().unwrap();
        assert_eq!(totals.bytes, 1_000_000);
        assert_eq!(totals.raw_bytes, packed.len() as u64);
        assert_eq!(totals.digest, Some(Digest::of(Algorithm::Sha512, &content)));
        assert_eq!(totals.raw_digest, Some(Digest::of(Algorithm::Sha256, &packed)));
        let seen = seen.lock().unwrap();
        assert!(seen.is_sorted() && seen.last() == Some(&totals.raw_bytes));
        let options = StreamOptions { max_bytes: Some(999_999), ..StreamOptions::default() };
        let error = Stream::new(Cursor::new(packed), options).unwrap().finish().unwrap_err();
        assert!(matches!(error, Error::TooLong { limit: 999_999 }), "{error}");
    }
}

/// Cut anywhere, it is an error; and the whole is none.
#[test]
fn truncated() {
    let tar = Tar::default().file("a", noise(3000)).dir("d").file("d/b", noise(2000));
    let entries = tar.0.len();
    let tar = tar.end();
    for (compression, pack) in PACKS {
        let packed = pack(&tar);
        assert_eq!(read(packed.clone()).unwrap(), 3, "{compression}");
        let ends = [packed.len() - 1, 1, 2, 7, 512 + 3000, entries - 48, entries - 49];
        for length in (0..packed.len()).step_by(100).chain(ends).filter(|n| *n < packed.len()) {
            let result = read(packed[..length].to_vec());
            if compression == Compression::None {
                // Between entries there is nothing to show that more was to come, as for GNU tar. Nor
                // is there where content ends, and tools exist that write no padding after the last.
                let first =
                    length == 512 + 3000 || length == 512 + 3072 || length == 512 + 3072 + 512;
                let last = length == entries - 48 || length == entries || length >= entries + 512;
                let clean = first || last;
                assert_eq!(result.is_ok(), clean, "{length}: {result:?}");
                continue;
            }
            let error = result.expect_err("a part was taken for the whole").to_string();
            let wanted = if length > 6 { "truncated" } else { "" };
            assert!(error.contains(wanted), "{compression} {length}: {error}");
        }
    }
}

#[test]
fn damaged() {
    let content = noise(50_000);
    for (compression, pack) in PACKS.into_iter().skip(1) {
        let packed = pack(&content);
        for at in [packed.len() / 2, packed.len() - 5] {
            let mut bytes = packed.clone();
            bytes[at] ^= 0x55;
            match all(bytes) {
                // Frames of zstd have a checksum only if asked.
                Ok(out) => assert!(compression == Compression::Zstd && out != content),
                Err(error) => {
                    assert!(error.contains("damaged") || error.contains("truncated"), "{error}");
                }
            }
        }
    }
}

#[test]
fn garbage_after_the_stream() {
    for (compression, pack) in PACKS.into_iter().skip(1) {
        let packed = pack(b"text");
        for garbage in [&b"x"[..], b"garbage and more", b"\0x", &[0x1f]] {
            let error = all([&packed, garbage].concat()).unwrap_err();
            assert!(error.contains("trailing garbage"), "{compression}: {error}");
        }
        // Zeros: gzip ignores any, xz has padding.
        let zeros = all([packed.as_slice(), &[0; 8]].concat());
        let fine = matches!(compression, Compression::Gzip | Compression::Xz);
        assert_eq!(zeros.is_ok(), fine, "{compression}: {zeros:?}");
    }
    let padded = [xz(b"a"), vec![0; 4], xz(b"b")].concat();
    assert_eq!(all(padded).unwrap(), b"ab");
    assert!(all([xz(b"a"), vec![0; 3]].concat()).unwrap_err().contains("trailing garbage"));
}

#[test]
fn garbage_after_the_archive() {
    let mut tar = Tar::default().file("a", "x").end();
    assert_eq!(read([tar.as_slice(), &[0; 10_000]].concat()).unwrap(), 1);
    tar.extend_from_slice(b"garbage");
    let error = read(tar).unwrap_err();
    assert!(matches!(error, Error::AfterEnd { offset: 2048 }), "{error}");
}

#[test]
fn what_is_no_archive() {
    let tar = Tar::default().file("a", "x").end();
    let error = read(gzip(gzip(tar.as_slice()).as_slice())).unwrap_err();
    assert!(matches!(error, Error::Nested { compression: Compression::Gzip }), "{error}");
    let error = read(zstd(&xz(&tar))).unwrap_err();
    assert!(matches!(error, Error::Nested { compression: Compression::Xz }), "{error}");
    for bytes in [&b""[..], b"text", &[b'x'; 4096], &noise(1000)] {
        assert!(matches!(read(bytes.to_vec()), Err(Error::NotTar)), "{bytes:?}");
        assert!(matches!(read(gzip(bytes)), Err(Error::NotTar)));
    }
}

#[test]
fn too_much_memory() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    io::copy(&mut &noise(100)[..], &mut encoder).unwrap();
    let error = all(encoder.finish().unwrap()).unwrap_err();
    assert!(error.contains("134217728") && error.contains("window"), "{error}");
    let mut large = Vec::new();
    liblzma::bufread::XzEncoder::new(&b"text"[..], 9).read_to_end(&mut large).unwrap();
    let error = all(large).unwrap_err();
    assert!(error.contains("67108864") && error.contains("xz -6"), "{error}");
}

/// An error of the file is not one of the stream.
#[test]
fn a_file_that_cannot_be_read() {
    struct Fails(Cursor<Vec<u8>>);
    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("the disk is gone")),
                count => Ok(count),
            }
        }
    }
    for (compression, pack) in PACKS {
        let mut packed = pack(&noise(100_000));
        packed.truncate(packed.len() - 10);
        let file = Fails(Cursor::new(packed));
        let error = Stream::new(file, StreamOptions::default()).unwrap().finish().unwrap_err();
        assert!(matches!(error, Error::Read(_)), "{compression}: {error}");
        assert!(error.to_string().contains("the disk is gone"), "{error}");
    }
}

/// Nobody waits for a stream that is not wanted any more.
#[test]
fn dropped_in_the_middle() {
    let stream = Stream::new(io::repeat(0), StreamOptions::default()).unwrap();
    let mut entries = Entries::new(stream, Limits::default());
    assert!(entries.next_entry().unwrap().is_none());
    drop(entries);
}
