//! Removes the mount points that a sandbox made on the host.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::program::{Act, Program, Target, TargetKind};

/// A directory or an empty file that the child made, known by its inode.
#[derive(Debug)]
pub(crate) struct Leftover {
    base: PathBuf,
    parent: PathBuf,
    name: OsString,
    kind: UnlinkatFlags,
    device: u64,
    inode: u64,
}

/// What the child made on the host, in order.
pub(super) fn leftovers(program: &Program) -> Vec<Leftover> {
    let targets = program.ops.iter().filter_map(|op| match &op.act {
        Act::Make(target) => Some(target),
        _ => None,
    });
    targets.flat_map(leftovers_of).collect()
}

fn leftovers_of(target: &Target) -> Vec<Leftover> {
    let Some(place) = &target.host else { return Vec::new() };
    let names: Vec<OsString> = target
        .parts
        .iter()
        .map(|part| std::ffi::OsStr::from_bytes(part.name.as_bytes()).to_owned())
        .collect();
    let last = target.parts.len().saturating_sub(1);
    let made = target.parts.iter().enumerate().skip(place.skip);
    let made = made.filter(|(_, part)| part.made.inode.load(Relaxed) != 0);
    made.map(|(index, part)| Leftover {
        base: place.base.clone(),
        parent: names[place.skip..index].iter().collect(),
        name: names[index].clone(),
        kind: match (index == last, target.kind) {
            (true, TargetKind::File) => UnlinkatFlags::NoRemoveDir,
            _ => UnlinkatFlags::RemoveDir,
        },
        device: part.made.device.load(Relaxed),
        inode: part.made.inode.load(Relaxed),
    })
    .collect()
}

/// Removes them, the last one first. What somebody has used or replaced meanwhile stays.
pub(crate) fn remove(leftovers: &mut Vec<Leftover>) {
    while let Some(leftover) = leftovers.pop() {
        // Not an error: it is no longer ours, or no longer empty.
        let _ = leftover.remove();
    }
}

impl Leftover {
    fn remove(&self) -> io::Result<()> {
        let parent = self.open_parent()?;
        let now = fstatat(&parent, Path::new(&self.name), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let same = now.st_dev == self.device && now.st_ino == self.inode;
        let unused = matches!(self.kind, UnlinkatFlags::RemoveDir) || now.st_size == 0;
        if same && unused {
            unlinkat(&parent, Path::new(&self.name), self.kind)?;
        }
        Ok(())
    }

    fn open_parent(&self) -> io::Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let base = open(&self.base, flags, Mode::empty())?;
        let below = if self.parent.as_os_str().is_empty() { Path::new(".") } else { &self.parent };
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        Ok(openat2(&base, below, OpenHow::new().flags(flags).resolve(resolve))?)
    }
}
