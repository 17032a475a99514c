//! Archives that are too much.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use sandbox_image::archive::{self, Entries, Limits, Stream, StreamOptions};
use sandbox_image::unpack::{Budget, Choice, Options, Unpacker};
use sandbox_testkit::fixture::skip;

use super::fixture::{Place, Tar, gzip, is_root, message, refused, says, stream};

fn small(max_bytes: u64) -> Options {
    let mut options = Options::for_caller();
    options.budget = Budget::new(max_bytes);
    options
}

#[test]
fn the_budget_is_shared() {
    let options = small(10);
    let tar = Tar::default().file("a", "12345").file("b", "12345").end();
    Place::new().unpack_with(&tar, options.clone()).unwrap();
    assert_eq!(options.budget.used(), 10);
    let error =
        Place::new().unpack_with(&Tar::default().file("c", "1").end(), options).unwrap_err();
    says(&message(&error), &["\"c\"", "10 bytes", "--max-unpacked-size"]);
}

/// Ten GB of zeros in ten MB.
#[test]
fn a_bomb() {
    let begin = Instant::now();
    let header = Tar::header(b'0', b"zeros", 10_000_000_000);
    // Compressing so much would take longer than refusing it, so most of it is never made.
    let zeros = io::Cursor::new(header.as_bytes().to_vec()).chain(io::repeat(0).take(8 << 20));
    let bomb = gzip(zeros);
    assert!(bomb.len() < 1 << 20);
    let error = Place::new().unpack_with(&bomb, small(1 << 30)).unwrap_err();
    says(&message(&error), &["zeros", "1073741824", "--max-unpacked-size"]);
    // And where the header does not tell, after the end of the archive.
    let tar = Tar::default().file("a", "x").end();
    let bomb = gzip(io::Cursor::new(tar).chain(io::repeat(0).take(8 << 20)));
    let options = StreamOptions { max_bytes: Some(4 << 20), ..StreamOptions::default() };
    let stream = Stream::new(io::Cursor::new(bomb), options).unwrap();
    let error = Entries::new(stream, Limits::default()).finish().map(|_| ()).unwrap_err();
    assert!(matches!(error, archive::Error::TooLong { limit: 0x40_0000 }), "{error}");
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_petabyte_of_holes() {
    let old = |size: u64| {
        let mut header = Tar::header(b'S', b"sparse", 0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(size);
        gnu.sparse[0].set_offset(size);
        gnu.sparse[0].set_length(0);
        header.set_cksum();
        Tar::default().raw(&header, b"").end()
    };
    says(&refused(&old(1 << 50)), &["1125899906842624", "--max-unpacked-size"]);
    let pax = [("GNU.sparse.size", &b"1125899906842624"[..]), ("GNU.sparse.map", b"0,1")];
    let tar = Tar::default().pax(b'x', &pax).file("sparse", "x").end();
    says(&refused(&tar), &["1125899906842624", "--max-unpacked-size"]);
    // A long one is fine, and takes no room.
    let place = Place::new();
    place.unpack(&old(1 << 33)).unwrap();
    let metadata = place.target.join("sparse").metadata().unwrap();
    assert_eq!((metadata.size(), metadata.blocks()), (1 << 33, 0));
}

#[test]
fn maps_that_lie() {
    let map = |map: &str| {
        let pax = [("GNU.sparse.size", &b"100"[..]), ("GNU.sparse.map", map.as_bytes())];
        refused(&Tar::default().pax(b'x', &pax).file("s", "12345").end())
    };
    says(&map("0,4"), &["4 bytes, 5 are stored"]);
    says(&map("10,5,0,0"), &["overlaps"]);
    says(&map("98,5"), &["5 bytes at 98"]);
    says(&map("18446744073709551615,5"), &["18446744073709551615"]);
    says(&map("1,x"), &["GNU.sparse.map"]);
    let many = "0,0,".repeat(70_000);
    says(&map(&many), &["GNU.sparse.map"]);
    let version = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0")];
    let tar = |body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().max(512), 0);
        refused(&Tar::default().pax(b'x', &version).file("s", body).end())
    };
    says(&tar(b"x\n"), &["\"x\" is not a number"]);
    says(&tar(b"99999999\n"), &["more than 65536 parts"]);
    says(&tar(&[b'1'; 600]), &["is not a number"]);
    says(&tar(b"1\n0\n1\n"), &["1 bytes at 0"]);
    let short = Tar::default().pax(b'x', &version).file("s", "1\n0\n1\n").end();
    says(&refused(&short), &["stored"]);
    // Blocks of an old map that go on without saying anything.
    let mut header = Tar::header(b'S', b"s", 0);
    header.as_gnu_mut().unwrap().set_is_extended(true);
    header.set_cksum();
    let mut extension = tar::GnuExtSparseHeader::new();
    extension.set_is_extended(true);
    says(&refused(&Tar::default().raw(&header, extension.as_bytes()).end()), &["map"]);
}

