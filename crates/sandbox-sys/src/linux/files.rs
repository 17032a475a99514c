//! Makes what the caller asked for by name: directories, files, links, files in memory. In the child.
//!
//! Unlike mount points (`make.rs`) these stay: they are asked for, not needed on the way.

use core::ffi::CStr;

use super::act::{State, inside};
use super::kernel::{self, Depth, Errno};
use super::program::FileAct;
use super::trees::attach;
use super::word::Word;

impl FileAct {
    /// Whether it only makes a name in a directory, which stays the same directory.
    pub(super) fn makes_a_name(&self) -> bool {
        matches!(self, Self::Directory { .. } | Self::Link { .. })
    }

    /// Does it.
    pub(super) fn run<'a>(&'a self, state: &mut State<'a>) -> Result<(), Errno> {
        match self {
            Self::Directory { path, mode } => directory(path, *mode, state),
            Self::File { path, content, mode } => file(path, content, *mode, state),
            Self::Link { path, to } => link(path, to, state),
            Self::Mode { path, mode } => change_mode(path, *mode, state),
            Self::Data { target, content, mode, attributes } => {
                in_memory(state, content, *mode, |tree| {
                    let target = inside(state.root, target);
                    attach(tree, *attributes, Depth::Single, target, &state.mounts)
                })
            }
        }
    }
}

/// A directory with exactly this mode, and its parents.
fn directory<'a>(path: &'a CStr, mode: u32, state: &mut State<'a>) -> Result<(), Errno> {
    let exact = |parent, name: &CStr| {
        let old = kernel::umask(0);
        let done = kernel::make_directory(parent, name, mode);
        kernel::umask(old);
        done
    };
    match in_parent(path, state, exact) {
        Err(libc::EEXIST) => {
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            kernel::open_in_root(state.root, path, flags).map(kernel::close)
        }
        done => done,
    }
}

/// A file with this content, and its parents.
fn file(path: &CStr, content: &[u8], mode: u32, state: &State) -> Result<(), Errno> {
    let create = || {
        let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC | libc::O_NONBLOCK;
        let old = kernel::umask(0);
        let file = kernel::create_in_root(state.root, path, flags, mode);
        kernel::umask(old);
        file
    };
    let file = match create() {
        Err(libc::ENOENT) => {
            parents(path.to_bytes(), state.root)?;
            create()?
        }
        done => done?,
    };
    let done = kernel::write_all(file, content);
    kernel::close(file);
    done
}

/// A symbolic link, and its parents. The same one may be there already.
fn link<'a>(path: &'a CStr, to: &CStr, state: &mut State<'a>) -> Result<(), Errno> {
    let make = |parent, name: &CStr| match kernel::symlink(to, parent, name) {
        Err(libc::EEXIST) if kernel::links_to(parent, name, to) => Ok(()),
        done => done,
    };
    in_parent(path, state, make)
}

/// chmod(2)
fn change_mode(path: &CStr, mode: u32, state: &State) -> Result<(), Errno> {
    let file = kernel::open_in_root(state.root, path, libc::O_PATH)?;
    let done = kernel::change_mode(file, mode);
    kernel::close(file);
    done
}

/// Makes a file in memory and hands on a mount of it, after which it has no other name.
///
/// `scratch` is a tmpfs of the sandbox's mount namespace: of a file system that is mounted nowhere, older
/// kernels copy no mount.
fn in_memory(
    state: &State,
    content: &[u8],
    mode: u32,
    attach: impl FnOnce(i32) -> Result<(), Errno>,
) -> Result<(), Errno> {
    const NAME: &CStr = c"data";
    let (scratch, mounts) = (state.scratch, &state.mounts);
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    let old = kernel::umask(0);
    let file = kernel::create_in_root(scratch, NAME, flags, mode);
    kernel::umask(old);
    let file = file?;
    let written = kernel::write_all(file, content);
    kernel::close(file);
    // Nothing is copied of a mount that is unbindable, and nothing attached that has no name any more.
    written
        .and_then(|()| mounts.set_propagation(scratch, libc::MS_PRIVATE))
        .and_then(|()| mounts.copy(scratch, NAME, Depth::Single))
        .and_then(|tree| mounts.set_propagation(scratch, libc::MS_UNBINDABLE).map(|()| tree))
        .and_then(attach)
        .and_then(|()| kernel::remove(scratch, NAME, 0))
}

/// Does something in the directory that a path is in, by its last component; makes the directory
/// where it is missing.
fn in_parent<'a>(
    path: &'a CStr,
    state: &mut State<'a>,
    make: impl Fn(i32, &CStr) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let bytes = path.to_bytes();
    let slash = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
    let name = Word::of(bytes.get(slash + 1..).unwrap_or_default())?;
    if matches!(name.as_c_str().to_bytes(), b"" | b"..") {
        return Err(libc::EEXIST);
    }
    let parent = bytes.get(..slash.max(1)).unwrap_or_default();
    let parent = match state.open_parent(parent) {
        Err(libc::ENOENT) => {
            parents(bytes, state.root)?;
            state.open_parent(parent)?
        }
        done => done?,
    };
    make(parent, name.as_c_str())
}

/// Makes the directories that a path is in, as far as they are missing.
fn parents(path: &[u8], root: i32) -> Result<(), Errno> {
    let mut parent = kernel::open_in_root(root, c"/", libc::O_PATH | libc::O_DIRECTORY)?;
    let mut start = 1;
    for (end, _) in path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/') {
        let name = Word::of(path.get(start..end).unwrap_or_default())?;
        let whole = Word::of(path.get(..end).unwrap_or_default())?;
        let made = match kernel::make_directory(parent, name.as_c_str(), 0o755) {
            Err(libc::EEXIST) => Ok(()),
            done => done,
        };
        kernel::close(parent);
        made?;
        // From the root, so that links mean what they mean inside.
        parent = kernel::open_in_root(root, whole.as_c_str(), libc::O_PATH | libc::O_DIRECTORY)?;
        start = end + 1;
    }
    kernel::close(parent);
    Ok(())
}
