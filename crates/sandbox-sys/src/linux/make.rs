//! Makes mount points in the child, and tells the caller which, so that it can remove them.
//!
//! The caller gets the directory that something was made in as a detached mount of its own: nothing
//! that is mounted or made read-only in the sandbox stands in its way then, and no path has to be
//! looked up again, which links could lead elsewhere.

use super::act::{Rights, State};
use super::kernel::{self, Depth, Errno, FileId};
use super::program::{Target, TargetKind};
use super::protocol::Record;
use super::word::Word;

/// Makes what is missing of a target.
pub(super) fn target<'a>(target: &'a Target, state: &mut State<'a>) -> Result<(), Errno> {
    let path = target.path.to_bytes();
    if target.on_host
        && let Ok(existing) = kernel::open_in_root(state.root, &target.path, libc::O_PATH)
    {
        kernel::close(existing);
        return Ok(());
    }
    let mut making = Making { target, state, above: 0 };
    match making.part(path, target.kind) {
        Err(libc::ENOENT) => {}
        done => return done,
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

struct Making<'s, 'a> {
    target: &'a Target,
    state: &'s mut State<'a>,
    /// How many of the components right above have just been made.
    above: u32,
}

impl<'a> Making<'_, 'a> {
    /// The target, or the beginning of it that ends with some component.
    fn part(&mut self, path: &'a [u8], kind: TargetKind) -> Result<(), Errno> {
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
        let name = Word::of(path.get(slash + 1..).unwrap_or_default())?;
        let parent = self.state.open_parent(path.get(..slash.max(1)).unwrap_or_default())?;
        let attempt = || match kind {
            TargetKind::Directory => kernel::make_directory(parent, name.as_c_str(), 0o755),
            TargetKind::File => kernel::make_file(parent, name.as_c_str()),
        };
        if !self.target.on_host {
            return existing_is_fine(attempt());
        }
        let made = match self.state.rights {
            Rights::Callers => attempt(),
            Rights::UserNamespaces => without_override(attempt)?,
        };
        if made.is_err() {
            self.above = 0;
            return existing_is_fine(made);
        }
        let told = self.tell(path, &name, parent);
        if told.is_err() {
            let flags = if kind == TargetKind::Directory { libc::AT_REMOVEDIR } else { 0 };
            let _ = kernel::remove(parent, name.as_c_str(), flags);
        }
        told
    }

    fn tell(&mut self, path: &[u8], name: &Word, parent: i32) -> Result<(), Errno> {
        let record = Record::Made {
            target: self.target.number,
            end: u32::try_from(path.len()).unwrap_or(u32::MAX),
            above: self.above,
            inode: kernel::stat_in(parent, name.as_c_str())?.inode,
        };
        if self.above == 0 && self.not_told_of(kernel::stat(parent)?) {
            let depth = Depth::Single;
            let directory =
                kernel::clone_tree(parent, c"", depth).or_else(|errno| match errno {
                    // A user namespace may not uncover what is below the mounts that it was given.
                    libc::EINVAL => kernel::clone_tree(parent, c"", Depth::Recursive),
                    errno => Err(errno),
                })?;
            let sent = kernel::send(self.state.socket, &record.to_bytes(), Some(directory));
            kernel::close(directory);
            sent?;
        } else {
            kernel::send(self.state.socket, &record.to_bytes(), None)?;
        }
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
