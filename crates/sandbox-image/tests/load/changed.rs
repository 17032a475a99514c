//! Files that are changed between two readings.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_image::load::{Loader, Reading, Watcher};
use sandbox_image::place::Mark;

use super::{World, aci, is_changed, tar};

/// Does something once, as soon as so many bytes are read.
fn once(bytes: u64, act: impl FnOnce() + Send + 'static) -> Watcher {
    let mut act = Some(act);
    Arc::new(Mutex::new(move |reading: Reading<'_>| {
        if reading.bytes >= bytes {
            act.take().into_iter().for_each(|act| act());
        }
    }))
}

fn watched(mut loader: Loader<'_>, watcher: Watcher) -> Loader<'_> {
    loader.watch.watcher = Some(watcher);
    loader
}

/// Otherwise what others get for the good one's ID would be the evil one.
#[test]
fn what_is_unpacked_is_what_the_cache_calls_it() {
    for make in [|content: &[u8]| tar(&[("file", content)]), |content: &[u8]| aci("a", content)] {
        let world = World::new();
        let (good, evil) = (make(b"good"), make(b"evil"));
        let image = world.write("image", &good);
        let path = image.clone();
        let total = good.len() as u64;
        let change = move || {
            File::options().write(true).open(path).unwrap().write_all_at(&evil, 0).unwrap();
        };
        let loader = watched(world.cached(), once(total, change));
        is_changed(loader.load(&image), &image);
        assert_eq!(world.entries(), 0);
        // It is the evil one from the beginning now, and something by itself.
        world.cached().load(&image).unwrap();
        let good = world.write("good", &good);
        let loaded = world.cached().load(&good).unwrap();
        assert_eq!(fs::read(loaded.root.source().unpacked().join("file")).unwrap(), b"good");
        assert_eq!(world.entries(), 2);
    }
}

/// The ID is the one of what was unpacked, so what is run must be from there.
#[test]
fn the_manifest_is_that_of_the_tree() {
    let world = World::new();
    let (good, evil) = (aci("good", &vec![0; 500_000]), aci("evil", &vec![0; 500_000]));
    let image = world.write("image", &evil);
    let loaded = world.loader().load(&image).unwrap();
    assert_eq!(loaded.aci.unwrap().0.name.as_str(), "example.com/evil");
    let path = image.clone();
    let change = move || {
        File::options().write(true).open(path).unwrap().write_all_at(&good, 0).unwrap();
    };
    let other = World::new();
    is_changed(watched(other.loader(), once(1, change)).load(&image), &image);
}

/// Nor is it another's, whose ID is remembered for the file.
#[test]
fn a_manifest_does_not_get_the_tree_of_another() {
    let world = World::new();
    let good = world.write("good", &aci("good", b"x"));
    let evil = world.write("evil", &aci("evil", b"x"));
    let id = world.cached().load(&good).unwrap().id.unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let file = File::open(&evil).unwrap();
    world.cache.learn(&file, &Mark::of(&file).unwrap(), &id.appc());
    assert_eq!(world.cache.known(&file), Some(id.appc()));
    is_changed(world.cached().load(&evil), &evil);
}

#[test]
fn what_was_changed_meanwhile_is_not_noted() {
    let world = World::new();
    let image = world.write("image", b"before");
    std::thread::sleep(Duration::from_secs(4));
    let file = File::open(&image).unwrap();
    let mark = Mark::of(&file).unwrap();
    world.cache.learn(&file, &mark, "digest");
    assert_eq!(world.cache.known(&file).as_deref(), Some("digest"));
    fs::write(&image, b"beyond").unwrap();
    assert!(Mark::of(&file).is_none());
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(world.cache.known(&file), None);
    world.cache.learn(&file, &mark, "digest");
    assert_eq!(world.cache.known(&file), None);
}
