//! Removing what an entry replaces, and what a layer hides.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use super::names::NameSet;
use super::tree::open_at;
use crate::place::remove_tree;

/// Directories inside one another that are kept; each takes a descriptor while it is looked through.
const DEPTH: usize = 256;

/// Removes `name` and all that is in it. It is no error if it isn't there.
pub(super) fn remove(directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    remove_tree(directory, OsStr::from_bytes(name)).map_err(|error| error.first.errno())
}

/// What stays.
pub(super) struct Kept<'a> {
    /// Names that a layer has put there, and the directories that these are in.
    pub(super) put: &'a NameSet,
    /// Directories that have nothing else.
    pub(super) all: &'a NameSet,
}

/// Removes what is below the directory `name`, whose path in the image is `path`, except for what is
/// kept.
pub(super) fn remove_others(
    directory: BorrowedFd<'_>,
    name: &[u8],
    path: &[u8],
    kept: &Kept<'_>,
) -> Result<(), Errno> {
    others_below(directory, name, path, kept, DEPTH)
}

fn others_below(
    directory: BorrowedFd<'_>,
    name: &[u8],
    path: &[u8],
    kept: &Kept<'_>,
    depth: usize,
) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    let mut entries = Dir::new(open_at(directory, name)?)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let (below, name) = (entries.fd()?, entry.file_name().to_bytes());
        let path = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
        if matches!(name, b"." | b"..") {
            continue;
        }
        // First of all: a directory that has nothing of lower layers may be one of theirs itself.
        if !kept.put.contains(&path) {
            remove(below, name)?;
            continue;
        }
        if kept.all.contains(&path) {
            continue;
        }
        let stat = statat(below, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            others_below(below, name, &path, kept, depth)?;
        }
    }
    Ok(())
}
