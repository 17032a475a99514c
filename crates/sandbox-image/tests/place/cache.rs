//! The cache: filled once, used by many, never used unfinished, never removed while used.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use sandbox_image::place::{
    Budget, Cache, Entry, Filling, Found, Keep, Key, PlaceError, Upper, upper,
};
use sandbox_testkit::fixture::{PLAIN_USER, skip};
use tempfile::TempDir;

use crate::child;

pub(crate) fn key(name: &str) -> Key {
    Key::new(&format!("sha512-{name}"), "plain").unwrap()
}

/// Where nobody else fills it.
pub(crate) fn get(cache: &Cache, name: &str) -> Found {
    cache.get(&key(name), || panic!("{name} is locked")).unwrap()
}

fn hit(cache: &Cache, name: &str) -> Entry {
    match get(cache, name) {
        Found::Hit(entry) => entry,
        found @ Found::Miss(_) => panic!("{found:?}"),
    }
}

fn miss(cache: &Cache, name: &str) -> Filling {
    match get(cache, name) {
        Found::Miss(filling) => filling,
        found @ Found::Hit(_) => panic!("{found:?}"),
    }
}

fn fill(cache: &Cache, name: &str, bytes: u64) -> Entry {
    let filling = miss(cache, name);
    fs::write(filling.rootfs().unwrap().path.join("file"), name).unwrap();
    filling.finish(name.as_bytes(), bytes).unwrap()
}

/// The names in a directory without what comes before the last dot, sorted.
fn ends(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut ends: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.rsplit('.').next().unwrap().to_owned())
        .collect();
    ends.sort();
    ends
}

#[test]
fn filled_once_and_found_again() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("cache");
    let cache = Cache::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);

    let filling = miss(&cache, "a");
    let rootfs = filling.rootfs().unwrap();
    assert_eq!(fs::metadata(&rootfs.path).unwrap().mode() & 0o7777, 0o755);
    fs::write(rootfs.path.join("file"), "a").unwrap();
    let entry = filling.finish(b"manifest\0", 1234).unwrap();
    assert!(!rootfs.path.exists());
    assert_eq!(fs::read(entry.rootfs().unwrap().path.join("file")).unwrap(), b"a");

    let again = hit(&Cache::open(&path).unwrap(), "a");
    let rootfs = again.rootfs().unwrap();
    assert_eq!(rootfs.path, again.path().join("rootfs"));
    assert_eq!(fs::metadata(&rootfs.path).unwrap().ino(), {
        rustix::fs::fstat(&rootfs.fd).unwrap().st_ino
    });
    assert_eq!(fs::read(rootfs.path.join("file")).unwrap(), b"a");
    assert_eq!((again.info().unwrap(), again.bytes().unwrap()), (b"manifest\0".to_vec(), 1234));
    drop(miss(&cache, "b"));
    let other = Key::new("sha512-a", "subuid").unwrap();
    assert!(matches!(cache.get(&other, || panic!()).unwrap(), Found::Miss(_)));
}

#[test]
fn what_is_not_finished_is_removed_and_not_used() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let filling = miss(&cache, "a");
    fs::write(filling.rootfs().unwrap().path.join("file"), "half").unwrap();
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
    // A live one is not swept.
    assert!(cache.sweep(Budget::default()).unwrap().removed.is_empty());
    drop(filling);
    assert_eq!(ends(temp.path()), ["lock"]);
    drop(miss(&cache, "a"));
}

#[test]
fn the_second_waits_for_the_first() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let filling = miss(&cache, "a");
    let waited = thread::scope(|scope| {
        let second = scope.spawn(|| {
            let waited = Cell::new(0);
            let wait = || {
                waited.set(waited.get() + 1);
                ControlFlow::Continue(())
            };
            let found = Cache::open(temp.path()).unwrap().get(&key("a"), wait).unwrap();
            let Found::Hit(entry) = found else { panic!("{found:?}") };
            assert_eq!(entry.info().unwrap(), b"first");
            waited.get()
        });
        thread::sleep(Duration::from_millis(200));
        drop(filling.finish(b"first", 0).unwrap());
        second.join().unwrap()
    });
    assert!(waited > 1, "{waited}");
}

#[test]
fn the_second_goes_on_where_the_first_gave_up() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let mut first = Some(miss(&cache, "a"));
    let found = cache.get(&key("a"), || {
        first = None;
        ControlFlow::Continue(())
    });
    assert!(matches!(found.unwrap(), Found::Miss(_)));
}

#[test]
fn a_wait_can_be_broken_off() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let _filling = miss(&cache, "a");
    let start = Instant::now();
    let error = cache.get(&key("a"), || ControlFlow::Break(())).unwrap_err();
    assert!(
        matches!(&error, PlaceError::Interrupted { path, .. } if path.starts_with(temp.path()))
    );
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn four_processes_fill_one_entry_once() {
    let temp = TempDir::new().unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = child::command(&[], "cache fill", temp.path());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut said = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        said.extend(child::said(&output.stdout));
    }
    said.sort();
    assert_eq!(said, ["filled", "hit", "hit", "hit"]);
}

pub(crate) fn fill_child(cache: &Path) {
    let cache = Cache::open(cache).unwrap();
    match cache.get(&key("a"), || ControlFlow::Continue(())).unwrap() {
        Found::Hit(entry) => {
            assert_eq!(entry.info().unwrap(), b"all");
            child::say(Path::new("hit"));
        }
        Found::Miss(filling) => {
            thread::sleep(Duration::from_millis(300));
            filling.finish(b"all", 0).unwrap();
            child::say(Path::new("filled"));
        }
    }
}

