//! Images that are written here, read again.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use sandbox_image::aci::build::{Compression, build};
use sandbox_image::aci::layout::{EntryKind, Layout};
use sandbox_image::aci::types::ImageId;
use sha2::{Digest, Sha512};
use tempfile::TempDir;

use super::image;

fn long() -> PathBuf {
    Path::new(&"d".repeat(200)).join("f".repeat(200))
}

/// A tree with one of everything that any user can make.
fn tree() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for name in ["b", "a", "b/sub"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    fs::write(root.join("b/file"), "hello").unwrap();
    fs::set_permissions(root.join("b/file"), Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(root.join("b/file"), root.join("c-hard")).unwrap();
    symlink("b/file", root.join("a/link")).unwrap();
    symlink("t".repeat(150), root.join("a/long-link")).unwrap();
    fs::create_dir(root.join(long().parent().unwrap())).unwrap();
    fs::write(root.join(long()), "").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"z-\xff")), "x").unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    File::options().write(true).open(root.join("b/file")).unwrap().set_modified(time).unwrap();
    directory
}

fn written(root: &Path, compression: Compression) -> (ImageId, Vec<u8>) {
    let mut bytes = Vec::new();
    let id = build(image("").as_bytes(), root, &mut bytes, compression).unwrap();
    (id, bytes)
}

struct Entry {
    path: PathBuf,
    header: tar::Header,
    link: Option<PathBuf>,
    records: Vec<(String, Vec<u8>)>,
    contents: Vec<u8>,
}

fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut archive = tar::Archive::new(bytes);
    let entry = |entry: std::io::Result<tar::Entry<&[u8]>>| {
        let mut entry = entry.unwrap();
        let records = entry.pax_extensions().unwrap().into_iter().flatten().map(|record| {
            let record = record.unwrap();
            (record.key().unwrap().to_owned(), record.value_bytes().to_owned())
        });
        let records = records.collect();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        let link = entry.link_name().unwrap().map(std::borrow::Cow::into_owned);
        Entry {
            path: entry.path().unwrap().into_owned(),
            header: entry.header().clone(),
            link,
            records,
            contents,
        }
    };
    archive.entries().unwrap().map(entry).collect()
}

#[test]
fn it_has_everything_in_order() {
    let tree = tree();
    let (id, bytes) = written(tree.path(), Compression::None);
    let digest: [u8; 64] = Sha512::digest(&bytes).into();
    assert_eq!(id, ImageId::from_digest(&digest));
    let entries = entries(&bytes);
    let rootfs = Path::new("rootfs");
    let expected: Vec<PathBuf> = [Path::new("manifest"), rootfs]
        .into_iter()
        .map(Path::to_owned)
        .chain(
            [
                Path::new("a"),
                Path::new("a/link"),
                Path::new("a/long-link"),
                Path::new("b"),
                Path::new("b/file"),
                Path::new("b/sub"),
                Path::new("c-hard"),
                long().parent().unwrap(),
                &long(),
                Path::new(OsStr::from_bytes(b"z-\xff")),
            ]
            .map(|path| rootfs.join(path)),
        )
        .collect();
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.clone()).collect();
    assert_eq!(paths, expected);
    let mut layout = Layout::new();
    for entry in &entries {
        let kind = match entry.header.entry_type() {
            tar::EntryType::Regular => EntryKind::File,
            tar::EntryType::Directory => EntryKind::Directory,
            _ => EntryKind::Other,
        };
        layout.entry(entry.path.as_os_str().as_bytes(), kind).unwrap();
    }
    layout.finish().unwrap();
    let of = |path: &str| entries.iter().find(|entry| entry.path == Path::new(path)).unwrap();
    assert_eq!(of("manifest").contents, image("").as_bytes());
    let file = of("rootfs/b/file");
    assert_eq!(file.contents, b"hello");
    assert_eq!(file.header.mode().unwrap(), 0o4751);
    let owner = fs::metadata(tree.path().join("b/file")).unwrap();
    assert_eq!(file.header.uid().unwrap(), u64::from(owner.uid()));
    assert_eq!(file.header.gid().unwrap(), u64::from(owner.gid()));
    assert_eq!(file.header.username_bytes(), Some(&b""[..]));
    let time = ("mtime".to_owned(), b"1000000000.123456789".to_vec());
    assert!(file.records.contains(&time), "{:?}", file.records);
    let hard = of("rootfs/c-hard");
    assert_eq!(hard.header.entry_type(), tar::EntryType::Link);
    assert_eq!(hard.link.as_deref(), Some(Path::new("rootfs/b/file")));
    assert_eq!(of("rootfs/a/link").link.as_deref(), Some(Path::new("b/file")));
    assert_eq!(of("rootfs/a/long-link").link.as_deref(), Some(Path::new(&"t".repeat(150))));
}

