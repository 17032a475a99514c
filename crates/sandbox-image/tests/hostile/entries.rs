//! Names, headers and extended headers that are wrong.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::fixture::{Place, Tar, message, refused, says};

#[test]
fn absolute_names() {
    says(&refused(&Tar::default().file("/etc/passwd", "x").end()), &["/etc/passwd", "absolute"]);
}

#[test]
fn names_with_dots() {
    for name in ["../canary", "a/../../outside/canary", "..", "a/..", "./../outside/new"] {
        says(&refused(&Tar::default().file(name, "x").end()), &[name, ".."]);
        says(&refused(&Tar::default().dir(name).end()), &[name]);
        let place = Place::new();
        let options = sandbox_image::unpack::Options::for_layers();
        let error = place.unpack_with(&Tar::default().file(name, "x").end(), options);
        says(&message(&error.unwrap_err()), &[name]);
    }
}

#[test]
fn layers_may_have_absolute_names() {
    let place = Place::new();
    let options = sandbox_image::unpack::Options::for_layers();
    place.unpack_with(&Tar::default().file("/etc/passwd", "x").end(), options).unwrap();
    assert_eq!(place.names(), ["etc/", "etc/passwd"]);
}

#[test]
fn duplicates() {
    let tar = Tar::default().file("a", "1").file("./a", "2").end();
    says(&refused(&tar), &["\"a\"", "two entries"]);
    let place = Place::new();
    place.unpack_with(&tar, sandbox_image::unpack::Options::for_layers()).unwrap();
    assert_eq!(place.read("a"), "2");
}

#[test]
fn long_names() {
    let long = "n".repeat(65_536);
    says(&refused(&Tar::default().file(&long, "x").end()), &["65537 bytes", "4096"]);
    says(
        &refused(&Tar::default().file("d/".to_owned() + &"c".repeat(300), "x").end()),
        &["300", "255"],
    );
    let tar = Tar::default().pax(b'x', &[("path", long.as_bytes())]).file("a", "x").end();
    says(&refused(&tar), &["65536 bytes"]);
    let tar = Tar::default().symlink("a", "t".repeat(5000)).end();
    says(&refused(&tar), &["link name", "5001"]);
    // As long as possible.
    let place = Place::new();
    let most = vec!["p".repeat(250); 4].join("/");
    place.unpack(&Tar::default().file(&most, "x").end()).unwrap();
    assert_eq!(place.read(&most), "x");
}

