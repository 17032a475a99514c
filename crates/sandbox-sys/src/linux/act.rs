//! Carries out one operation in the child.
//!
//! Everything here is async-signal-safe, and safe beside the caller's running threads: it reads the
//! program, and calls [`kernel`].

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

use sandbox_core::Missing;

use super::kernel::{self, Depth, Errno, FileId};
use super::program::{Act, Program};
use super::word::Word;
use super::{make, terminal};

/// What the child keeps between operations.
pub(super) struct State<'a> {
    /// The new root, or the host's until there is one.
    pub(super) root: i32,
    /// The directory that something was made in last: a minimal /dev is a dozen things in a row.
    parent: Option<(&'a [u8], i32)>,
    /// The directory of the host that the caller was told of last.
    pub(super) told: Option<FileId>,
    /// Where the caller listens.
    pub(super) socket: i32,
    pub(super) rights: Rights,
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
    pub(super) fn new(socket: i32, rights: Rights) -> Self {
        Self { root: libc::AT_FDCWD, parent: None, told: None, socket, rights }
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
        if !matches!(self, Self::Make(_) | Self::Symlink { .. }) {
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
            Self::Symlink { parent, name, to } => {
                let parent = state.open_parent(parent.to_bytes())?;
                make::existing_is_fine(kernel::symlink(to, parent, name))
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
                let path = inside(state.root, path)?;
                if is_root(path, state.root) {
                    kernel::close(path);
                    return Err(libc::EINVAL);
                }
                let tree = kernel::clone_tree(path, c"", Depth::Recursive);
                kernel::close(path);
                program.held[*slot].store(tree?, Relaxed);
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
                let mount = inside(state.root, path)?;
                let noted = id.and_then(|id| program.ids.get(id)).map(|id| id.load(Relaxed));
                // Another mount may be there, and be read-only for a reason.
                let done = match kernel::mount_id(mount) {
                    Ok(id) if Some(id) == noted => kernel::make_writable(mount),
                    Ok(_) => Err(libc::EBUSY),
                    Err(errno) => Err(errno),
                };
                kernel::close(mount);
                done
            }
            Self::PivotRoot => {
                kernel::change_directory(state.root)?;
                kernel::pivot_root_here()
            }
            Self::Chroot => {
                kernel::change_directory(state.root)?;
                kernel::chroot_here()?;
                kernel::change_directory_path(c"/")
            }
            Self::LoopbackUp => kernel::loopback_up(),
            Self::HostName(name) => kernel::set_host_name(name),
            Self::ChangeDirectory(path) => kernel::change_directory_path(path),
            Self::SetIds { uid, gid } => {
                // Capabilities survive the change, to be dropped by a step of their own.
                let keep = libc::SECBIT_NO_SETUID_FIXUP.cast_unsigned() as usize;
                kernel::process_control(libc::PR_SET_SECUREBITS, keep)?;
                kernel::set_ids(*uid, *gid)
            }
            Self::DropCapabilities => drop_capabilities(),
            Self::NoNewPrivileges => kernel::process_control(libc::PR_SET_NO_NEW_PRIVS, 1),
            Self::BlockTerminalInput => kernel::filter_system_calls(terminal::FILTER),
        }
    }
}

fn inside(root: i32, path: &CStr) -> Result<i32, Errno> {
    kernel::open_in_root(root, path, libc::O_PATH)
}

fn inside_directory(root: i32, path: &CStr) -> Result<i32, Errno> {
    kernel::open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY)
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
fn attach(
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

fn drop_capabilities() -> Result<(), Errno> {
    // The bounding set first, while there is CAP_SETPCAP; the kernel says where the list ends.
    for capability in 0.. {
        match kernel::process_control(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            Err(libc::EINVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    // Being user 0 means nothing any more, and nothing can change that.
    let locked = libc::SECBIT_NOROOT
        | libc::SECBIT_NOROOT_LOCKED
        | libc::SECBIT_NO_SETUID_FIXUP
        | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
        | libc::SECBIT_KEEP_CAPS_LOCKED
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    kernel::process_control(libc::PR_SET_SECUREBITS, locked.cast_unsigned() as usize)?;
    kernel::clear_ambient_capabilities()?;
    kernel::set_capabilities(&[0; 6])
}
