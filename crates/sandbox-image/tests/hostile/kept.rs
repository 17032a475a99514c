//! What is kept of an archive: kinds, modes, times, attributes, holes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::{Command, Stdio};

use sandbox_image::unpack::{Devices, Options};
use sandbox_testkit::fixture::skip;

use super::fixture::{NOW, Place, Tar, is_root};

#[test]
fn modes_and_times() {
    let place = Place::new();
    let mode = |mode: u32| move |header: &mut tar::Header| header.set_mode(mode);
    let tar = Tar::default()
        .with(b'0', "setuid", mode(0o104_755))
        .with(b'0', "setgid", mode(0o2711))
        .with(b'5', "sticky", mode(0o1777))
        .with(b'5', "read-only", mode(0o555))
        .with(b'5', "read-only/below", mode(0o500))
        .file("read-only/below/file", "x")
        .with(b'6', "fifo", mode(0o622))
        .symlink("link", "missing")
        .file("implied/file", "x");
    place.unpack(&tar.end()).unwrap();
    let found = |name: &str| {
        let metadata = place.target.join(name).symlink_metadata().unwrap();
        (metadata.mode() & 0o7777, metadata.mtime().unsigned_abs())
    };
    assert_eq!(found("setuid"), (0o4755, NOW));
    assert_eq!(found("setgid"), (0o2711, NOW));
    assert_eq!(found("sticky"), (0o1777, NOW));
    assert_eq!(found("read-only"), (0o555, NOW));
    assert_eq!(found("read-only/below"), (0o500, NOW));
    assert_eq!(found("read-only/below/file"), (0o644, NOW));
    assert_eq!(found("fifo"), (0o622, NOW));
    assert_eq!(found("link").1, NOW);
    assert_eq!(found("implied").0, 0o755);
    assert!(place.target.join("fifo").metadata().unwrap().file_type().is_fifo());
    // So that the directory can be removed.
    for name in ["read-only", "read-only/below"] {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(place.target.join(name), all).unwrap();
    }
}

#[test]
fn the_top_directory_itself() {
    let place = Place::new();
    place
        .unpack(&Tar::default().with(b'5', "./", |h| h.set_mode(0o751)).file("./a", "").end())
        .unwrap();
    let metadata = place.target.metadata().unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime().unsigned_abs()), (0o751, NOW));
}

#[test]
fn devices() {
    let place = Place::new();
    let device = |header: &mut tar::Header| {
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_mode(0o666);
    };
    let tar = Tar::default().with(b'3', "null", device).with(b'4', "block", device).end();
    let mut options = Options::for_caller();
    options.devices = Devices::Skip;
    let report = place.unpack_with(&tar, options).unwrap();
    assert_eq!((report.devices.count, place.names().len()), (2, 0));
    assert_eq!(report.devices.examples, [b"null".to_vec(), b"block".to_vec()]);
    if !is_root() {
        return skip("hostile", "making devices needs root").unwrap();
    }
    let report = place.unpack(&tar).unwrap();
    if report.devices.count > 0 {
        return skip("hostile", "this root may not make devices").unwrap();
    }
    let metadata = place.target.join("null").metadata().unwrap();
    assert!(metadata.file_type().is_char_device());
    assert_eq!((metadata.rdev(), metadata.mode() & 0o7777), (0x103, 0o666));
}

#[test]
fn owners_of_root() {
    if !is_root() {
        return skip("hostile", "giving files away needs root").unwrap();
    }
    let place = Place::new();
    let owned = |header: &mut tar::Header| {
        header.set_uid(1234);
        header.set_gid(4321);
        header.set_mode(0o4755);
    };
    let tar = Tar::default()
        .with(b'0', "file", owned)
        .with(b'5', "dir", owned)
        .with(b'6', "fifo", owned)
        .pax(b'x', &[("uid", b"3000000000")])
        .with(b'0', "large", owned);
    assert!(place.unpack(&tar.end()).unwrap().complete());
    for name in ["file", "dir", "fifo"] {
        let metadata = place.target.join(name).metadata().unwrap();
        let found = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
        assert_eq!(found, (1234, 4321, 0o4755), "{name}");
    }
    assert_eq!(place.target.join("large").metadata().unwrap().uid(), 3_000_000_000);
}