#[test]
fn names_that_are_no_text() {
    let place = Place::new();
    let name = b"caf\xe9\n\x1b[31m";
    place.unpack(&Tar::default().file(name, "x").end()).unwrap();
    let entry = fs::read_dir(&place.target).unwrap().next().unwrap().unwrap();
    assert_eq!(entry.file_name().as_bytes(), name);
    // And a message about it is one line.
    let text = refused(&Tar::default().file(name, "x").file(name, "y").end());
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn pax_abuse() {
    let file = |records: &[(&str, &[u8])]| Tar::default().pax(b'x', records).file("a", "x").end();
    says(&refused(&file(&[("size", b"99999999999999999999")])), &["size", "99999999999999999999"]);
    says(&refused(&file(&[("size", b"18446744073709551615")])), &["--max-unpacked-size"]);
    says(&refused(&file(&[("size", b"-1")])), &["size", "-1"]);
    says(&refused(&file(&[("size", b"4096")])), &["truncated"]);
    says(&refused(&file(&[("path", b"a\0b")])), &["path"]);
    says(&refused(&file(&[("path", b"../a")])), &["../a"]);
    says(&refused(&file(&[("path", b"/a")])), &["absolute"]);
    says(&refused(&file(&[("mtime", b"1e9")])), &["mtime", "1e9"]);
    says(&refused(&file(&[("uid", b"4294967295")])), &["uid"]);
    says(
        &refused(&file(&[("SCHILY.xattr.user.x", &vec![b'x'; 70_000])])),
        &["SCHILY.xattr.user.x", "70000"],
    );
    for body in [&b"5 a=b\n"[..], b"9999 path=b\n", b"99999999999999999999 path=b\n", b"no\n"] {
        let header = Tar::header(b'x', b"pax", body.len() as u64);
        says(&refused(&Tar::default().raw(&header, body).file("a", "x").end()), &["LENGTH"]);
    }
    // A body that is claimed, and isn't there.
    let header = Tar::header(b'x', b"pax", 1 << 30);
    says(&refused(&Tar::default().raw(&header, b"").end()), &["1073741824 bytes"]);
    let header = Tar::header(b'x', b"pax", 1 << 20);
    says(&refused(&Tar::default().raw(&header, b"").end()), &["truncated"]);
    // Nothing after it.
    says(&refused(&Tar::default().pax(b'x', &[("path", b"b")]).end()), &["further entry"]);
}

#[test]
fn global_headers_hold_for_all() {
    let place = Place::new();
    let tar = Tar::default()
        .pax(b'g', &[("mtime", b"5"), ("comment", b"x")])
        .file("a", "x")
        .pax(b'x', &[("mtime", b"6.5")])
        .file("b", "x")
        .file("c", "x");
    place.unpack(&tar.end()).unwrap();
    let time = |name: &str| {
        use std::os::unix::fs::MetadataExt;
        let m = fs::metadata(place.target.join(name)).unwrap();
        (m.mtime(), m.mtime_nsec())
    };
    assert_eq!((time("a"), time("b"), time("c")), ((5, 0), (6, 500_000_000), (5, 0)));
    // They cannot add up without end.
    let mut tar = Tar::default();
    for number in 0..200 {
        tar = tar.pax(b'g', &[(&format!("SCHILY.xattr.user.{number}"), &vec![b'x'; 60_000])]);
    }
    says(&refused(&tar.file("a", "x").end()), &["SCHILY.xattr.user.100"]);
}

#[test]
fn numbers_that_do_not_fit() {
    let field = |from: usize, bytes: &[u8]| {
        let mut header = Tar::header(b'0', b"a", 0);
        header.as_mut_bytes()[from..from + bytes.len()].copy_from_slice(bytes);
        header.set_cksum();
        Tar::default().raw(&header, b"").end()
    };
    let negative = [0xff; 12];
    says(&refused(&field(124, &negative)), &["size"]);
    says(&refused(&field(124, &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), &["size"]);
    says(&refused(&field(124, b"12x45678901\0")), &["size"]);
    says(&refused(&field(108, &[0xff; 8])), &["uid"]);
    says(&refused(&field(116, &[0x80, 0, 0, 1, 0, 0, 0, 0])), &["gid"]);
    says(&refused(&field(136, &[0x80, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0])), &["mtime"]);
    says(&refused(&field(136, &[0xff, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0])), &["mtime"]);
    // Before 1970 there were files as well, and blank is zero.
    Place::new().unpack(&field(136, &negative)).unwrap();
    Place::new().unpack(&field(108, &[b' '; 8])).unwrap();
}

#[test]
fn unknown_kinds_and_wrong_checksums() {
    says(&refused(&Tar::default().entry(b'V', "label", b"").end()), &["label", "'V'"]);
    says(&refused(&Tar::default().entry(b'M', "part", b"").end()), &["part", "'M'"]);
    let mut tar = Tar::default().file("a", "x").file("b", "y").end();
    tar[1024] ^= 1;
    says(&refused(&tar), &["offset 1024", "checksum"]);
    tar[0] ^= 1;
    says(&refused(&tar), &["not a tar archive"]);
}

#[test]
fn directories_over_links_and_files_over_directories() {
    let place = Place::new();
    let tar = Tar::default().dir("d").file("d/x", "x").symlink("l", "d").end();
    let over = Tar::default().dir("l").file("l/y", "y").file("d", "file").end();
    place.layers(&[&tar, &over], sandbox_image::unpack::Options::for_layers()).unwrap();
    assert_eq!(place.names(), ["d", "l/", "l/y"]);
    let text = refused(&Tar::default().file("d/x", "x").file("d", "file").end());
    says(&text, &["\"d\"", "directory"]);
}
