//! A process that is killed while it fills and prunes a cache, at any moment.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sandbox_image::place::{Budget, Cache, Entry, Found, Keep};
use tempfile::TempDir;

use crate::cache::key;
use crate::child::{self, Live};

const FILES: u32 = 20;
const NAMES: [&str; 3] = ["a", "b", "c"];
/// How often at most, and for how long.
const KILLED: u32 = 100;
const TIME: Duration = Duration::from_secs(20);

#[test]
fn a_kill_at_any_moment_leaves_only_what_is_swept() {
    let temp = TempDir::new().unwrap();
    let cache = Cache::open(temp.path()).unwrap();
    let end = Instant::now() + TIME;
    let (mut killed, mut whole, mut unfinished) = (0, 0, 0);
    // How long a child lives at most, in microseconds: about as long as it takes to fill an entry, which
    // is a matter of the disk.
    let mut life = 10_000;
    while killed < KILLED && Instant::now() < end {
        let mut child = Live::start("cache crash", temp.path());
        let random = RandomState::new().hash_one(killed);
        thread::sleep(Duration::from_micros(random % life));
        child.kill();
        killed += 1;

        let left = count(temp.path(), "tmp.");
        let swept = cache.sweep(Budget { directories: left, time: TIME }).unwrap();
        assert_eq!((swept.removed.len(), count(temp.path(), "tmp.")), (left, 0), "{swept:?}");
        unfinished += left;
        let before = whole;
        for name in NAMES {
            // Nobody has a lock any more.
            match cache.get(&key(name), || panic!("{name} is locked")).unwrap() {
                Found::Hit(entry) => {
                    check(&entry, name);
                    whole += 1;
                }
                Found::Miss(_) => {}
            }
        }
        life = if whole == before { (life * 2).min(2_000_000) } else { (life * 3 / 4).max(1000) };
    }
    // It was killed before and after entries were complete, and while they were removed or filled.
    assert!(killed > 5 && whole > 0 && unfinished > 0, "{killed} {whole} {unfinished}");
    let pruned = cache.prune(Keep { entries: Some(0), bytes: None }).unwrap();
    assert!(pruned.failed.is_empty(), "{pruned:?}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

fn count(directory: &Path, prefix: &str) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_str().unwrap().starts_with(prefix)).count()
}

fn check(entry: &Entry, name: &str) {
    assert_eq!(entry.info().unwrap(), name.as_bytes());
    let rootfs = entry.rootfs().unwrap().path;
    for number in 0..FILES {
        assert_eq!(fs::read(rootfs.join(number.to_string())).unwrap(), name.as_bytes());
    }
}

/// Fills and prunes until it is killed.
pub(crate) fn child(directory: &Path) {
    let cache = Cache::open(directory).unwrap();
    child::say(directory);
    let end = Instant::now() + TIME;
    for name in NAMES.iter().cycle() {
        match cache.get(&key(name), || ControlFlow::Continue(())).unwrap() {
            Found::Hit(entry) => check(&entry, name),
            Found::Miss(filling) => {
                let rootfs = filling.rootfs().unwrap().path;
                for number in 0..FILES {
                    fs::write(rootfs.join(number.to_string()), name).unwrap();
                }
                check(&filling.finish(name.as_bytes(), 1).unwrap(), name);
            }
        }
        let pruned = cache.prune(Keep { entries: Some(1), bytes: None }).unwrap();
        assert!(pruned.failed.is_empty(), "{pruned:?}");
        if Instant::now() > end {
            break;
        }
    }
}
