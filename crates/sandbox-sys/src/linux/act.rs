//! Carries out one operation in the child.
//!
//! Everything here is async-signal-safe, and safe beside the caller's running threads: it reads the
//! program, and calls [`kernel`].

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

use sandbox_core::{Missing, Namespace};

use super::detached::{Detached, MountCalls};
use super::kernel::{self, Depth, Errno, FileId, Place};
use super::program::{Act, Descriptors, FileAct, Program};
use super::protocol::Record;
use super::word::Word;
use super::{make, trees};

/// What the child keeps between operations.
pub(super) struct State<'a> {
    /// The new root, or the host's until there is one.
    pub(super) root: i32,
    /// Where that is.
    place: Option<Place>,
    /// The directory that something was made in last: a minimal /dev is a dozen things in a row.
    parent: Option<(&'a [u8], i32)>,
    /// The directory of the host that the caller was told of last.
    pub(super) told: Option<FileId>,
    /// A tmpfs below the new root, where the plan needs one.
    pub(super) scratch: i32,
    /// How mounts are moved and restricted.
    pub(super) mounts: Detached,
    calls: MountCalls,
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

impl Rights {
    pub(super) fn of(namespaces: &[Namespace]) -> Self {
        if namespaces.contains(&Namespace::User) { Self::UserNamespaces } else { Self::Callers }
    }
}

impl<'a> State<'a> {
    pub(super) fn new(descriptors: &Descriptors, rights: Rights, calls: MountCalls) -> Self {
        let Descriptors { socket, caller, .. } = *descriptors;
        let root = libc::AT_FDCWD;
        let (scratch, stack) = (-1, Stack::Root);
        let (place, parent, told) = (None, None, None);
        let mounts = Detached::KERNELS;
        Self { root, place, parent, told, scratch, mounts, calls, stack, socket, caller, rights }
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

    fn set_root(&mut self, root: i32) -> Result<(), Errno> {
        self.root = root;
        self.place = Some(kernel::place(root)?);
        Ok(())
    }

    /// Where the kernel moves no detached mounts, there is a place to park them from here on.
    fn private_mounts(&mut self) -> Result<(), Errno> {
        kernel::make_mounts_private()?;
        if self.calls == MountCalls::Old {
            self.mounts = Detached::parked()?;
            self.stack = Stack::Trees;
        }
        Ok(())
    }

    /// Whether something that is open is the new root, by whatever name.
    pub(super) fn is_root(&self, path: i32) -> bool {
        self.place.is_some() && kernel::place(path).ok() == self.place
    }

    /// After a mount on the root, it is what was mounted there. A path that starts at a directory stays
    /// below what is mounted on that.
    pub(super) fn root_is_covered(&mut self) -> Result<(), Errno> {
        let root = kernel::topmost_on_root()?;
        self.stack = Stack::Trees;
        self.set_root(root)
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
            Self::PrivateMounts => state.private_mounts(),
            Self::RootTree(path) => root_tree(path, state),
            Self::RootDirectory(path) => state.set_root(open_directory(path)?),
            Self::RootEmpty => {
                let tree = state.mounts.tmpfs(c"0755")?;
                state.mounts.attach_over_root(tree)?;
                state.set_root(tree)
            }
            Self::Make(target) => make::target(target, state),
            Self::Scratch => {
                state.scratch = trees::scratch(&state.mounts)?;
                state.stack = Stack::Trees;
                Ok(())
            }
            Self::BindDescriptor { descriptor, source, target, attributes, depth } => {
                let tree = trees::clone_same(source, *descriptor, *depth, &state.mounts)?;
                trees::put(tree, *attributes, *depth, target, state)
            }
            Self::TemporaryOverlay { data, flags, target } => {
                trees::mount_temporary_overlay(data, *flags, target, state)
            }
            Self::Bind { source, target, attributes, depth, missing } => {
                match (state.mounts.copy(libc::AT_FDCWD, source, *depth), missing) {
                    (Err(libc::ENOENT), Missing::IsFine) => Ok(()),
                    (tree, _) => trees::put(tree?, *attributes, *depth, target, state),
                }
            }
            Self::Mount { kind, data, flags, target: path, id } => {
                trees::mount(kind, *flags, data, path, state)?;
                trees::note(*id, state.root, path, program)
            }
            Self::RestrictInPlace { target, attributes } => {
                let mount = inside(state.root, target)?;
                let done = state.mounts.set_attributes(mount, *attributes, Depth::Single);
                kernel::close(mount);
                done
            }
            Self::Restrict { target, attributes, depth, missing } => {
                match (inside(state.root, target), missing) {
                    (Err(libc::ENOENT | libc::ENOTDIR), Missing::IsFine) => Ok(()),
                    (path, _) => trees::cover(path?, *attributes, *depth, state),
                }
            }
            Self::Mask(path) => match inside(state.root, path) {
                Err(libc::ENOENT | libc::ENOTDIR) => Ok(()),
                target => trees::mask(target?, &state.mounts),
            },
            Self::Hold { path, slot } => {
                let tree = trees::hold(path, state)?;
                program.held[*slot].store(tree, Relaxed);
                Ok(())
            }
            Self::Find(path) => inside(state.root, path).map(kernel::close),
            Self::ReadOnly => {
                let (root, depth) = (state.root, Depth::Recursive);
                state.mounts.set_attributes(root, libc::MOUNT_ATTR_RDONLY, depth)
            }
            Self::Release { path, slot } => {
                let tree = program.held[*slot].load(Relaxed);
                let target = inside(state.root, path);
                trees::attach(tree, 0, Depth::Single, target, &state.mounts)
            }
            Self::Reopen { path, id } => {
                let noted = id.and_then(|id| program.ids.get(id)).map(|id| id.load(Relaxed));
                trees::reopen(inside(state.root, path)?, noted, &state.mounts)
            }
            Self::PivotRoot => {
                kernel::change_directory(state.root)?;
                kernel::pivot_root_here()?;
                if state.stack == Stack::Trees {
                    trees::detach_others(&state.mounts)
                } else {
                    Ok(())
                }
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

pub(super) fn inside_directory(root: i32, path: &CStr) -> Result<i32, Errno> {
    kernel::open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY)
}

pub(super) fn open_directory(path: &CStr) -> Result<i32, Errno> {
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
    let tree = state.mounts.copy(directory, c"", Depth::Recursive);
    kernel::close(directory);
    let tree = tree?;
    state.mounts.attach_over_root(tree)?;
    state.set_root(tree)
}

/// The lock belongs to the open file, which the caller keeps.
fn lock(path: &CStr, state: &State) -> Result<(), Errno> {
    let file = kernel::open_in_root(state.root, path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let done = kernel::lock_shared(file)
        .and_then(|()| kernel::send(state.socket, &Record::Kept.to_bytes(), Some(file)));
    kernel::close(file);
    done
}