/// A million empty files as they come, without an archive of that size in memory.
struct Many {
    next: u64,
    count: u64,
    template: [u8; 512],
    rest: Vec<u8>,
}

impl Read for Many {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.next < self.count {
            // Digits are all that differs; each adds its value to the checksum of the one with zeros.
            let mut header = self.template;
            let digits = format!("{:07}", self.next);
            header[..7].copy_from_slice(digits.as_bytes());
            let more: u32 = digits.bytes().map(|digit| u32::from(digit - b'0')).sum();
            let sum = u32::from_str_radix(std::str::from_utf8(&header[148..154]).unwrap(), 8);
            header[148..154].copy_from_slice(format!("{:06o}", sum.unwrap() + more).as_bytes());
            self.next += 1;
            self.rest = header.to_vec();
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

fn many() -> Many {
    let mut header = Tar::header(b'0', b"0000000", 0);
    let sum = header.cksum().unwrap();
    header.as_old_mut().cksum.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Many { next: 0, count: 1_000_000, template: *header.as_bytes(), rest: Vec::new() }
}

/// In a process of its own, whose memory is only this test's.
#[test]
fn a_million_entries() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--ignored", "limits::reads_a_million_entries"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    says(&text, &["1 passed"]);
}

#[test]
#[ignore = "it is a_million_entries that runs this"]
fn reads_a_million_entries() {
    let read = |entries| {
        let stream = Stream::new(many(), StreamOptions::default()).unwrap();
        let mut entries = Entries::new(stream, Limits { entries });
        let place = Place::new();
        let root = std::fs::File::open(&place.target).unwrap();
        let mut unpacker = Unpacker::new(root.into(), Options::for_caller());
        // What is left out is remembered as well as what is not.
        unpacker.apply(&mut entries, &mut |_| Choice::Skip).map_err(|error| message(&error))
    };
    says(&read(1000).unwrap_err(), &["more than 1000 entries"]);
    read(1_000_000).unwrap();
    let most = resident();
    assert!(most < 48 << 20, "{most} bytes");
}

/// The most memory that this process has had, in bytes (proc(5)).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_full_disk() {
    use std::process::Command;
    if !is_root() {
        skip("hostile", "mounting a tmpfs needs root").unwrap();
        return;
    }
    // In a mount namespace of its own, so that nothing is left mounted.
    let place = Place::new();
    let file = place.target.join("a.tar");
    std::fs::write(&file, Tar::default().file("big", vec![b'x'; 3 << 20]).end()).unwrap();
    let script = "mount -t tmpfs -o size=1m none \"$1/mnt\" && exec \"$2\" --exact --nocapture \
                  --ignored limits::unpacks_to_a_full_disk";
    std::fs::create_dir(place.target.join("mnt")).unwrap();
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(&place.target)
        .arg(std::env::current_exe().unwrap())
        .env("FULL_DISK", &place.target)
        .output();
    let Ok(output) = output else {
        skip("hostile", "no unshare").unwrap();
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    says(&text, &["said: ", "\"big\"", "cannot write it", "No space left"]);
    place.unharmed();
}

#[test]
#[ignore = "it is a_full_disk that runs this, on a small file system"]
fn unpacks_to_a_full_disk() {
    let Some(place) = std::env::var_os("FULL_DISK") else { return };
    let place = std::path::PathBuf::from(place);
    let tar = std::fs::read(place.join("a.tar")).unwrap();
    let root = std::fs::File::open(place.join("mnt")).unwrap();
    let mut unpacker = Unpacker::new(root.into(), Options::for_caller());
    let mut entries = Entries::new(stream(tar).unwrap(), Limits::default());
    let error = unpacker.apply(&mut entries, &mut |_| Choice::Unpack).unwrap_err();
    println!("said: {}", message(&error));
}
