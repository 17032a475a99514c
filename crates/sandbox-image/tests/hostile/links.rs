//! Links that would lead outside.

use std::fs;
use std::os::unix::fs::MetadataExt;

use sandbox_image::archive::{Entries, Limits};
use sandbox_image::unpack::{Choice, Options, Unpacker};

use super::fixture::{Place, Tar, message, refused, says, stream};

/// A link means what it would mean to a process whose root is the target.
#[test]
fn a_file_through_a_link() {
    let place = Place::new();
    let outside = place.outside.to_str().unwrap();
    for target in [outside, "../outside", "../../../../../../../../../tmp", "/proc/self/cwd", "/"] {
        let tar = Tar::default().symlink("l", target).file("l/canary", "dead").end();
        // Where it would be is missing inside, or is inside.
        let _ = place.unpack_with(&tar, Options::for_layers());
        place.unharmed();
    }
    let place = Place::new();
    let tar = Tar::default().dir("in").symlink("l", "/../../in").file("l/f", "x").end();
    place.unpack(&tar).unwrap();
    assert_eq!(place.read("in/f"), "x");
}

#[test]
fn a_file_in_place_of_a_link() {
    let place = Place::new();
    let canary = place.outside.join("canary");
    let tar = Tar::default()
        .symlink("absolute", canary.to_str().unwrap())
        .symlink("relative", "../outside/canary")
        .file("absolute", "dead")
        .file("relative", "dead");
    place.unpack_with(&tar.end(), Options::for_layers()).unwrap();
    assert!(place.target.join("absolute").symlink_metadata().unwrap().is_file());
    assert!(place.target.join("relative").symlink_metadata().unwrap().is_file());
}

/// The directory that was opened last is not the one of that name any more.
#[test]
fn a_parent_that_becomes_a_link() {
    let place = Place::new();
    let tar =
        Tar::default().file("d/a", "1").symlink("d", "../outside").file("d/canary", "dead").end();
    let error = place.unpack_with(&tar, Options::for_layers()).unwrap_err();
    says(&message(&error), &["d/canary"]);
    let place = Place::new();
    let tar = Tar::default().file("d/a", "1").dir("e").symlink("d", "e").file("d/b", "2").end();
    place.unpack_with(&tar, Options::for_layers()).unwrap();
    assert_eq!(place.names(), ["d", "e/", "e/b"]);
}

/// The modes of directories come in the end; a link in the place of one is not followed.
#[test]
fn a_directory_that_becomes_a_link() {
    let place = Place::new();
    let tar = Tar::default()
        .with(b'5', "d", |header| header.set_mode(0o700))
        .dir("d/e")
        .symlink("d", "../outside");
    place.unpack_with(&tar.end(), Options::for_layers()).unwrap();
    assert_eq!(place.names(), ["d"]);
}

#[test]
fn hard_links_to_what_is_outside() {
    for target in ["../outside/canary", "/etc/passwd", "a/../../outside/canary"] {
        let text = refused(&Tar::default().hard("h", target).end());
        says(&text, &["\"h\"", target, "outside"]);
    }
    says(&refused(&Tar::default().hard("h", "missing").end()), &["\"h\"", "\"missing\""]);
    says(&refused(&Tar::default().dir("d").hard("h", "d").end()), &["\"h\""]);
    let place = Place::new();
    let tar = Tar::default().symlink("l", "../outside").hard("h", "l/canary").end();
    says(&message(&place.unpack(&tar).unwrap_err()), &["l/canary"]);
    let place = Place::new();
    let tar = Tar::default().hard("h", "/outside/canary").end();
    place.unpack_with(&tar, Options::for_layers()).unwrap_err();
}

/// It is one more name of the link, and what is written to it goes nowhere else.
#[test]
fn a_hard_link_to_a_link() {
    let place = Place::new();
    let tar = Tar::default().symlink("l", "../outside/canary").hard("h", "l").end();
    place.unpack(&tar).unwrap();
    let [l, h] = ["l", "h"].map(|name| place.target.join(name).symlink_metadata().unwrap());
    assert!(h.is_symlink());
    assert_eq!(l.ino(), h.ino());
    let tar = Tar::default().file("h", "dead").end();
    place.unpack_with(&tar, Options::for_layers()).unwrap();
    assert!(place.target.join("l").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn hard_links_that_are_fine() {
    let place = Place::new();
    let tar = Tar::default().file("d/a", "x").hard("b", "d/a").hard("./d/c", "./b").hard("c", "c");
    let error = place.unpack(&tar.end()).unwrap_err();
    says(&message(&error), &["\"c\""]);
    let again = Tar::default().file("a", "new").hard("b", "a").hard("a", "b").end();
    place.unpack_with(&again, Options::for_layers()).unwrap();
    assert_eq!(fs::metadata(place.target.join("a")).unwrap().nlink(), 2);
    assert_eq!((place.read("a"), place.read("b")), ("new".into(), "new".into()));
    assert_eq!(place.read("d/c"), "x");
}

/// What the loader of App Container images does.
#[test]
fn stripped_skipped_and_captured() {
    let unpack = |tar: Tar| {
        let place = Place::new();
        let mut entries = Entries::new(stream(tar.end()).unwrap(), Limits::default());
        let root = fs::File::open(&place.target).unwrap();
        let mut unpacker = Unpacker::new(root.into(), Options::for_caller());
        let captured = unpacker.apply(&mut entries, &mut |entry| match entry.path.as_slice() {
            b"manifest" => Choice::Capture(16),
            b"rootfs/skipped" => Choice::Skip,
            _ => Choice::Strip(1),
        });
        place.unharmed();
        captured.map_err(|error| message(&error)).map(|captured| (captured, place.names()))
    };
    let image = || Tar::default().file("manifest", "{}").dir("rootfs").file("rootfs/a", "x");
    let (captured, names) = unpack(image().hard("rootfs/b", "rootfs/a")).unwrap();
    assert_eq!(captured[&b"manifest"[..]], b"{}");
    assert_eq!(names, ["a", "b"]);
    for (target, what) in [("manifest", "outside"), ("a", "outside"), ("other/a", "outside")] {
        says(&unpack(image().hard("rootfs/b", target)).unwrap_err(), &[target, what]);
    }
    let skipped = image().file("rootfs/skipped", "x").hard("rootfs/b", "rootfs/skipped");
    says(&unpack(skipped).unwrap_err(), &["rootfs/skipped", "left out"]);
    says(&unpack(Tar::default().file("manifest", [b' '; 17])).unwrap_err(), &["17 bytes", "16"]);
    says(&unpack(Tar::default().symlink("manifest", "x")).unwrap_err(), &["has to be a file"]);
    says(&unpack(Tar::default().symlink("rootfs", "/")).unwrap_err(), &["no directory"]);
}

/// Not even to itself, which link(2) would not refuse as long as the name is taken.
#[test]
fn a_hard_link_to_a_directory() {
    for name in ["d", "other"] {
        let tar = Tar::default().dir("d").hard(name, "d").end();
        let error = Place::new().unpack_with(&tar, Options::for_layers()).unwrap_err();
        says(&message(&error), &[&format!("entry \"{name}\": a hard link to \"d\"")]);
    }
}
