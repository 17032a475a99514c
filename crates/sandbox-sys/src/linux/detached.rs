//! Mounts that are made in one place and put in another, in the child.
//!
//! Since Linux 5.2 they can be attached nowhere in between (open_tree(2), fsmount(2), move_mount(2)), and
//! since 5.12 all of a tree is restricted at once (mount_setattr(2)). Where one of these is missing they are
//! parked: in a tmpfs on the host's root directory that no copy takes along and that the pivot takes away,
//! and mount(2) does the rest. Paths are those of descriptors in the host's /proc, so that nothing is
//! looked up twice.

use core::cell::Cell;
use core::ffi::CStr;

use super::kernel::{self, Depth, Errno};
use super::table;
use super::word::Word;

/// How mounts are moved and restricted here.
pub(super) struct Detached {
    /// Where they are parked; none where the kernel has the calls.
    parking: Option<Parking>,
}

struct Parking {
    directory: i32,
    /// The descriptors' own files in the host's /proc, which cannot be found any more after the pivot.
    told: i32,
    /// The number of the next place in it.
    next: Cell<i32>,
}

/// What the kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MountCalls {
    /// Those of Linux 5.12.
    All,
    /// mount(2).
    Old,
}

impl Detached {
    /// By the kernel's own calls.
    pub(super) const KERNELS: Self = Self { parking: None };

    /// With a place to park, which is stacked on the host's root directory.
    pub(super) fn parked() -> Result<Self, Errno> {
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        kernel::mount(c"tmpfs", c"/", Some(c"tmpfs"), flags, Some(c"mode=0700"))?;
        let directory = kernel::topmost_on_root()?;
        let told = kernel::open(c"/proc/self/fdinfo", libc::O_PATH | libc::O_DIRECTORY)?;
        change(directory, libc::MS_UNBINDABLE)?;
        Ok(Self { parking: Some(Parking { directory, told, next: Cell::new(0) }) })
    }

    /// The tmpfs that they are parked in.
    pub(super) fn parking(&self) -> Option<i32> {
        self.parking.as_ref().map(|parking| parking.directory)
    }

    /// The id of the mount that a descriptor is on.
    pub(super) fn mount_id(&self, fd: i32) -> Result<u64, Errno> {
        match &self.parking {
            None => kernel::mount_id(fd),
            Some(parking) => kernel::mount_id_by(parking.told, fd),
        }
    }

    /// A copy of the mount at a path.
    pub(super) fn copy(&self, directory: i32, path: &CStr, depth: Depth) -> Result<i32, Errno> {
        let copy = |depth| match &self.parking {
            None => kernel::clone_tree(directory, path, depth),
            Some(parking) => parking.copy(directory, path, depth),
        };
        match depth {
            // A user namespace may not uncover what is below the mounts that it was given.
            Depth::SinglePreferred => match copy(Depth::Single) {
                Err(libc::EINVAL) => copy(Depth::Recursive),
                done => done,
            },
            depth => copy(depth),
        }
    }

    /// A tmpfs.
    pub(super) fn tmpfs(&self, mode: &CStr) -> Result<i32, Errno> {
        match &self.parking {
            None => kernel::new_tmpfs(mode),
            Some(parking) => parking.tmpfs(mode),
        }
    }

    /// Puts one onto what `target` is.
    pub(super) fn attach(&self, tree: i32, target: i32) -> Result<(), Errno> {
        match &self.parking {
            None => kernel::attach(tree, target),
            Some(_) => kernel::move_mount(tree, Word::of_descriptor(target).as_c_str()),
        }
    }

    /// Puts one over the root directory.
    pub(super) fn attach_over_root(&self, tree: i32) -> Result<(), Errno> {
        match &self.parking {
            None => kernel::attach_over_root(tree),
            Some(_) => kernel::move_mount(tree, c"/"),
        }
    }

