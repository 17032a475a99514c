//! Carries out one operation in the child.
//!
//! Everything here is async-signal-safe, and safe beside the caller's running threads: it reads the
//! program, and calls [`kernel`].

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

use sandbox_core::Missing;

use super::kernel::{self, Depth, Errno, FileId};
use super::make;
use super::program::{Act, Descriptors, FileAct, Program};
use super::protocol::Record;
use super::word::Word;

/// What the child keeps between operations.
pub(super) struct State<'a> {
    /// The new root, or the host's until there is one.
    pub(super) root: i32,
    /// The directory that something was made in last: a minimal /dev is a dozen things in a row.
    parent: Option<(&'a [u8], i32)>,
    /// The directory of the host that the caller was told of last.
    pub(super) told: Option<FileId>,
    /// A tmpfs below the new root, where the plan needs one.
    pub(super) scratch: i32,
    /// How the new root lies on the host's.
    stack: Stack,
    /// Where the caller listens.
    pub(super) socket: i32,
    /// A pidfd of the caller.
    caller: i32,
    pub(super) rights: Rights,
}

/// What is mounted on the host's root directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stack {
    /// The new root.
    Root,
    /// Several trees, one on the other; the new root is on top.
    Trees,
}

/// With what rights the child acts on the host's files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// The caller's.
    Callers,
    /// Those that a user namespace adds: more than the caller's.
    UserNamespaces,
}

impl<'a> State<'a> {
    pub(super) fn new(descriptors: &Descriptors, rights: Rights) -> Self {
        let Descriptors { socket, caller, .. } = *descriptors;
        let root = libc::AT_FDCWD;
        let (scratch, stack) = (-1, Stack::Root);
        Self { root, parent: None, told: None, scratch, stack, socket, caller, rights }
    }

    /// Opens the directory to make something in. It stays the state's.
    pub(super) fn open_parent(&mut self, path: &'a [u8]) -> Result<i32, Errno> {
        if let Some((known, fd)) = self.parent {
            if known == path {
                return Ok(fd);
            }
            self.forget_parent();
        }
        let fd = inside_directory(self.root, Word::of(path)?.as_c_str())?;
        self.parent = Some((path, fd));
        Ok(fd)
    }

    /// After a mount on `/`, the root is what was mounted there.
    fn mounted(&mut self, target: &CStr) -> Result<(), Errno> {
        if target == c"/" {
            // A path that starts at a directory stays below what is mounted on that; `..` of a root
            // leads to itself, and then to the top of what is mounted on it.
            self.root = inside_directory(self.root, c"..")?;
            self.stack = Stack::Trees;
        }
        Ok(())
    }

    /// After a mount the same path may be another directory.
    fn forget_parent(&mut self) {
        if let Some((_, fd)) = self.parent.take() {
            kernel::close(fd);
        }
    }
}

