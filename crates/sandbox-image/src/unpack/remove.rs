//! Removing what is below a directory, by descriptors.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, FileType, unlinkat};
use rustix::io::Errno;

use super::names::NameSet;
use super::tree::open_at;

/// Directories inside one another; each takes a descriptor while it is emptied.
const DEPTH: usize = 256;

/// Removes `name` and all that is in it. It is no error if it isn't there.
pub(super) fn remove(directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    remove_below(directory, name, DEPTH)
}

fn remove_below(directory: BorrowedFd<'_>, name: &[u8], depth: usize) -> Result<(), Errno> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // Linux says EISDIR, POSIX EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    empty(directory, name, depth, &mut |below, name, depth| remove_below(below, name, depth))?;
    unlinkat(directory, name, AtFlags::REMOVEDIR)
}

/// Removes what is below the directory `name`, whose path in the image is `path`, except for what is in
/// `kept`.
pub(super) fn remove_others(
    directory: BorrowedFd<'_>,
    name: &[u8],
    path: &[u8],
    kept: &NameSet,
) -> Result<(), Errno> {
    others_below(directory, name, path, kept, DEPTH)
}

fn others_below(
    directory: BorrowedFd<'_>,
    name: &[u8],
    path: &[u8],
    kept: &NameSet,
    depth: usize,
) -> Result<(), Errno> {
    empty(directory, name, depth, &mut |below, name, depth| {
        let path = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
        if !kept.contains(&path) {
            return remove_below(below, name, depth);
        }
        let stat = rustix::fs::statat(below, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return others_below(below, name, &path, kept, depth);
        }
        Ok(())
    })
}

/// Is given a directory, a name in it, and how much deeper it may go.
type Each<'a> = dyn FnMut(BorrowedFd<'_>, &[u8], usize) -> Result<(), Errno> + 'a;

/// Calls `each` for all that is in the directory `name`.
fn empty(
    directory: BorrowedFd<'_>,
    name: &[u8],
    depth: usize,
    each: &mut Each<'_>,
) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    let mut entries = Dir::new(open_at(directory, name)?)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(entries.fd()?, name, depth)?;
        }
    }
    Ok(())
}
