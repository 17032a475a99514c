//! What is found in the kernel's files, and what is written to them.

use std::fs;
use std::path::{Path, PathBuf};

use sandbox_core::{First, Limits};

use super::hierarchy::{Hierarchy, Version, within};
use super::limit::{Controller, Limit, quota_and_period};
use super::{Refused, name, remove, remove_left_ones};

fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.memory, limits.cpu, limits.processes) = (Some(1 << 20), Some(250), Some(5));
    limits
}

const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/x /sys/fs/cgroup/my\\040memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn each_controller_of_the_first_version_has_its_own_hierarchy() {
    let own = "8:pids:/a\n4:memory:/docker/x/y\n2:cpu,cpuacct:/\n0::/\n";
    let found = within(HYBRID, own, Limit::all_of(&limits(), First::Init)).unwrap();
    let expected = [
        ("/sys/fs/cgroup/my memory/y", Limit::Memory(1 << 20)),
        ("/sys/fs/cgroup/cpu,cpuacct", Limit::Cpu(250)),
        ("/sys/fs/cgroup/pids/a", Limit::Processes(6)),
    ];
    let expected = expected.map(|(path, limit)| {
        let (version, parents) = (Version::One, vec![PathBuf::from(path)]);
        (Hierarchy { version, parents }, vec![limit])
    });
    assert_eq!(found, expected);
    let outside = within(HYBRID, "4:memory:/../z\n", vec![Limit::Memory(1)]);
    assert!(matches!(outside, Err(Refused::NoController(Controller::Memory))));
}

/// A hierarchy of the second version, made of plain files.
fn unified(controllers: &str) -> (tempfile::TempDir, String) {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir_all(top.path().join("user/scope")).unwrap();
    fs::write(top.path().join("cgroup.controllers"), controllers).unwrap();
    let mounts = format!("41 31 0:38 / {} rw - cgroup2 cgroup2 rw\n", top.path().display());
    (top, mounts)
}

#[test]
fn in_the_second_version_those_above_will_do() {
    let (top, mounts) = unified("cpu memory pids\n");
    let all = Limit::all_of(&limits(), First::Command);
    let found = within(&mounts, "0::/user/scope\n", all.clone()).unwrap();
    let [(hierarchy, limits)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(limits, &all);
    let parents = ["user/scope", "user", ""].map(|path| top.path().join(path));
    let parents = parents.map(|path| path.components().collect::<PathBuf>());
    assert_eq!(hierarchy.parents, parents);
    // The nearest has no controllers for children, and cannot get them: it has processes.
    fs::create_dir(top.path().join("user/scope/cgroup.subtree_control")).unwrap();
    fs::write(top.path().join("user/cgroup.subtree_control"), "memory cpu\n").unwrap();
    fs::write(top.path().join("cgroup.subtree_control"), "memory cpu pids\n").unwrap();
    let refused = hierarchy.make_in(&parents[1], limits).unwrap_err();
    assert!(matches!(refused, Refused::NotEnabled(Controller::Processes, at) if at == parents[1]));
    // Plain files do not come into being by themselves, as those of a cgroup do.
    let refused = hierarchy.make(limits).unwrap_err();
    assert!(matches!(refused, Refused::NotEnabled(Controller::Memory, at) if at == parents[0]));
    let names = fs::read_dir(top.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let ours = names.filter(|name| name.to_string_lossy().starts_with("sandboxlib-"));
    assert_eq!(ours.count(), 0, "it is removed again");
    let (_top, mounts) = unified("cpu\n");
    let none = within(&mounts, "0::/\n", vec![Limit::Memory(1)]);
    assert!(matches!(none, Err(Refused::NoController(Controller::Memory))));
}

fn written(version: Version, files: &[&str]) -> Vec<String> {
    let cgroup = tempfile::tempdir().unwrap();
    let file = |name: &str| cgroup.path().join(name);
    for name in files {
        fs::write(file(name), "").unwrap();
    }
    for limit in Limit::all_of(&limits(), First::Init) {
        for setting in limit.open(cgroup.path(), version).unwrap() {
            setting.write().unwrap();
        }
    }
    files.iter().map(|name| fs::read_to_string(file(name)).unwrap()).collect()
}

#[test]
fn a_limit_is_written_as_the_kernel_reads_it() {
    let two = ["memory.max", "memory.swap.max", "cpu.max", "pids.max"];
    assert_eq!(written(Version::Two, &two), ["1048576", "0", "25000 100000", "6"]);
    let memory = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
    let rest = ["cpu.cfs_period_us", "cpu.cfs_quota_us", "pids.max"];
    let one = [memory.as_slice(), &rest].concat();
    assert_eq!(written(Version::One, &one), ["1048576", "1048576", "100000", "25000", "6"]);
    assert_eq!(quota_and_period(1), (1000, 1_000_000));
    assert_eq!(quota_and_period(10), (1000, 100_000));
    assert_eq!(quota_and_period(2500), (250_000, 100_000));
    assert_eq!(quota_and_period(u32::MAX).1, 100_000);
    let missing = Limit::Cpu(1).open(Path::new("/no"), Version::Two).unwrap_err();
    assert!(super::why_not(&missing).to_string().contains("open /no/cpu.max"));
}

#[test]
fn a_lock_says_whether_its_owner_lives() {
    let top = tempfile::tempdir().unwrap();
    let (one, lock) = name::make(top.path()).unwrap();
    let (other, _lock) = name::make(top.path()).unwrap();
    assert_ne!(one, other);
    assert!(name::left(top.path(), &one).is_none(), "its owner lives");
    drop(lock);
    fs::create_dir(top.path().join("user.slice")).unwrap();
    assert!(name::left(top.path(), "user.slice").is_none(), "it is not ours");
    remove_left_ones(top.path());
    let there = |name: &str| top.path().join(name).exists();
    assert_eq!((there(&one), there(&other), there("user.slice")), (false, true, true));
}

/// As a process of the same number in another PID namespace would.
#[test]
fn a_name_that_is_taken_is_passed_over() {
    let top = tempfile::tempdir().unwrap();
    let (name, _lock) = name::make(top.path()).unwrap();
    let number: u64 = name.rsplit('-').next().unwrap().parse().unwrap();
    for next in number + 1..number + 50 {
        let taken = format!("sandboxlib-{}-{next}", std::process::id());
        fs::create_dir(top.path().join(taken)).unwrap();
    }
    name::make(top.path()).unwrap();
}

/// Whoever makes cgroups and whoever sweeps do not get into each other's way.
#[test]
fn sweepers_take_nothing_that_is_in_use() {
    let top = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let (name, _lock) = name::make(top.path()).unwrap();
                        let cgroup = top.path().join(name);
                        fs::write(cgroup.join("file"), "").unwrap();
                        fs::remove_file(cgroup.join("file")).unwrap();
                        remove(&cgroup, 1);
                    }
                })
            })
            .collect();
        while makers.iter().any(|maker| !maker.is_finished()) {
            remove_left_ones(top.path());
        }
    });
    remove_left_ones(top.path());
    assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
}

#[test]
fn what_is_below_is_removed_first() {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir_all(top.path().join("x/y/z")).unwrap();
    remove(&top.path().join("x"), 1);
    assert!(!top.path().join("x").exists());
}
