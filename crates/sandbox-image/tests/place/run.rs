//! Directories of runs: made for one, removed with it or after it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use sandbox_image::place::{Budget, PlaceError, RunDir, Step, Swept, sweep};
use sandbox_testkit::fixture::{PLAIN_USER, skip};
use tempfile::TempDir;

use crate::child::{self, Live};
use crate::remove::APART;

fn swept(base: &Path) -> Swept {
    // Time enough for a busy disk.
    let budget = Budget { time: Duration::from_mins(1), ..Budget::default() };
    let swept = sweep(Some(base), budget).unwrap();
    assert!(swept.failed.is_empty() && swept.unfinished.is_empty(), "{swept:?}");
    swept
}

/// A directory that looks like that of a run, with something in it.
fn dead(base: &Path, letter: char) -> PathBuf {
    let path = base.join(format!("run-sandbox.{}", letter.to_string().repeat(12)));
    fs::create_dir_all(path.join("rootfs/etc")).unwrap();
    fs::write(path.join("rootfs/etc/passwd"), "root").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}

/// Who may rename a directory of a run could put another in its place.
#[test]
fn never_where_everybody_can_replace_it() {
    let base = TempDir::new().unwrap();
    for (mode, good) in [(0o777, false), (0o707, false), (0o1777, true), (0o775, true)] {
        fs::set_permissions(base.path(), Permissions::from_mode(mode)).unwrap();
        match RunDir::new(Some(base.path())) {
            Ok(run) => assert!(good, "{mode:o}: {}", run.path().display()),
            Err(PlaceError::Open { mode: said, .. }) => assert!(!good && said == mode, "{said:o}"),
            Err(other) => panic!("{mode:o}: {other}"),
        }
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0, "{mode:o}");
    }
}

#[test]
fn private_and_gone_at_the_end() {
    let base = TempDir::new().unwrap();
    let run = RunDir::new(Some(base.path())).unwrap();
    let path = run.path().to_owned();
    assert_eq!(path.parent(), Some(base.path()));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
    for (directory, name, mode) in [
        (run.rootfs(), "rootfs", 0o755),
        (run.upper(), "upper", 0o755),
        (run.work(), "work", 0o700),
        (run.volumes(), "volumes", 0o700),
        (run.rootfs(), "rootfs", 0o755),
    ] {
        let directory = directory.unwrap();
        assert_eq!(directory.path, path.join(name));
        let metadata = fs::metadata(&directory.path).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode, "{name}");
        assert_eq!(metadata.ino(), rustix::fs::fstat(directory.fd).unwrap().st_ino);
    }
    fs::write(path.join("rootfs/file"), "").unwrap();
    drop(run);
    assert!(!path.exists());

    let run = RunDir::new(Some(base.path())).unwrap();
    let path = run.path().to_owned();
    run.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_directory_that_is_another_one_is_not_removed() {
    let base = TempDir::new().unwrap();
    let run = RunDir::new(Some(base.path())).unwrap();
    let path = run.path().to_owned();
    fs::rename(&path, base.path().join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    let error = run.remove().unwrap_err();
    assert!(
        matches!(&error, PlaceError::Replaced { path: named, .. } if *named == path),
        "{error}"
    );
    assert!(path.exists() && base.path().join("moved").exists());
}

#[test]
fn a_base_that_cannot_be_used() {
    let base = TempDir::new().unwrap();
    let missing = base.path().join("missing");
    let error = RunDir::new(Some(&missing)).unwrap_err();
    assert!(matches!(&error, PlaceError::Call { step: Step::Open, path, .. } if *path == missing));
    assert!(error.to_string().ends_with("missing: No such file or directory (os error 2)"));
    fs::write(&missing, "").unwrap();
    RunDir::new(Some(&missing)).unwrap_err();
}

#[test]
fn what_a_killed_run_leaves_is_swept_and_a_live_one_stays() {
    let base = TempDir::new().unwrap();
    let (mut one, two) =
        (Live::start("run live", base.path()), Live::start("run live", base.path()));
    let own = RunDir::new(Some(base.path())).unwrap();
    assert!(swept(base.path()).removed.is_empty());
    one.kill();
    assert!(one.said.join("rootfs/file").exists());
    assert_eq!(swept(base.path()).removed, [one.said.clone()]);
    assert!(!one.said.exists() && two.said.join("rootfs/file").exists() && own.path().exists());
}

/// Makes one, and starts a program that must not have its lock.
pub(crate) fn live_child(base: &Path) {
    let run = RunDir::new(Some(base)).unwrap();
    fs::write(run.rootfs().unwrap().path.join("file"), "").unwrap();
    let mut program = Command::new("cat").stdout(Stdio::null()).spawn().unwrap();
    child::say(run.path());
    program.wait().unwrap();
}

#[test]
fn only_what_is_a_dead_run_of_the_caller_is_swept() {
    let base = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("canary"), "").unwrap();
    let in_base = |name: &str| base.path().join(name);
    symlink(outside.path(), in_base("run-sandbox.bbbbbbbbbbbb")).unwrap();
    fs::write(in_base("run-sandbox.cccccccccccc"), "").unwrap();
    for other in ["run-sandbox.short", "run-sandbox.DDDDDDDDDDDD", "run-sandbox", "other"] {
        fs::create_dir(in_base(other)).unwrap();
    }
    let ours = dead(base.path(), 'a');
    let mut left = 6;
    if geteuid().is_root() {
        lchown(dead(base.path(), 'e'), Some(PLAIN_USER), Some(PLAIN_USER)).unwrap();
        left += 1;
    } else {
        skip("image", "another user's directory: the caller is not root").unwrap();
    }
    assert_eq!(swept(base.path()).removed, [ours]);
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), left);
    assert!(outside.path().join("canary").exists());
}