impl Act {
    /// Does it.
    pub(super) fn run<'a>(&'a self, program: &Program, state: &mut State<'a>) -> Result<(), Errno> {
        let makes = FileAct::makes_a_name;
        if !matches!(self, Self::Make(_)) && !matches!(self, Self::File(act) if makes(act)) {
            state.forget_parent();
        }
        match self {
            Self::Write { path, content } => write_file(path, content),
            Self::PrivateMounts => kernel::make_mounts_private(),
            Self::RootTree(path) => root_tree(path, state),
            Self::RootDirectory(path) => {
                state.root = open_directory(path)?;
                Ok(())
            }
            Self::RootEmpty => {
                let tree = kernel::new_tmpfs(c"0755")?;
                kernel::attach_over_root(tree)?;
                state.root = tree;
                Ok(())
            }
            Self::Make(target) => make::target(target, state),
            Self::Scratch => {
                state.scratch = scratch()?;
                state.stack = Stack::Trees;
                Ok(())
            }
            Self::BindDescriptor { descriptor, source, target, attributes, depth } => {
                let tree = clone_same(source, *descriptor, *depth)?;
                attach(tree, *attributes, *depth, inside(state.root, target))?;
                state.mounted(target)
            }
            Self::TemporaryOverlay { data, flags, target } => {
                temporary_overlay(data, *flags, inside_directory(state.root, target)?)?;
                state.mounted(target)
            }
            Self::Bind { source, target, attributes, depth, missing } => {
                match (kernel::clone_tree(libc::AT_FDCWD, source, *depth), missing) {
                    (Err(libc::ENOENT), Missing::IsFine) => Ok(()),
                    (tree, _) => {
                        attach(tree?, *attributes, *depth, inside(state.root, target))?;
                        state.mounted(target)
                    }
                }
            }
            Self::Mount { kind, data, flags, target: path, id } => {
                let target = inside_directory(state.root, path)?;
                let done = kernel::change_directory(target)
                    .and_then(|()| kernel::mount_here(kind, kind, *flags, data));
                kernel::close(target);
                done?;
                state.mounted(path)?;
                note(*id, state.root, path, program)
            }
            Self::RestrictInPlace { target, attributes } => {
                let mount = inside(state.root, target)?;
                let done = kernel::set_attributes(mount, *attributes, Depth::Single);
                kernel::close(mount);
                done
            }
            Self::Restrict { target, attributes, depth, missing } => {
                match (inside(state.root, target), missing) {
                    (Err(libc::ENOENT | libc::ENOTDIR), Missing::IsFine) => Ok(()),
                    (target, _) => cover(target?, *attributes, *depth),
                }
            }
            Self::Mask(path) => match inside(state.root, path) {
                Err(libc::ENOENT | libc::ENOTDIR) => Ok(()),
                target => mask(target?),
            },
            Self::Hold { path, slot } => {
                let tree = hold(path, state.root)?;
                program.held[*slot].store(tree, Relaxed);
                Ok(())
            }
            Self::Find(path) => inside(state.root, path).map(kernel::close),
            Self::ReadOnly => {
                kernel::set_attributes(state.root, libc::MOUNT_ATTR_RDONLY, Depth::Recursive)
            }
            Self::Release { path, slot } => {
                let tree = program.held[*slot].load(Relaxed);
                attach(tree, 0, Depth::Single, inside(state.root, path))
            }
            Self::Reopen { path, id } => {
                let noted = id.and_then(|id| program.ids.get(id)).map(|id| id.load(Relaxed));
                reopen(inside(state.root, path)?, noted)
            }
            Self::PivotRoot => {
                kernel::change_directory(state.root)?;
                kernel::pivot_root_here()?;
                if state.stack == Stack::Trees { detach_others() } else { Ok(()) }
            }
            Self::Chroot => {
                kernel::change_directory(state.root)?;
                kernel::chroot_here()?;
                kernel::change_directory_path(c"/")
            }
            Self::Lock(path) => lock(path, state),
            Self::File(act) => act.run(state),
            Self::Process(act) => act.run(program, state.caller),
        }
    }
}

pub(super) fn inside(root: i32, path: &CStr) -> Result<i32, Errno> {
    kernel::open_in_root(root, path, libc::O_PATH)
}

fn inside_directory(root: i32, path: &CStr) -> Result<i32, Errno> {
    kernel::open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY)
}

/// A copy of the mount at a path, where that is what a descriptor refers to.
fn clone_same(path: &CStr, descriptor: i32, depth: Depth) -> Result<i32, Errno> {
    let which = |fd| kernel::stat(fd).map(|id| (id.device, id.inode));
    let tree = kernel::clone_tree(libc::AT_FDCWD, path, depth)?;
    if which(tree).is_ok() && which(tree) == which(descriptor) {
        return Ok(tree);
    }
    kernel::close(tree);
    Err(libc::ESTALE)
}

/// A tmpfs on the host's root directory that no copy takes along.
fn scratch() -> Result<i32, Errno> {
    let scratch = kernel::new_tmpfs(c"0700")?;
    kernel::attach_over_root(scratch)?;
    kernel::set_propagation(scratch, libc::MS_UNBINDABLE)?;
    Ok(scratch)
}

/// A copy of the mount at a path, as it is now.
fn hold(path: &CStr, root: i32) -> Result<i32, Errno> {
    let path = inside(root, path)?;
    let tree = if is_root(path, root) {
        Err(libc::EINVAL)
    } else {
        kernel::clone_tree(path, c"", Depth::Recursive)
    };
    kernel::close(path);
    tree
}

/// Makes the mount of a noted id writable again. Another one may be there, and be read-only for a reason.
fn reopen(mount: i32, noted: Option<u64>) -> Result<(), Errno> {
    let done = match kernel::mount_id(mount) {
        Ok(id) if Some(id) == noted => kernel::make_writable(mount),
        Ok(_) => Err(libc::EBUSY),
        Err(errno) => Err(errno),
    };
    kernel::close(mount);
    done
}