#[test]
fn the_same_tree_makes_the_same_bytes() {
    let tree = tree();
    let (id, plain) = written(tree.path(), Compression::None);
    assert_eq!(written(tree.path(), Compression::None), (id.clone(), plain.clone()));
    let (packed_id, packed) = written(tree.path(), Compression::Gzip);
    assert_eq!(written(tree.path(), Compression::Gzip).1, packed);
    assert_eq!(packed_id, id);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    fs::write(tree.path().join("b/file"), "other").unwrap();
    assert_ne!(written(tree.path(), Compression::None).0, id);
}

#[cfg(target_os = "linux")]
#[test]
fn extended_attributes() {
    use rustix::fs::{XattrFlags, setxattr};

    let tree = tree();
    let file = tree.path().join("b/file");
    let set = |name: &str, value: &[u8]| setxattr(&file, name, value, XattrFlags::empty());
    if let Err(error) = set("user.b", b"\0\xff") {
        sandbox_testkit::fixture::skip("extended attributes", &error.to_string()).unwrap();
        return;
    }
    set("user.a", b"").unwrap();
    let (_, bytes) = written(tree.path(), Compression::None);
    let entries = entries(&bytes);
    let entry = entries.iter().find(|entry| entry.path == Path::new("rootfs/b/file")).unwrap();
    let attributes: Vec<_> = entry
        .records
        .iter()
        .filter(|(name, _)| name.starts_with("SCHILY.xattr.user."))
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let expected: [(&str, &[u8]); 2] =
        [("SCHILY.xattr.user.a", b""), ("SCHILY.xattr.user.b", b"\0\xff")];
    assert_eq!(attributes, expected);
}

#[test]
fn times_before_1970() {
    let tree = tempfile::tempdir().unwrap();
    let file = tree.path().join("old");
    fs::write(&file, "").unwrap();
    for (before, expected) in [
        (Duration::new(1, 0), "-1.000000000"),
        (Duration::new(0, 250_000_000), "-0.250000000"),
        (Duration::new(1, 500_000_000), "-1.500000000"),
    ] {
        let time = SystemTime::UNIX_EPOCH - before;
        File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        if fs::metadata(&file).unwrap().modified().unwrap() != time {
            let reason = "this file system keeps no such times";
            sandbox_testkit::fixture::skip("times before 1970", reason).unwrap();
            return;
        }
        let (_, bytes) = written(tree.path(), Compression::None);
        let records = &entries(&bytes)[2].records;
        assert_eq!(records[0], ("mtime".to_owned(), expected.as_bytes().to_vec()));
    }
}

#[test]
fn what_cannot_be_written() {
    let tree = tree();
    let error = |manifest: &str, root: &Path| {
        let result = build(manifest.as_bytes(), root, Vec::new(), Compression::None);
        result.unwrap_err().to_string()
    };
    let good = image("");
    assert!(error("{}", tree.path()).starts_with("the manifest: missing field"));
    let file = tree.path().join("b/file");
    assert_eq!(
        error(&good, &file),
        format!(
            "{} is not a directory: give the one that becomes the image's root",
            file.display()
        )
    );
    let missing = tree.path().join("missing");
    assert!(error(&good, &missing).starts_with(&format!("{}: No such file", missing.display())));
    let socket = tree.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(error(&good, tree.path()).starts_with(&format!("{} is a socket", socket.display())));
    fs::remove_file(&socket).unwrap();
    let full = File::options().write(true).open("/dev/full");
    if let Ok(full) = full {
        for compression in [Compression::None, Compression::Gzip] {
            let error = build(good.as_bytes(), tree.path(), &full, compression).unwrap_err();
            assert!(error.to_string().contains("No space left on device"), "{error}");
        }
    }
}
