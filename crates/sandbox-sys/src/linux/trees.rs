//! Copies, restricts and attaches mounts, in the child.

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

use super::act::{State, inside, inside_directory, open_directory};
use super::detached::Detached;
use super::kernel::{self, Depth, Errno};
use super::program::Program;

/// A copy of the mount at a path, where that is what a descriptor refers to.
pub(super) fn clone_same(
    path: &CStr,
    descriptor: i32,
    depth: Depth,
    mounts: &Detached,
) -> Result<i32, Errno> {
    let which = |fd| kernel::stat(fd).map(|id| (id.device, id.inode));
    let tree = mounts.copy(libc::AT_FDCWD, path, depth)?;
    if which(tree).is_ok() && which(tree) == which(descriptor) {
        return Ok(tree);
    }
    kernel::close(tree);
    Err(libc::ESTALE)
}

/// A tmpfs on the host's root directory that no copy takes along.
pub(super) fn scratch(mounts: &Detached) -> Result<i32, Errno> {
    if let Some(parking) = mounts.parking() {
        return Ok(parking);
    }
    let scratch = mounts.tmpfs(c"0700")?;
    mounts.attach_over_root(scratch)?;
    mounts.set_propagation(scratch, libc::MS_UNBINDABLE)?;
    Ok(scratch)
}

/// A copy of the mount at a path, as it is now. Not of the root, by whatever name: put back over itself,
/// it would not be seen.
pub(super) fn hold(path: &CStr, state: &State) -> Result<i32, Errno> {
    let path = inside(state.root, path)?;
    let tree = if state.is_root(path) {
        Err(libc::EINVAL)
    } else {
        state.mounts.copy(path, c"", Depth::Recursive)
    };
    kernel::close(path);
    tree
}

/// Makes the mount of a noted id writable again. Another one may be there, and be read-only for a reason.
pub(super) fn reopen(mount: i32, noted: Option<u64>, mounts: &Detached) -> Result<(), Errno> {
    let done = match kernel::mount_id(mount) {
        Ok(id) if Some(id) == noted => mounts.make_writable(mount),
        Ok(_) => Err(libc::EBUSY),
        Err(errno) => Err(errno),
    };
    kernel::close(mount);
    done
}

/// Notes which mount has just been made at a path.
pub(super) fn note(
    id: Option<usize>,
    root: i32,
    path: &CStr,
    program: &Program,
) -> Result<(), Errno> {
    let Some(slot) = id.and_then(|id| program.ids.get(id)) else { return Ok(()) };
    let mount = inside(root, path)?;
    let found = kernel::mount_id(mount);
    kernel::close(mount);
    found.map(|id| slot.store(id, Relaxed))
}

/// What was stacked on the old root is on the new one after a pivot, one above the other, and the first of
/// it is gone. `..` of the root leads to the top.
pub(super) fn detach_others(mounts: &Detached) -> Result<(), Errno> {
    loop {
        let (root, top) = (open_directory(c"/")?, open_directory(c"/..")?);
        let ids = (mounts.mount_id(root), mounts.mount_id(top));
        kernel::close(root);
        kernel::close(top);
        if ids.0? == ids.1? {
            return Ok(());
        }
        kernel::detach_top()?;
    }
}

/// Puts attributes on a detached mount, attaches it, and closes both descriptors.
pub(super) fn attach(
    tree: i32,
    attributes: u64,
    depth: Depth,
    target: Result<i32, Errno>,
    mounts: &Detached,
) -> Result<(), Errno> {
    let done = target.and_then(|target| {
        let restricted = match attributes {
            0 => Ok(()),
            attributes => mounts.set_attributes(tree, attributes, depth),
        };
        let done = restricted.and_then(|()| mounts.attach(tree, target));
        let done = done.map_err(|errno| match errno {
            // Which can mean many things.
            libc::EINVAL if are_of_two_kinds(tree, target) => libc::ENOTDIR,
            errno => errno,
        });
        kernel::close(target);
        done
    });
    kernel::close(tree);
    done
}

/// Whether one is a directory and the other is not.
fn are_of_two_kinds(tree: i32, target: i32) -> bool {
    let is_directory = |fd| kernel::stat(fd).map(|id| id.kind == libc::S_IFDIR);
    is_directory(tree) != is_directory(target)
}

/// Attaches a detached mount at a path of the new root, restricted, and closes it.
pub(super) fn put(
    tree: i32,
    attributes: u64,
    depth: Depth,
    path: &CStr,
    state: &mut State,
) -> Result<(), Errno> {
    put_on(tree, attributes, depth, inside(state.root, path), state)
}

fn put_on(
    tree: i32,
    attributes: u64,
    depth: Depth,
    target: Result<i32, Errno>,
    state: &mut State,
) -> Result<(), Errno> {
    let on_root = target.is_ok_and(|target| state.is_root(target));
    attach(tree, attributes, depth, target, &state.mounts)?;
    if on_root { state.root_is_covered() } else { Ok(()) }
}

/// Mounts a new file system at a path of the new root.
pub(super) fn mount(
    kind: &CStr,
    flags: libc::c_ulong,
    data: &CStr,
    path: &CStr,
    state: &mut State,
) -> Result<(), Errno> {
    let target = inside_directory(state.root, path)?;
    let on_root = state.is_root(target);
    let done =
        kernel::change_directory(target).and_then(|()| kernel::mount_here(kind, kind, flags, data));
    kernel::close(target);
    done?;
    if on_root { state.root_is_covered() } else { Ok(()) }
}

/// Mounts what is at a path onto itself, restricted.
pub(super) fn cover(
    target: i32,
    attributes: u64,
    depth: Depth,
    state: &mut State,
) -> Result<(), Errno> {
    match state.mounts.copy(target, c"", depth) {
        Ok(tree) => put_on(tree, attributes, depth, Ok(target), state),
        Err(errno) => {
            kernel::close(target);
            Err(errno)
        }
    }
}

pub(super) fn mask(target: i32, mounts: &Detached) -> Result<(), Errno> {
    let cover = match kernel::stat(target)?.kind {
        libc::S_IFDIR => mounts.tmpfs(c"0555"),
        _ => mounts.copy(libc::AT_FDCWD, c"/dev/null", Depth::Single),
    };
    attach(cover?, libc::MOUNT_ATTR_RDONLY, Depth::Single, Ok(target), mounts)
}

/// An overlay whose changes go to a tmpfs, which is below it and so has no name.
pub(super) fn mount_temporary_overlay(
    data: &CStr,
    flags: libc::c_ulong,
    path: &CStr,
    state: &mut State,
) -> Result<(), Errno> {
    let target = inside_directory(state.root, path)?;
    let on_root = state.is_root(target);
    let done = temporary_overlay(data, flags, target, &state.mounts);
    kernel::close(target);
    done?;
    if on_root { state.root_is_covered() } else { Ok(()) }
}

fn temporary_overlay(
    data: &CStr,
    flags: libc::c_ulong,
    target: i32,
    mounts: &Detached,
) -> Result<(), Errno> {
    let changes = mounts.tmpfs(c"0755")?;
    let done = mounts
        .attach(changes, target)
        .and_then(|()| kernel::make_directory(changes, c"upper", 0o755))
        .and_then(|()| kernel::make_directory(changes, c"work", 0o755))
        .and_then(|()| kernel::change_directory(changes))
        .and_then(|()| kernel::mount_here(c"overlay", c"overlay", flags, data));
    kernel::close(changes);
    done
}
