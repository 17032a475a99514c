//! What becomes of what is not content: the top directory of an image, and what could not be kept.

use std::os::unix::fs::MetadataExt;

use sandbox_image::app::RootSource;
use sandbox_image::unpack::Devices;
use sandbox_testkit::fixture::skip;

use super::World;

#[test]
fn the_upper_directory_of_an_overlay_is_like_it() {
    if !rustix::process::geteuid().is_root() {
        skip("load", "giving files away needs root").unwrap();
        return;
    }
    let world = World::new();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o2751);
    header.set_uid(1234);
    header.set_gid(4321);
    header.set_mtime(1_700_000_000);
    tar.append_data(&mut header, "./", &b""[..]).unwrap();
    let image = world.write("image", &tar.into_inner().unwrap());
    let loaded = world.cached().load(&image).unwrap();
    let RootSource::Overlay { upper, .. } = loaded.root.source() else {
        skip("load", "the file system has no overlays").unwrap();
        return;
    };
    let found = upper.metadata().unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1234, 4321, 0o2751));
    assert_eq!(found.mtime(), 1_700_000_000);
}

#[test]
fn names_that_are_told_do_nothing_to_a_terminal() {
    let world = World::new();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Char);
    header.set_size(0);
    header.set_device_major(1).unwrap();
    header.set_device_minor(3).unwrap();
    tar.append_data(&mut header, "a\x1b]0;title\x07", &b""[..]).unwrap();
    let image = world.write("image", &tar.into_inner().unwrap());
    let mut loader = world.loader();
    loader.unpack.devices = Devices::Skip;
    let lost = loader.load(&image).unwrap().lost;
    assert!(lost.iter().any(|line| line.contains("]0;title")), "{lost:?}");
    assert!(!lost.iter().any(|line| line.contains(char::is_control)), "{lost:?}");
}