#[test]
fn attributes() {
    let place = Place::new();
    let tar = Tar::default()
        .pax(b'x', &[("SCHILY.xattr.user.a", b"1\n2\0"), ("SCHILY.xattr.nonsense.b", b"3")])
        .file("file", "x")
        .pax(b'x', &[("SCHILY.xattr.user.a", b"4")])
        .dir("dir");
    let report = place.unpack(&tar.end()).unwrap();
    let (key, lost) = report.xattrs.iter().next_back().unwrap();
    assert_eq!((key.0.as_slice(), lost.count), (&b"nonsense.b"[..], 1));
    if report.xattrs.len() > 1 {
        return skip("hostile", "no attributes on this file system").unwrap();
    }
    let value = |name: &str| {
        let mut value = [0; 16];
        let path = place.target.join(name);
        let size = rustix::fs::getxattr(path, "user.a", &mut value).unwrap();
        value[..size].to_vec()
    };
    assert_eq!((value("file"), value("dir")), (b"1\n2\0".to_vec(), b"4".to_vec()));
}

/// Each format of sparse files that GNU tar writes, as it writes them.
#[test]
fn sparse_files_of_gnu_tar() {
    let from = tempfile::TempDir::new().unwrap();
    let path = from.path().join("sparse");
    let mut file = fs::File::create(&path).unwrap();
    let mut content = vec![0; 3 << 20];
    for at in (0..40_usize).map(|n| n * 65_536 + 4096) {
        content[at..at + 4096].fill(b'x');
    }
    for (number, block) in content.chunks(4096).enumerate() {
        if block[0] != 0 {
            std::os::unix::fs::FileExt::write_all_at(&file, block, number as u64 * 4096).unwrap();
        }
    }
    file.flush().unwrap();
    file.set_len(content.len() as u64).unwrap();
    for format in
        ["--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"]
    {
        let posix = if format.contains("version") { "--format=posix" } else { format };
        let tar = Command::new("tar")
            .args(["-c", "-S", posix, format, "-C"])
            .arg(from.path())
            .arg("sparse")
            .stderr(Stdio::inherit())
            .output();
        let Ok(tar) = tar else { return skip("hostile", "no tar").unwrap() };
        assert!(tar.status.success());
        assert!(tar.stdout.len() < 400_000, "tar has found no holes");
        let place = Place::new();
        place.unpack(&tar.stdout).unwrap();
        assert_eq!(place.names(), ["sparse"], "{format}");
        let copy = place.target.join("sparse");
        assert!(fs::read(&copy).unwrap() == content, "{format}");
        assert!(copy.metadata().unwrap().blocks() * 512 < 400_000, "{format}");
    }
}

/// The same files from the formats that tar programs write.
#[test]
fn formats_of_gnu_tar() {
    let from = tempfile::TempDir::new().unwrap();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(150));
    fs::create_dir(from.path().join("d".repeat(120))).unwrap();
    fs::write(from.path().join(&long), "content").unwrap();
    std::os::unix::fs::symlink("t".repeat(180), from.path().join("link")).unwrap();
    fs::hard_link(from.path().join(&long), from.path().join("hard")).unwrap();
    for format in ["gnu", "oldgnu", "posix"] {
        let tar = Command::new("tar")
            .args(["-c", &format!("--format={format}"), "-C"])
            .arg(from.path())
            .arg(".")
            .output();
        let Ok(tar) = tar else { return skip("hostile", "no tar").unwrap() };
        let place = Place::new();
        place.unpack(&tar.stdout).unwrap();
        assert_eq!((place.read(&long), place.read("hard")), ("content".into(), "content".into()));
        assert_eq!(fs::metadata(place.target.join("hard")).unwrap().nlink(), 2);
        let link = fs::read_link(place.target.join("link")).unwrap();
        assert_eq!(link.to_str().unwrap(), "t".repeat(180));
    }
}
