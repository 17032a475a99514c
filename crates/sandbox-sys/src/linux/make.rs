//! Makes mount points in the child, and tells the caller which, so that it can remove them.
//!
//! The caller gets the directory that something was made in as a detached mount of its own: nothing
//! that is mounted or made read-only in the sandbox stands in its way then, and no path has to be
//! looked up again, which links could lead elsewhere.
//!
//! Sandboxes may run in one tree at once, and to remove a directory takes what is mounted on it away
//! from everybody. So each holds a shared lock (flock(2)) on what it has made, and on what it finds that a
//! sandbox has made, which the mode tells; who is the last to hold one removes it.

use super::act::{Rights, State};
use super::kernel::{self, Depth, Errno, FileId};
use super::program::{Target, TargetKind};
use super::protocol::Record;
use super::word::Word;

/// Of what sandboxes make: rare, and without a meaning that could do harm.
const DIRECTORY_MODE: u32 = 0o1755;
const FILE_MODE: u32 = 0o1644;

/// Makes what is missing of a target.
pub(super) fn target<'a>(target: &'a Target, state: &mut State<'a>) -> Result<(), Errno> {
    let path = target.path.to_bytes();
    if target.on_host
        && let Ok(existing) = kernel::open_in_root(state.root, &target.path, libc::O_PATH)
    {
        let id = kernel::stat(existing);
        kernel::close(existing);
        if !id.is_ok_and(|id| is_marked(&id)) {
            return Ok(());
        }
    }
    let mut making = Making { target, state, above: 0 };
    // On the host each part is looked at: it may be another sandbox's, too. In memory most often the
    // last one alone is missing.
    if !target.on_host {
        match making.part(path, target.kind) {
            Err(libc::ENOENT) => {}
            done => return done,
        }
    }
    for (end, _) in path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/') {
        making.part(path.get(..end).unwrap_or_default(), TargetKind::Directory)?;
    }
    making.part(path, target.kind)
}

/// Whether what is there serves the purpose shows when it is used.
pub(super) fn existing_is_fine(made: Result<(), Errno>) -> Result<(), Errno> {
    if made == Err(libc::EEXIST) { Ok(()) } else { made }
}

fn is_marked(id: &FileId) -> bool {
    match id.kind {
        libc::S_IFDIR => id.mode == DIRECTORY_MODE,
        libc::S_IFREG => id.mode == FILE_MODE && id.size == 0,
        _ => false,
    }
}

/// What a sandbox has made, or what is gone again already.
fn may_be_ours(parent: i32, name: &Word) -> bool {
    kernel::stat_in(parent, name.as_c_str()).map_or(true, |id| is_marked(&id))
}

struct Making<'s, 'a> {
    target: &'a Target,
    state: &'s mut State<'a>,
    /// How many of the components right above the caller has just been told of.
    above: u32,
}

impl<'a> Making<'_, 'a> {
    /// The target, or the beginning of it that ends with some component.
    fn part(&mut self, path: &'a [u8], kind: TargetKind) -> Result<(), Errno> {
        // Another sandbox can remove what is found before it is held.
        const TRIES: usize = 100;
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
        let name = Word::of(path.get(slash + 1..).unwrap_or_default())?;
        let parent = self.state.open_parent(path.get(..slash.max(1)).unwrap_or_default())?;
        let modes = if self.target.on_host { [DIRECTORY_MODE, FILE_MODE] } else { [0o755, 0o644] };
        let attempt = || match kind {
            TargetKind::Directory => kernel::make_directory(parent, name.as_c_str(), modes[0]),
            TargetKind::File => kernel::make_file(parent, name.as_c_str(), modes[1]),
        };
        if !self.target.on_host {
            return existing_is_fine(attempt());
        }
        for _ in 0..TRIES {
            let result = match self.state.rights {
                Rights::Callers => attempt(),
                Rights::UserNamespaces => without_override(attempt)?,
            };
            let made = match result {
                Ok(()) => true,
                Err(libc::EEXIST) if may_be_ours(parent, &name) => false,
                Err(libc::EEXIST) => {
                    self.above = 0;
                    return Ok(());
                }
                Err(errno) => return Err(errno),
            };
            match self.hold(path, &name, parent) {
                // Gone, or about to go.
                Err(libc::EWOULDBLOCK | libc::ENOENT) => kernel::pause(),
                Err(errno) => {
                    if made {
                        let directory = kind == TargetKind::Directory;
                        let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
                        let _ = kernel::remove(parent, name.as_c_str(), flags);
                    }
                    return Err(errno);
                }
                Ok(()) => return Ok(()),
            }
        }
        Err(libc::EBUSY)
    }

    /// Takes a share of the lock, and tells the caller.
    fn hold(&mut self, path: &[u8], name: &Word, parent: i32) -> Result<(), Errno> {
        let lock = kernel::open_at(parent, name.as_c_str())?;
        let told = self.hold_open(path, name, parent, lock);
        kernel::close(lock);
        told
    }

    fn hold_open(&mut self, path: &[u8], name: &Word, parent: i32, lock: i32) -> Result<(), Errno> {
        kernel::lock(lock, libc::LOCK_SH | libc::LOCK_NB)?;
        let inode = kernel::stat(lock)?.inode;
        if kernel::stat_in(parent, name.as_c_str())?.inode != inode {
            return Err(libc::ENOENT);
        }
        let record = Record::Made {
            target: self.target.number,
            end: u32::try_from(path.len()).unwrap_or(u32::MAX),
            above: self.above,
            inode,
        };
        // One descriptor each time: of more, some could get lost.
        if self.above == 0 && self.not_told_of(kernel::stat(parent)?) {
            let directory = self.state.mounts.copy(parent, c"", Depth::SinglePreferred)?;
            let record = Record::Directory.to_bytes();
            let sent = kernel::send(self.state.socket, &record, Some(directory));
            kernel::close(directory);
            sent?;
        }
        kernel::send(self.state.socket, &record.to_bytes(), Some(lock))?;
        self.above += 1;
        Ok(())
    }

    /// Siblings are told of by one descriptor.
    fn not_told_of(&mut self, directory: FileId) -> bool {
        let same = |told: &FileId| told.device == directory.device && told.inode == directory.inode;
        let new = !self.state.told.as_ref().is_some_and(same);
        self.state.told = Some(directory);
        new
    }
}

/// Does something with no more rights on files than the caller has, who has to undo it outside of the
/// user namespace.
fn without_override<T>(action: impl FnOnce() -> T) -> Result<T, Errno> {
    const CAP_DAC_OVERRIDE: u32 = 1;
    const CAP_DAC_READ_SEARCH: u32 = 2;
    let all = kernel::capabilities()?;
    let mut fewer = all;
    fewer[0] &= !(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH);
    kernel::set_capabilities(&fewer)?;
    let result = action();
    kernel::set_capabilities(&all)?;
    Ok(result)
}
