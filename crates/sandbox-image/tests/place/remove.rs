//! Removing trees: all of them, and nothing else.

use std::fs::{self, File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use sandbox_image::place::{Left, RemoveError, Step, remove_tree};
use sandbox_testkit::fixture::{PLAIN_USER, Who, skip};
use tempfile::TempDir;

use crate::child;

/// In its own mount namespace, which is gone with the child.
pub(crate) const APART: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];

/// Makes a directory and those that lead to it.
fn directory(path: PathBuf) -> PathBuf {
    fs::create_dir_all(&path).unwrap();
    path
}

fn file(path: PathBuf) -> PathBuf {
    fs::write(&path, "canary").unwrap();
    path
}

fn remove(parent: &Path, name: &str) -> Result<(), RemoveError> {
    remove_tree(File::open(parent).unwrap(), name)
}

/// What is there, or leads nowhere.
fn names(parent: &Path) -> Vec<String> {
    let entries = fs::read_dir(parent).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A chain of directories, each in the one before, with the descriptor of the last.
fn chain(parent: &Path, depth: usize) -> OwnedFd {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = OwnedFd::from(File::open(parent).unwrap());
    for _ in 0..depth {
        mkdirat(&at, "down", Mode::RWXU).unwrap();
        at = openat(&at, "down", flags, Mode::empty()).unwrap();
    }
    at
}

#[test]
fn links_are_removed_and_not_followed() {
    let temp = TempDir::new().unwrap();
    let tree = directory(temp.path().join("tree/inner"));
    let outside = directory(temp.path().join("outside/inner"));
    let canary = file(outside.join("canary"));
    symlink(&outside, tree.join("directory")).unwrap();
    symlink(&canary, tree.join("file")).unwrap();
    symlink("/", tree.join("root")).unwrap();
    symlink("..", tree.join("up")).unwrap();
    symlink("nowhere", tree.join("nowhere")).unwrap();
    fs::hard_link(&canary, tree.join("hard")).unwrap();
    symlink(&outside, temp.path().join("link")).unwrap();

    remove(temp.path(), "tree").unwrap();
    remove(temp.path(), "link").unwrap();
    assert_eq!(names(temp.path()), ["outside"]);
    assert_eq!(fs::read_to_string(canary).unwrap(), "canary");
}

#[test]
fn files_and_what_is_not_there() {
    let temp = TempDir::new().unwrap();
    file(temp.path().join("file"));
    remove(temp.path(), "file").unwrap();
    remove(temp.path(), "file").unwrap();
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn only_a_name_is_taken() {
    let temp = TempDir::new().unwrap();
    directory(temp.path().join("a/b"));
    for name in ["", ".", "..", "a/b", "a/", "/"] {
        let error = remove(&temp.path().join("a"), name).unwrap_err();
        let Left::Call { step: Step::Remove, source, .. } = &error.first else { panic!("{error}") };
        assert_eq!(
            source.raw_os_error(),
            Some(rustix::io::Errno::INVAL.raw_os_error()),
            "{name:?}"
        );
    }
    assert!(temp.path().join("a/b").exists());
}

#[test]
fn directories_without_permissions() {
    let temp = TempDir::new().unwrap();
    let tree = directory(temp.path().join("tree"));
    if geteuid().is_root() {
        if !child::works(Who::Plain.prefix()) {
            return skip("image", "setpriv is missing (Debian: util-linux)").unwrap();
        }
        lchown(temp.path(), Some(PLAIN_USER), None).unwrap();
        lchown(&tree, Some(PLAIN_USER), None).unwrap();
    }
    child::run(Who::Plain.prefix(), "remove modes", temp.path());
    assert_eq!(names(temp.path()), [""; 0]);
}

pub(crate) fn modes_child(temp: &Path) {
    let tree = temp.join("tree");
    let inner = directory(tree.join("none/none"));
    let read_only = directory(tree.join("read-only/empty"));
    file(tree.join("read-only/file"));
    file(inner.join("file"));
    for (path, mode) in [
        (&inner, 0),
        (&inner.parent().unwrap().to_owned(), 0),
        (&read_only, 0o400),
        (&read_only.parent().unwrap().to_owned(), 0o555),
        (&tree, 0o100),
    ] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    // Where this could be read anyway, nothing would be tested.
    fs::read_dir(&tree).unwrap_err();
    remove(temp, "tree").unwrap();
}

#[test]
fn deeper_than_paths_and_descriptors_go() {
    let temp = TempDir::new().unwrap();
    let bottom = chain(&directory(temp.path().join("tree")), 5000);
    openat(bottom, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
    child::run(&[], "remove deep", temp.path());
    assert_eq!(names(temp.path()), [""; 0]);
}

pub(crate) fn deep_child(temp: &Path) {
    let few = Rlimit { current: Some(16), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, few).unwrap();
    remove(temp, "tree").unwrap();
}

#[test]
fn directories_that_are_closed_meanwhile_are_gone_on_with() {
    let temp = TempDir::new().unwrap();
    let tree = directory(temp.path().join("tree"));
    for one in ["a", "b", "c"] {
        for two in ["a", "b", "c"] {
            let middle = directory(tree.join(one).join(two));
            file(middle.join("file"));
            chain(&middle, 70);
        }
    }
    remove(temp.path(), "tree").unwrap();
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn many_files_in_little_memory() {
    let temp = TempDir::new().unwrap();
    child::run(&[], "remove many", temp.path());
    assert_eq!(names(temp.path()), [""; 0]);
}

pub(crate) fn many_child(temp: &Path) {
    let tree = directory(temp.join("tree"));
    for number in 0..100_000 {
        File::create(tree.join(format!("a-name-that-is-not-short-{number}"))).unwrap();
    }
    let before = peak();
    remove(temp, "tree").unwrap();
    let more = peak() - before;
    assert!(more < 1024, "{more} KiB more");
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn two_at_once() {
    let temp = TempDir::new().unwrap();
    let tree = directory(temp.path().join("tree"));
    for number in 0..40 {
        let inner = directory(tree.join(format!("{number}/inner")));
        for number in 0..40 {
            file(inner.join(number.to_string()));
        }
        chain(&inner, 50);
    }
    thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| remove(temp.path(), "tree")));
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn mounts_are_left() {
    if !geteuid().is_root() {
        return skip("image", "mounts in a tree: the caller is not root").unwrap();
    }
    if !child::works(&APART) {
        return skip("image", "mounts in a tree: unshare does not work here").unwrap();
    }
    let temp = TempDir::new().unwrap();
    file(directory(temp.path().join("outside/inner")).join("canary"));
    child::run(&APART, "remove mounts", temp.path());
    // Without the mounts, what they were on is removed as well.
    assert_eq!(fs::read(temp.path().join("outside/inner/canary")).unwrap(), b"canary");
    remove(temp.path(), "tree").unwrap();
    assert_eq!(names(temp.path()), ["outside"]);
}

pub(crate) fn mounts_child(temp: &Path) {
    let mount = |words: &[&str], path: &Path| {
        assert!(Command::new("mount").args(words).arg(path).status().unwrap().success());
    };
    let (tree, outside) = (temp.join("tree"), temp.join("outside"));
    let outside = outside.to_str().unwrap();
    let canary = format!("{outside}/inner/canary");
    // The same file system, another one, a file; and deeper than descriptors are kept.
    let same = directory(tree.join("0/same"));
    let other = directory(tree.join("0/other"));
    let on_file = file(directory(tree.join("0/files")).join("file"));
    chain(&directory(tree.join("1")), 60);
    let deep = directory(tree.join("1").join(["down"; 60].join("/")).join("deep"));
    mount(&["--bind", outside], &same);
    mount(&["--bind", outside], &deep);
    mount(&["--bind", &canary], &on_file);
    mount(&["-t", "tmpfs", "tmpfs"], &other);
    let in_memory = file(other.join("canary"));
    // Something to remove on either side of them, wherever that comes.
    for number in 0..100 {
        for parent in ["", "0", "1", "0/files"] {
            file(tree.join(parent).join(format!("file-{number}")));
        }
        directory(tree.join(format!("directory-{number}/inner")));
    }

    let error = remove(temp, "tree").unwrap_err();
    assert!(
        matches!(&error.first, Left::Mount { path, .. } if path.starts_with("tree")),
        "{error}"
    );
    assert_eq!(error.count, 4, "{error}");
    for left in [&same, &deep, &on_file] {
        assert!(left.exists(), "{}", left.display());
    }
    assert_eq!(fs::read(Path::new(&canary)).unwrap(), b"canary");
    assert_eq!(fs::read(in_memory).unwrap(), b"canary");
    assert_eq!(names(&tree), ["0", "1"]);
    assert_eq!(names(&tree.join("0")), ["files", "other", "same"]);
    assert_eq!(names(&tree.join("0/files")), ["file"]);
    assert_eq!(names(&tree.join("1")), ["down"]);

    let error = remove(&tree.join("0"), "same").unwrap_err();
    assert!(
        matches!(&error.first, Left::Mount { path, .. } if path == Path::new("same")),
        "{error}"
    );
}

#[test]
fn immutable_files_are_named() {
    let temp = TempDir::new().unwrap();
    let tree = directory(temp.path().join("tree/inner"));
    let immutable = file(tree.join("immutable"));
    file(tree.join("other"));
    let change = |how: &str| {
        let status = Command::new("chattr").arg(how).arg(&immutable).status();
        status.is_ok_and(|status| status.success())
    };
    if !change("+i") {
        return skip("image", "chattr +i does not work here").unwrap();
    }
    let removed = remove(temp.path(), "tree");
    assert!(change("-i"));
    let error = removed.unwrap_err();
    let expected = Path::new("tree/inner/immutable");
    assert!(matches!(&error.first, Left::Immutable { path, .. } if path == expected), "{error}");
    assert_eq!((error.count, names(&tree)), (1, vec!["immutable".to_owned()]));
    assert_eq!(
        error.to_string(),
        "tree/inner/immutable is immutable or append-only, or in a directory that is: `chattr -i -a`"
    );
    remove(temp.path(), "tree").unwrap();
}
