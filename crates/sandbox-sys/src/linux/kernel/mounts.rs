//! The system calls that make and change mounts.

use core::ffi::CStr;
use core::ptr::from_ref;

use super::super::word::Word;
use super::{Errno, Fd, call, change_directory_path, close, descriptor, text, word};

/// pivot_root(2) to the working directory; the old root is stacked over the new one, and then
/// detached, as the manual page has it.
pub(in crate::linux) fn pivot_root_here() -> Result<(), Errno> {
    call(libc::SYS_pivot_root, [text(c"."), text(c".")])?;
    detach_top()?;
    change_directory_path(c"/")
}

/// umount2(2) of the topmost mount on the working directory.
pub(in crate::linux) fn detach_top() -> Result<(), Errno> {
    call(libc::SYS_umount2, [text(c"."), word(libc::MNT_DETACH)]).map(drop)
}

/// mount(2) on the working directory. `data` and `source` are text.
pub(in crate::linux) fn mount_here(
    source: &CStr,
    kind: &CStr,
    flags: libc::c_ulong,
    data: &CStr,
) -> Result<(), Errno> {
    let words = [text(source), text(c"."), text(kind), flags as usize, text(data)];
    call(libc::SYS_mount, words).map(drop)
}

/// mount(2). What is text is empty or absent where it does not matter.
pub(in crate::linux) fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> Result<(), Errno> {
    let or_null = |string: Option<&CStr>| string.map_or(0, text);
    let words = [text(source), text(target), or_null(kind), flags as usize, or_null(data)];
    call(libc::SYS_mount, words).map(drop)
}

/// mount(2) `MS_MOVE` of the mount that a descriptor is the root of.
pub(in crate::linux) fn move_mount(tree: Fd, target: &CStr) -> Result<(), Errno> {
    mount(Word::of_descriptor(tree).as_c_str(), target, None, libc::MS_MOVE, None)
}

/// mount(2) `MS_REMOUNT | MS_BIND`: some flags are set or cleared, and the others stay as they are.
pub(in crate::linux) fn remount(
    tree: Fd,
    set: libc::c_ulong,
    clear: libc::c_ulong,
) -> Result<(), Errno> {
    // What statfs(2) tells of a mount; times of access are left alone where nothing is said of them.
    const KEPT: [(libc::c_ulong, libc::c_ulong); 5] = [
        (libc::ST_RDONLY, libc::MS_RDONLY),
        (libc::ST_NOSUID, libc::MS_NOSUID),
        (libc::ST_NODEV, libc::MS_NODEV),
        (libc::ST_NOEXEC, libc::MS_NOEXEC),
        // ST_NOSYMFOLLOW, Linux 5.10.
        (0x2000, 1 << 8),
    ];
    // `struct statfs` is words on these machines; libc has no name for this one.
    const FLAGS: usize = 10;
    let mut now: [libc::c_ulong; 15] = [0; _];
    call(libc::SYS_fstatfs, [word(tree), now.as_mut_ptr() as usize])?;
    let now = now[FLAGS];
    let kept = KEPT.iter().filter(|(told, _)| now & told != 0).fold(0, |all, (_, flag)| all | flag);
    let flags = libc::MS_REMOUNT | libc::MS_BIND | (kept | set) & !clear;
    mount(c"", Word::of_descriptor(tree).as_c_str(), None, flags, None)
}

/// mount(2) that changes the propagation of everything to private.
pub(in crate::linux) fn make_mounts_private() -> Result<(), Errno> {
    let flags = (libc::MS_REC | libc::MS_PRIVATE) as usize;
    call(libc::SYS_mount, [0, text(c"/"), 0, flags, 0]).map(drop)
}

/// Whether an operation on a mount includes the mounts below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Depth {
    Single,
    Recursive,
    /// Without them, where the kernel does not refuse to uncover what is below them.
    SinglePreferred,
}

impl Depth {
    fn flag(self) -> i32 {
        match self {
            Self::Single => 0,
            // Of a copy that turned out to be single, the mounts below are none.
            Self::Recursive | Self::SinglePreferred => libc::AT_RECURSIVE,
        }
    }
}