#[test]
fn who_comes_second_without_a_lock_uses_what_is_there() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let first = miss(&cache, "a");
    // As where locks don't reach.
    let lock = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().path());
    let lock = lock.filter(|path| path.extension().is_some_and(|end| end == "lock"));
    lock.for_each(|path| fs::remove_file(path).unwrap());
    let second = miss(&cache, "a");
    drop(second.finish(b"second", 0).unwrap());
    let entry = first.finish(b"first", 0).unwrap();
    assert_eq!(entry.info().unwrap(), b"second");
    assert_eq!(ends(temp.path()), ["lock", "sha512-a"]);
}

#[test]
fn prune_removes_the_oldest_and_nothing_that_is_used() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    for name in ["a", "b", "c", "d"] {
        drop(fill(&cache, name, 100));
        thread::sleep(Duration::from_millis(20));
    }
    let keep = |entries, bytes| cache.prune(Keep { entries, bytes }).unwrap();
    assert!(keep(Some(4), Some(400)).removed.is_empty());
    // The oldest was used a moment ago, the next is used now.
    drop(hit(&cache, "a"));
    let used = hit(&cache, "b");
    thread::sleep(Duration::from_millis(20));
    drop(hit(&cache, "a"));
    let pruned = keep(Some(3), None);
    assert_eq!((pruned.removed.len(), pruned.entries, pruned.bytes), (1, 3, 300), "{pruned:?}");
    assert_eq!(
        ends(temp.path()).into_iter().filter(|end| end != "lock").collect::<Vec<_>>(),
        ["sha512-a", "sha512-b", "sha512-d"]
    );
    let pruned = keep(None, Some(99));
    assert_eq!((pruned.removed.len(), pruned.entries, pruned.bytes), (2, 1, 100), "{pruned:?}");
    assert_eq!(fs::read(used.rootfs().unwrap().path.join("file")).unwrap(), b"b");
    assert_eq!(ends(temp.path()), ["lock", "sha512-b"]);
    drop(used);
    assert_eq!(keep(Some(0), None).removed.len(), 1);
    assert_eq!(ends(temp.path()), [""; 0]);
}

#[test]
fn prune_leaves_what_is_being_filled() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let filling = miss(&cache, "a");
    let pruned = cache.prune(Keep { entries: Some(0), bytes: Some(0) }).unwrap();
    assert!(pruned.removed.is_empty() && pruned.failed.is_empty(), "{pruned:?}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
    let entry = filling.finish(b"", 0).unwrap();
    assert!(cache.prune(Keep { entries: Some(0), bytes: None }).unwrap().removed.is_empty());
    assert!(entry.rootfs().unwrap().path.exists());
}

#[test]
fn a_cache_that_others_can_change_is_refused() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("cache");
    drop(Cache::open(&path).unwrap());
    for (mode, refused) in [(0o777, true), (0o720, true), (0o1777, false), (0o755, false)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match Cache::open(&path) {
            Ok(_) => assert!(!refused, "{mode:o}"),
            Err(PlaceError::Mode { path: named, mode: told, .. }) => {
                assert!(refused && named == path && told == mode, "{mode:o}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    if geteuid().is_root() {
        lchown(&path, Some(PLAIN_USER), None).unwrap();
    } else {
        assert!(matches!(Cache::open(Path::new("/")), Err(PlaceError::Owner { owner: 0, .. })));
        return skip("image", "a cache of another user: the caller is not root").unwrap();
    }
    let error = Cache::open(&path).unwrap_err();
    assert!(matches!(&error, PlaceError::Owner { owner: PLAIN_USER, user: 0, .. }), "{error}");
}

#[test]
fn what_others_have_put_into_a_cache_is_refused() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let path = fill(&cache, "a", 0).path().to_owned();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    let error = cache.get(&key("a"), || panic!()).unwrap_err();
    assert!(matches!(&error, PlaceError::Mode { path: named, .. } if *named == path), "{error}");
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    drop(hit(&cache, "a"));
    if geteuid().is_root() {
        lchown(&path, Some(PLAIN_USER), None).unwrap();
        let error = cache.get(&key("a"), || panic!()).unwrap_err();
        assert!(matches!(&error, PlaceError::Owner { .. }), "{error}");
    } else {
        skip("image", "an entry of another user: the caller is not root").unwrap();
    }
    let elsewhere = temp.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    let error = cache.get(&key("a"), || panic!()).unwrap_err();
    assert!(matches!(&error, PlaceError::Call { path: named, .. } if *named == path), "{error}");
}

#[test]
fn no_upper_directory_on_an_overlay() {
    let temp = TempDir::new().unwrap();
    let apart = ["unshare", "--mount", "--propagation", "private"];
    if !geteuid().is_root() || !child::works(&apart) {
        return skip("image", "an overlay: the caller is not root, or unshare fails").unwrap();
    }
    child::run(&apart, "cache overlay", temp.path());
}

pub(crate) fn overlay_child(temp: &Path) {
    let mount =
        |words: &[&str]| Command::new("mount").args(words).arg(temp).status().unwrap().success();
    let is = |expected| {
        let directory = fs::File::open(temp).unwrap();
        assert_eq!(upper(directory).unwrap(), expected);
    };
    assert!(mount(&["-t", "tmpfs", "tmpfs"]));
    is(Upper::Disk);
    for name in ["lower", "upper", "work"] {
        fs::create_dir(temp.join(name)).unwrap();
    }
    let path = temp.display();
    let layers = format!("lowerdir={path}/lower,upperdir={path}/upper,workdir={path}/work");
    if !mount(&["-t", "overlay", "overlay", "-o", &layers]) {
        return skip("image", "an overlay cannot be mounted here").unwrap();
    }
    is(Upper::Memory { because: "overlayfs" });
}