/// Whether a path is the root by another name. Put back over itself, it would not be seen.
fn is_root(path: i32, root: i32) -> bool {
    let which = |fd| match (kernel::mount_id(fd), kernel::stat(fd)) {
        (Ok(mount), Ok(id)) => Some((mount, id.device, id.inode)),
        _ => None,
    };
    which(path).is_some() && which(path) == which(root)
}

/// Notes which mount has just been made at a path.
fn note(id: Option<usize>, root: i32, path: &CStr, program: &Program) -> Result<(), Errno> {
    let Some(slot) = id.and_then(|id| program.ids.get(id)) else { return Ok(()) };
    let mount = inside(root, path)?;
    let found = kernel::mount_id(mount);
    kernel::close(mount);
    found.map(|id| slot.store(id, Relaxed))
}

/// What was stacked on the old root is on the new one after a pivot, one above the other, and the first of
/// it is gone. `..` of the root leads to the top.
fn detach_others() -> Result<(), Errno> {
    loop {
        let (root, top) = (open_directory(c"/")?, open_directory(c"/..")?);
        let ids = (kernel::mount_id(root), kernel::mount_id(top));
        kernel::close(root);
        kernel::close(top);
        if ids.0? == ids.1? {
            return Ok(());
        }
        kernel::detach_top()?;
    }
}

fn open_directory(path: &CStr) -> Result<i32, Errno> {
    kernel::open(path, libc::O_PATH | libc::O_DIRECTORY)
}

fn write_file(path: &CStr, content: &[u8]) -> Result<(), Errno> {
    let file = kernel::open(path, libc::O_WRONLY)?;
    let done = kernel::write(file, content);
    kernel::close(file);
    done
}

/// The copy is attached over the host's root directory: an absolute path starts below it, so the
/// sources of later mounts are still those of the host, whatever is mounted in the new root.
fn root_tree(path: &CStr, state: &mut State) -> Result<(), Errno> {
    let directory = open_directory(path)?;
    let tree = kernel::clone_tree(directory, c"", Depth::Recursive);
    kernel::close(directory);
    let tree = tree?;
    kernel::attach_over_root(tree)?;
    state.root = tree;
    Ok(())
}

/// Puts attributes on a detached mount, attaches it, and closes both descriptors.
pub(super) fn attach(
    tree: i32,
    attributes: u64,
    depth: Depth,
    target: Result<i32, Errno>,
) -> Result<(), Errno> {
    let done = target.and_then(|target| {
        let restricted = match attributes {
            0 => Ok(()),
            attributes => kernel::set_attributes(tree, attributes, depth),
        };
        let done = restricted.and_then(|()| kernel::attach(tree, target));
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

/// Mounts what is at a path onto itself, restricted.
fn cover(target: i32, attributes: u64, depth: Depth) -> Result<(), Errno> {
    let tree = kernel::clone_tree(target, c"", depth);
    match tree {
        Ok(tree) => attach(tree, attributes, depth, Ok(target)),
        Err(errno) => {
            kernel::close(target);
            Err(errno)
        }
    }
}

fn mask(target: i32) -> Result<(), Errno> {
    let cover = match kernel::stat(target)?.kind {
        libc::S_IFDIR => kernel::new_tmpfs(c"0555"),
        _ => kernel::clone_tree(libc::AT_FDCWD, c"/dev/null", Depth::Single),
    };
    attach(cover?, libc::MOUNT_ATTR_RDONLY, Depth::Single, Ok(target))
}

/// An overlay whose changes go to a tmpfs, which is below it and so has no name.
fn temporary_overlay(data: &CStr, flags: libc::c_ulong, target: i32) -> Result<(), Errno> {
    let changes = kernel::new_tmpfs(c"0755")?;
    let done = kernel::attach(changes, target)
        .and_then(|()| kernel::make_directory(changes, c"upper", 0o755))
        .and_then(|()| kernel::make_directory(changes, c"work", 0o755))
        .and_then(|()| kernel::change_directory(changes))
        .and_then(|()| kernel::mount_here(c"overlay", c"overlay", flags, data));
    kernel::close(changes);
    kernel::close(target);
    done
}

/// The lock belongs to the open file, which the caller keeps.
fn lock(path: &CStr, state: &State) -> Result<(), Errno> {
    let file = kernel::open_in_root(state.root, path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let done = kernel::lock_shared(file)
        .and_then(|()| kernel::send(state.socket, &Record::Kept.to_bytes(), Some(file)));
    kernel::close(file);
    done
}