    /// Sets attributes (`MOUNT_ATTR_*`), wherever it is.
    pub(super) fn set_attributes(
        &self,
        tree: i32,
        attributes: u64,
        depth: Depth,
    ) -> Result<(), Errno> {
        match (&self.parking, depth) {
            (None, depth) => kernel::set_attributes(tree, attributes, depth),
            (Some(_), Depth::Single) => kernel::remount(tree, flags(attributes), 0),
            (Some(_), Depth::Recursive | Depth::SinglePreferred) => {
                table::each_mount_of(tree, |mount| kernel::remount(mount, flags(attributes), 0))
            }
        }
    }

    /// Clears the read-only attribute of one mount.
    pub(super) fn make_writable(&self, mount: i32) -> Result<(), Errno> {
        match &self.parking {
            None => kernel::make_writable(mount),
            Some(_) => kernel::remount(mount, 0, libc::MS_RDONLY),
        }
    }

    /// Sets the propagation (`MS_PRIVATE` and the like) of one mount.
    pub(super) fn set_propagation(&self, mount: i32, kind: libc::c_ulong) -> Result<(), Errno> {
        match &self.parking {
            None => kernel::set_propagation(mount, kind),
            Some(_) => change(mount, kind),
        }
    }
}

/// mount(2) that changes the propagation of one mount.
fn change(mount: i32, kind: libc::c_ulong) -> Result<(), Errno> {
    kernel::mount(c"", Word::of_descriptor(mount).as_c_str(), None, kind, None)
}

/// mount(2)'s flags for attributes: they are the same bits but for one.
fn flags(attributes: u64) -> libc::c_ulong {
    let pairs = [
        (libc::MOUNT_ATTR_RDONLY, libc::MS_RDONLY),
        (libc::MOUNT_ATTR_NOSUID, libc::MS_NOSUID),
        (libc::MOUNT_ATTR_NODEV, libc::MS_NODEV),
        (libc::MOUNT_ATTR_NOEXEC, libc::MS_NOEXEC),
    ];
    pairs.iter().filter(|(bit, _)| attributes & bit != 0).fold(0, |all, (_, flag)| all | flag)
}

impl Parking {
    fn copy(&self, directory: i32, path: &CStr, depth: Depth) -> Result<i32, Errno> {
        if path.is_empty() {
            return self.copy_of(directory, depth);
        }
        let source = kernel::open_below(directory, path)?;
        let copied = self.copy_of(source, depth);
        kernel::close(source);
        copied
    }

    fn copy_of(&self, from: i32, depth: Depth) -> Result<i32, Errno> {
        let recursive = if depth == Depth::Single { 0 } else { libc::MS_REC };
        let is_directory = kernel::stat(from)?.kind == libc::S_IFDIR;
        let source = Word::of_descriptor(from);
        self.mount(is_directory, |place| {
            kernel::mount(source.as_c_str(), place, None, libc::MS_BIND | recursive, None)
        })
    }

    fn tmpfs(&self, mode: &CStr) -> Result<i32, Errno> {
        let mut data = Word::of(b"mode=")?;
        data.push(mode.to_bytes())?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        self.mount(true, |place| {
            kernel::mount(c"tmpfs", place, Some(c"tmpfs"), flags, Some(data.as_c_str()))
        })
    }

    /// Mounts something on a new place, and opens it.
    fn mount(
        &self,
        is_directory: bool,
        mount: impl FnOnce(&CStr) -> Result<(), Errno>,
    ) -> Result<i32, Errno> {
        let number = self.next.replace(self.next.get() + 1);
        let name = Word::of_own(b"", number);
        let name = name.as_c_str();
        if is_directory {
            kernel::make_directory(self.directory, name, 0o700)?;
        } else {
            kernel::make_file(self.directory, name, 0o600)?;
        }
        let place = kernel::open_below(self.directory, name)?;
        let done = mount(Word::of_descriptor(place).as_c_str());
        kernel::close(place);
        done?;
        // What is on top of it now.
        kernel::open_below(self.directory, name)
    }
}
