//! What counts for the limits beside the content of files.

use sandbox_image::unpack::{Budget, Error, Options};

use super::fixture::{Place, Tar, message, says};

fn with(max_bytes: u64) -> Options {
    let mut options = Options::for_caller();
    options.budget = Budget::new(max_bytes);
    options
}

/// What an archive takes of the budget.
fn used(tar: Tar) -> u64 {
    let options = with(1 << 30);
    Place::new().unpack_with(&tar.end(), options.clone()).unwrap();
    options.budget.used()
}

#[test]
fn attributes_and_targets_of_links_count() {
    assert_eq!(used(Tar::default().file("a", "12345")), 5);
    assert_eq!(used(Tar::default().symlink("a", "12345")), 5);
    let attribute = [("SCHILY.xattr.user.a", &[b'x'; 100][..])];
    assert_eq!(used(Tar::default().pax(b'x', &attribute).file("a", "12345")), 5 + 6 + 100);
    // A global header gives them to all.
    let tar = Tar::default().pax(b'g', &attribute).file("a", "").file("b", "").end();
    let error = Place::new().unpack_with(&tar, with(200)).unwrap_err();
    says(&message(&error), &["\"b\"", "200 bytes", "--max-unpacked-size"]);
}

/// A byte here and there takes a block each.
#[test]
fn parts_of_sparse_files_take_blocks() {
    let map: Vec<_> = (0..1000).map(|at| format!("{},1", at * 8192)).collect();
    let map = map.join(",");
    let pax = [("GNU.sparse.size", &b"8192000"[..]), ("GNU.sparse.map", map.as_bytes())];
    let tar = || Tar::default().pax(b'x', &pax).file("s", [b'x'; 1000]);
    assert_eq!(used(tar()), 1000 + 1000 * 4096);
    // But not more than the file has.
    let pax = [("GNU.sparse.size", &b"3"[..]), ("GNU.sparse.map", b"0,1,2,1")];
    assert_eq!(used(Tar::default().pax(b'x', &pax).file("s", "xy")), 3);
    let error = Place::new().unpack_with(&tar().end(), with(1 << 20)).unwrap_err();
    assert!(matches!(&error, Error::TooMuch { .. }), "{error}");
}

/// Each entry is in directories that there is no entry of.
#[test]
fn directories_that_are_implied() {
    let long = vec!["x".repeat(250); 15].join("/");
    let tar =
        |tops| (0..tops).fold(Tar::default(), |tar, top| tar.file(format!("{top}/{long}/f"), ""));
    Place::new().unpack(&tar(10).end()).unwrap();
    let place = Place::new();
    let error = place.unpack(&tar(1000).end()).unwrap_err();
    assert!(matches!(&error, Error::Directories { .. }), "{error}");
    says(&message(&error), &["directories", "bytes of memory"]);
    place.unharmed();
}

/// What was removed is no longer remembered.
#[test]
fn directories_that_are_replaced() {
    let mut options = Options::for_layers();
    options.budget = Budget::new(1 << 20);
    let long = vec!["x".repeat(250); 15].join("/");
    let layer =
        (0..800).fold(Tar::default().dir("top"), |tar, at| tar.dir(format!("top/{long}/{at}")));
    let layer = layer.end();
    let gone = Tar::default().file("top", "").end();
    let layers: Vec<&[u8]> = (0..12).flat_map(|_| [&layer[..], &gone[..]]).collect();
    Place::new().layers(&layers, options.clone()).unwrap();
    let kept: Vec<_> = (0..12)
        .map(|top| {
            let dirs =
                (0..800).fold(Tar::default(), |tar, at| tar.dir(format!("{top}/{long}/{at}")));
            dirs.end()
        })
        .collect();
    let kept: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
    let error = Place::new().layers(&kept, options).unwrap_err();
    assert!(matches!(&error, Error::Directories { .. }), "{error}");
}
