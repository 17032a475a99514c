//! The top directory of an image, whose owner, mode and times the root of the sandbox has.

use std::os::unix::fs::MetadataExt;

use sandbox_image::app::RootSource;
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
