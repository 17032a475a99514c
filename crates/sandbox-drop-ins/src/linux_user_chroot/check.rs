//! What is looked at on the host before anything is done: sources that the caller must be able to read,
//! and mount points that must be there, in the order of the command line.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat};
use sandbox_core::InsidePath;

use super::arguments::{MountOption, Options};
use super::failure::{Call, Failure};

/// How often the kernel is asked for a path that it cannot be sure of.
const TRIES: u32 = 1000;

/// Where each mount goes, in order; `/` where it is the root by another name.
pub(super) fn places(options: &Options) -> Result<Vec<InsidePath>, Failure> {
    let tree = Tree::open(&options.root);
    let mut places = Vec::new();
    for mount in &options.mounts {
        let fails = |errno| Failure::call(Call::of(mount), errno);
        if let MountOption::Bind { source, .. } = mount {
            readable(source)?;
        }
        let tree = tree.as_ref().map_err(|errno| fails(*errno))?;
        places.push(tree.place(mount.at(), &places).map_err(fails)?);
    }
    let entered = tree.and_then(|tree| tree.enter());
    entered.map_err(|errno| Failure::call(Call::ChangeDirectory, errno))?;
    if options.root.is_relative() {
        let root = options.root.as_os_str();
        let root = root.display();
        let reason = format!("ROOTDIR {root} is relative: give an absolute path");
        let (call, errno, reason) = (Call::MoveRoot, Errno::ENOENT, Some(reason));
        return Err(Failure::Call { call, errno, reason });
    }
    Ok(places)
}

/// Opened like this, a FIFO does not block, and a terminal does not become the caller's own.
fn readable(source: &Path) -> Result<(), Failure> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    open(source, flags, Mode::empty()).map(drop).map_err(|_| Failure::Source)
}

/// ROOTDIR, as it is on the host.
struct Tree {
    root: OwnedFd,
    /// Its own path, without links; `None` where there is no /proc.
    path: Option<PathBuf>,
}

impl Tree {
    fn open(root: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(root, flags, Mode::empty())?;
        let path = path_of(&root);
        Ok(Self { root, path })
    }

    /// Whether the caller may go there, as chdir(2) asks.
    fn enter(&self) -> Result<(), Errno> {
        faccessat(&self.root, ".", AccessFlags::X_OK, AtFlags::AT_EACCESS)
    }

    /// Where a mount goes, after mounts on some places. Where it goes into one of those, only the
    /// engine can tell whether it is there, and likewise below what only a user namespace may search.
    fn place(&self, at: &OsStr, earlier: &[InsidePath]) -> Result<InsidePath, Errno> {
        let at = if at.is_empty() { OsStr::new("/") } else { at };
        let at = InsidePath::from_root(at, "DEST").map_err(|_| Errno::EINVAL)?;
        let in_earlier = |path: &InsidePath| earlier.iter().any(|place| path.is_within(place));
        if in_earlier(&at) {
            return Ok(at);
        }
        match self.find(at.as_path()) {
            Ok(found) if found.as_ref().is_some_and(InsidePath::is_root) => Ok(InsidePath::root()),
            Ok(_) | Err(Errno::EACCES) => Ok(at),
            Err(errno) => {
                // A link may lead into an earlier mount.
                let above = at.as_path().ancestors().find_map(|path| self.find(path).ok());
                if above.flatten().is_some_and(|above| in_earlier(&above)) {
                    Ok(at)
                } else {
                    Err(errno)
                }
            }
        }
    }

    /// What a path leads to inside, without links, as far as that can be said.
    fn find(&self, path: &Path) -> Result<Option<InsidePath>, Errno> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // Where somebody mounts or renames meanwhile, the kernel's answer to `..` is "try again".
        let found = (0..TRIES)
            .map(|_| openat2(self.root.as_fd(), path, how))
            .find(|found| !matches!(found, Err(Errno::EAGAIN)))
            .unwrap_or(Err(Errno::EAGAIN))?;
        let inside = self.path.as_ref().zip(path_of(&found)).and_then(|(root, found)| {
            let inside = Path::new("/").join(found.strip_prefix(root).ok()?);
            InsidePath::absolute(inside, "DEST").ok()
        });
        Ok(inside)
    }
}

fn path_of(file: &OwnedFd) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}
