//! A minimal /dev, as the backends of Linux make it.

use std::path::Path;

use crate::absent::Missing;
use crate::mount::{MountFlag, Recursion};
use crate::path::InsidePath;
use crate::plan::{NewFilesystem, Step};

/// The devices that programs may expect anywhere; they give no access to the host.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 5] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Whether a minimal `/dev` has a `console`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Console {
    /// The command's terminal, or what is like `null` ([`Step::BindConsole`]).
    Bound,
    /// None.
    Absent,
}

/// The steps that fill a directory with a minimal `/dev` ([`Filesystem::Dev`](crate::Filesystem::Dev)):
/// a tmpfs with the host's nodes bound into it, as without privilege no node can be made.
pub fn minimal_dev(target: &InsidePath, console: Console) -> Vec<Step> {
    let tmpfs = |target: InsidePath, mode, flags: &[MountFlag]| Step::Mount {
        filesystem: NewFilesystem::Tmpfs { size: None, mode },
        target,
        flags: flags.to_vec(),
    };
    let source = |name| Path::new("/dev").join(name);
    let console = (console == Console::Bound).then(|| target.join("console"));
    let (pts, shm) = (target.join("pts"), target.join("shm"));
    let no_others = [MountFlag::NoSuid, MountFlag::NoDev];
    let mut steps = vec![tmpfs(target.clone(), 0o755, &no_others)];
    // What is made in one directory comes in a row: the directory is looked up once.
    steps.extend(NODES.map(|name| Step::MakeFile(target.join(name))));
    steps.extend(console.iter().cloned().map(Step::MakeFile));
    steps.extend([Step::MakeDirectory(pts.clone()), Step::MakeDirectory(shm.clone())]);
    steps.extend(LINKS.map(|(name, to)| Step::Symlink { at: target.join(name), to: to.into() }));
    steps.extend(NODES.map(|name| {
        let (recursion, flags, missing) = (Recursion::Single, Vec::new(), Missing::Fails);
        Step::Bind { source: source(name), target: target.join(name), recursion, flags, missing }
    }));
    steps.extend(console.map(Step::BindConsole));
    let pts_flags = vec![MountFlag::NoSuid, MountFlag::NoExec];
    let filesystem = NewFilesystem::Devpts;
    steps.push(Step::Mount { filesystem, target: pts, flags: pts_flags });
    steps.push(tmpfs(shm, 0o1777, &[MountFlag::NoSuid, MountFlag::NoDev]));
    steps
}