/// open_tree(2) with `OPEN_TREE_CLONE`: a detached copy of the mount at a path.
pub(in crate::linux) fn clone_tree(directory: Fd, path: &CStr, depth: Depth) -> Result<Fd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    let empty = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    let flags = flags as usize | word(depth.flag() | empty);
    call(libc::SYS_open_tree, [word(directory), text(path), flags]).map(descriptor)
}

/// move_mount(2) of a detached mount onto what `target` is.
pub(in crate::linux) fn attach(tree: Fd, target: Fd) -> Result<(), Errno> {
    const BOTH_EMPTY: u32 = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    let words = [word(tree), text(c""), word(target), text(c""), BOTH_EMPTY as usize];
    call(libc::SYS_move_mount, words).map(drop)
}

/// move_mount(2) of a detached mount over the root directory.
pub(in crate::linux) fn attach_over_root(tree: Fd) -> Result<(), Errno> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH as usize;
    let words = [word(tree), text(c""), word(libc::AT_FDCWD), text(c"/"), flags];
    call(libc::SYS_move_mount, words).map(drop)
}

/// mount_setattr(2) that sets attributes (`MOUNT_ATTR_*`).
pub(in crate::linux) fn set_attributes(
    tree: Fd,
    attributes: u64,
    depth: Depth,
) -> Result<(), Errno> {
    change_attributes(tree, attributes, 0, depth)
}

/// mount_setattr(2) that clears `MOUNT_ATTR_RDONLY` of one mount.
pub(in crate::linux) fn make_writable(tree: Fd) -> Result<(), Errno> {
    change_attributes(tree, 0, libc::MOUNT_ATTR_RDONLY, Depth::Single)
}

/// mount_setattr(2) that sets the propagation (`MS_PRIVATE` and the like) of one mount.
pub(in crate::linux) fn set_propagation(tree: Fd, kind: libc::c_ulong) -> Result<(), Errno> {
    let attr = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: kind, userns_fd: 0 };
    change(tree, &attr, Depth::Single)
}

fn change_attributes(tree: Fd, set: u64, clear: u64, depth: Depth) -> Result<(), Errno> {
    let attr = libc::mount_attr { attr_set: set, attr_clr: clear, propagation: 0, userns_fd: 0 };
    change(tree, &attr, depth)
}

fn change(tree: Fd, attr: &libc::mount_attr, depth: Depth) -> Result<(), Errno> {
    let flags = word(libc::AT_EMPTY_PATH | depth.flag());
    let size = size_of::<libc::mount_attr>();
    let words = [word(tree), text(c""), flags, from_ref(attr) as usize, size];
    call(libc::SYS_mount_setattr, words).map(drop)
}

/// A detached tmpfs.
pub(in crate::linux) fn new_tmpfs(mode: &CStr) -> Result<Fd, Errno> {
    new_filesystem(c"tmpfs", Some(mode))
}

/// fsopen(2), fsconfig(2), fsmount(2): a detached file system.
pub(in crate::linux) fn new_filesystem(kind: &CStr, mode: Option<&CStr>) -> Result<Fd, Errno> {
    const FSOPEN_CLOEXEC: usize = 1;
    const FSCONFIG_SET_STRING: usize = 1;
    const FSCONFIG_CMD_CREATE: usize = 6;
    const FSMOUNT_CLOEXEC: usize = 1;
    let attributes = (libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV) as usize;
    let fs = call(libc::SYS_fsopen, [text(kind), FSOPEN_CLOEXEC])?;
    let set = |mode| {
        let words = [fs, FSCONFIG_SET_STRING, text(c"mode"), text(mode), 0];
        call(libc::SYS_fsconfig, words)
    };
    let mount = mode
        .map_or(Ok(0), set)
        .and_then(|_| call(libc::SYS_fsconfig, [fs, FSCONFIG_CMD_CREATE, 0, 0, 0]))
        .and_then(|_| call(libc::SYS_fsmount, [fs, FSMOUNT_CLOEXEC, attributes]));
    close(descriptor(fs));
    mount.map(descriptor)
}