/// Whoever can write to the base could have named it so, to have the caller remove it.
#[test]
fn a_directory_of_another_mode_is_no_run() {
    let base = TempDir::new().unwrap();
    let path = dead(base.path(), 'a');
    for mode in [0o755, 0o777, 0o1700] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(swept(base.path()).removed.is_empty(), "{mode:o}");
        assert!(path.join("rootfs/etc/passwd").exists());
    }
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(swept(base.path()).removed, [path]);
}

/// Whose file system it is might never answer.
#[test]
fn a_mount_is_no_run() {
    if !geteuid().is_root() || !child::works(&APART) {
        return skip("image", "a mount among runs: no root, or no unshare").unwrap();
    }
    let base = TempDir::new().unwrap();
    let mount = dead(base.path(), 'b');
    child::run(&APART, "run mount", base.path());
    assert!(mount.exists());
    assert_eq!(swept(base.path()).removed, [mount]);
}

pub(crate) fn mount_child(base: &Path) {
    let (ours, mount) = (dead(base, 'a'), base.join("run-sandbox.bbbbbbbbbbbb"));
    let status = Command::new("mount").arg("--bind").args([&mount, &mount]).status();
    assert!(status.unwrap().success());
    assert_eq!(swept(base).removed, [ours]);
    assert!(mount.join("rootfs/etc/passwd").exists());
}

#[test]
fn a_sweep_has_an_end() {
    let base = TempDir::new().unwrap();
    for letter in ['a', 'b', 'c'] {
        dead(base.path(), letter);
    }
    let count = || fs::read_dir(base.path()).unwrap().count();
    let no_time = Budget { time: Duration::ZERO, ..Budget::default() };
    let swept = sweep(Some(base.path()), no_time).unwrap();
    assert_eq!((swept.removed.len(), swept.unfinished.len(), count()), (0, 1, 3), "{swept:?}");
    let time = Duration::from_mins(1);
    let one = Budget { directories: 1, time };
    let swept = sweep(Some(base.path()), one).unwrap();
    assert_eq!((swept.removed.len(), swept.unfinished.len(), count()), (1, 1, 2), "{swept:?}");
    sweep(Some(base.path()), Budget { time, ..Budget::default() }).unwrap();
    assert_eq!(count(), 0);
}

#[test]
fn one_that_cannot_be_removed_is_told_and_the_others_are_removed() {
    if !geteuid().is_root() {
        return skip("image", "chattr +i: the caller is not root").unwrap();
    }
    let base = TempDir::new().unwrap();
    let (stuck, other) = (dead(base.path(), 'a'), dead(base.path(), 'b'));
    let change = |how: &str| {
        let status = Command::new("chattr").arg(how).arg(stuck.join("rootfs/etc/passwd")).status();
        status.is_ok_and(|status| status.success())
    };
    if !change("+i") {
        return skip("image", "chattr +i does not work here").unwrap();
    }
    let swept = sweep(Some(base.path()), Budget::default());
    assert!(change("-i"));
    let swept = swept.unwrap();
    assert_eq!(swept.removed, [other]);
    let [error @ PlaceError::Remove { path, .. }] = swept.failed.as_slice() else { panic!() };
    assert_eq!(*path, stuck);
    assert!(error.to_string().contains("/rootfs/etc/passwd is immutable"), "{error}");
}

#[test]
fn many_that_start_and_sweep_at_once() {
    let base = TempDir::new().unwrap();
    let children = ["run stress", "run sweeps", "run stress", "run sweeps"].map(|role| {
        let mut command = child::command(&[], role, base.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
    }
    swept(base.path());
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
}

/// Makes directories as fast as it can, or only sweeps.
pub(crate) fn stress_child(base: &Path, sweeps: bool) {
    let end = Instant::now() + Duration::from_secs(2);
    let mut times = 0;
    while Instant::now() < end {
        times += 1;
        let swept = sweep(Some(base), Budget::default()).unwrap();
        assert!(swept.failed.is_empty(), "{swept:?}");
        if sweeps {
            continue;
        }
        let run = RunDir::new(Some(base)).unwrap();
        // Right away, as later it may have been removed and made again.
        assert!(run.path().exists());
        let rootfs = run.rootfs().unwrap();
        fs::write(rootfs.path.join("file"), "").unwrap();
        fs::set_permissions(&rootfs.path, Permissions::from_mode(0o555)).unwrap();
        std::thread::yield_now();
        assert!(rootfs.path.join("file").exists());
        if times % 2 == 0 {
            run.remove().unwrap();
        }
    }
    assert!(times > 10, "{times}");
}
