//! A directory to unpack in, with a canary beside it; and directories for other targets.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sandbox_image::place::remove_tree;
use tempfile::TempDir;

/// A directory that goes with its owner, in memory where that is possible.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a directory is made")
}

/// A target with a canary beside it.
pub(crate) struct Place {
    all: TempDir,
    before: Vec<Seen>,
}

/// What can be told of a file.
type Seen = (PathBuf, u32, u32, u32, u64, u64, (i64, i64), Vec<u8>);

impl Place {
    pub(crate) fn new() -> Self {
        let all = directory();
        let outside = all.path().join("outside");
        fs::create_dir(&outside).expect("a directory is made");
        fs::create_dir(outside.join("nest")).expect("a directory is made");
        fs::write(outside.join("canary"), "alive").expect("a file is made");
        std::os::unix::fs::symlink("canary", outside.join("link")).expect("a link is made");
        fs::create_dir(all.path().join("target")).expect("a directory is made");
        let before = seen(all.path());
        Self { all, before }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.all.path().join("target")
    }

    /// The target, opened.
    pub(crate) fn target(&self) -> OwnedFd {
        File::open(self.path()).expect("the target is opened").into()
    }

    /// Everything but the target is as it was.
    pub(crate) fn unharmed(&self) {
        assert_eq!(seen(self.all.path()), self.before, "something outside has changed");
    }
}

/// The target may be deeper than [`fs::remove_dir_all`] goes.
impl Drop for Place {
    fn drop(&mut self) {
        let all = File::open(self.all.path()).expect("the directory is opened");
        remove_tree(&all, "target").expect("what was unpacked can be removed");
    }
}

fn seen(all: &Path) -> Vec<Seen> {
    let names = ["", "outside", "outside/nest", "outside/canary", "outside/link"];
    let mut list: Vec<_> = fs::read_dir(all.join("outside")).expect("it is listed").collect();
    list.extend(fs::read_dir(all).expect("it is listed"));
    list.extend(fs::read_dir(all.join("outside/nest")).expect("it is listed"));
    assert_eq!(list.len(), names.len(), "something outside is new: {list:?}");
    let one = |name: &&str| {
        let path = all.join(name);
        let m = path.symlink_metadata().expect("it is there");
        let content = if m.is_file() { fs::read(&path).expect("it is read") } else { Vec::new() };
        let time = (m.mtime(), m.mtime_nsec());
        (path, m.mode(), m.uid(), m.gid(), m.nlink(), m.ino(), time, content)
    };
    names.iter().map(one).collect()
}
