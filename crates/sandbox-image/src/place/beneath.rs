//! Opening directories below a descriptor, never through a link, and never into a mount.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

/// How a directory is opened that is to be read.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Which file a descriptor or a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of what was looked at.
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::allow_attributes,
        reason = "the types of these fields are not the same everywhere"
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
    }

    /// Of an open file.
    pub(super) fn of_fd(fd: impl AsFd) -> Result<Self> {
        fs::fstat(fd).map(|stat| Self::of(&stat))
    }

    /// Of a name, which may be a symbolic link. `None`: there is none.
    pub(super) fn of_name(parent: impl AsFd, name: &CStr) -> Result<Option<Self>> {
        match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Self::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The permission bits of what was looked at.
#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    clippy::allow_attributes,
    reason = "the type is not the same everywhere"
)]
pub(super) fn permissions(stat: &Stat) -> u32 {
    u32::from(Mode::from_raw_mode(stat.st_mode).bits())
}

/// Opens a directory for reading, which is no symbolic link; a mount is as good as another.
pub(super) fn open_directory(parent: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    rustix::io::retry_on_intr(|| fs::openat(parent.as_fd(), name, READ, Mode::empty()))
}

/// The same, but where a mount begins the answer is EXDEV, and whose file system it is is not asked: it
/// might never answer.
pub(super) fn open_here(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    open(parent, name, READ)
}

/// The same. One without permission bits is given some, if
/// it is the caller's.
pub(super) fn enter(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    match open(parent, name, READ) {
        Err(Errno::ACCESS) => {
            allow(parent, name)?;
            open(parent, name, READ)
        }
        opened => opened,
    }
}

/// openat2(2) with `RESOLVE_NO_XDEV`, which stops at bind mounts of the same file system as well.
#[cfg(target_os = "linux")]
fn open(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd> {
    use fs::ResolveFlags;
    let stay = ResolveFlags::NO_XDEV.union(ResolveFlags::NO_SYMLINKS);
    let open = || fs::openat2(parent, name, flags, Mode::empty(), stay);
    match rustix::io::retry_on_intr(open) {
        // Before Linux 5.6; some filters of containers say EPERM to what they don't know.
        Err(Errno::NOSYS | Errno::PERM) => open_and_compare(parent, name, flags),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd> {
    open_and_compare(parent, name, flags)
}

/// Opens it, and looks afterwards whether that led into a mount.
fn open_and_compare(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd> {
    let opened = rustix::io::retry_on_intr(|| fs::openat(parent, name, flags, Mode::empty()))?;
    let same_device = fs::fstat(parent)?.st_dev == fs::fstat(&opened)?.st_dev;
    if same_device && mount_id(parent) == mount_id(opened.as_fd()) {
        Ok(opened)
    } else {
        Err(Errno::XDEV)
    }
}

/// Which mount a file was opened in, where the kernel says so (Linux 5.8).
#[cfg(target_os = "linux")]
fn mount_id(fd: BorrowedFd<'_>) -> Option<u64> {
    let told = fs::statx(fd, c"", AtFlags::EMPTY_PATH, fs::StatxFlags::MNT_ID).ok()?;
    (told.stx_mask & fs::StatxFlags::MNT_ID.bits() != 0).then_some(told.stx_mnt_id)
}

#[cfg(not(target_os = "linux"))]
fn mount_id(_: BorrowedFd<'_>) -> Option<u64> {
    None
}

/// What a name is that cannot be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Something is mounted on it.
    Mount,
    /// Its inode does not let itself be changed.
    Immutable,
    /// None that is known.
    Unknown,
}

/// Looks at a name, or with an empty one at the descriptor itself.
#[cfg(target_os = "linux")]
pub(super) fn obstacle(parent: BorrowedFd<'_>, name: &CStr) -> Obstacle {
    use fs::StatxAttributes;
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
    let Ok(told) = fs::statx(parent, name, flags, fs::StatxFlags::TYPE) else {
        return Obstacle::Unknown;
    };
    let attributes = told.stx_attributes;
    if attributes.contains(StatxAttributes::MOUNT_ROOT) {
        Obstacle::Mount
    } else if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        Obstacle::Immutable
    } else {
        Obstacle::Unknown
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn obstacle(_: BorrowedFd<'_>, _: &CStr) -> Obstacle {
    Obstacle::Unknown
}

/// Lets its owner read and change a directory that could not be opened for reading.
#[cfg(target_os = "linux")]
fn allow(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    use std::os::fd::AsRawFd;
    let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = open(parent, name, path)?;
    // fchmod(2) takes no such descriptor, and fchmodat(2) would follow a link that has come instead.
    fs::chmod(format!("/proc/self/fd/{}", directory.as_raw_fd()), Mode::RWXU)
        .map_err(|error| if error == Errno::NOENT { Errno::ACCESS } else { error })
}

#[cfg(not(target_os = "linux"))]
fn allow(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    fs::chmodat(parent, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_not_entered_without_openat2_either() {
        let root = open_directory(fs::CWD, c"/").unwrap();
        for way in [open, open_and_compare] {
            assert_eq!(way(root.as_fd(), c"proc", READ).unwrap_err(), Errno::XDEV);
            way(root.as_fd(), c"usr", READ).unwrap();
        }
        let proc = open_directory(fs::CWD, c"/proc").unwrap();
        assert_ne!(mount_id(root.as_fd()), mount_id(proc.as_fd()));
        assert_eq!(obstacle(root.as_fd(), c"proc"), Obstacle::Mount);
        assert_eq!(obstacle(root.as_fd(), c"etc"), Obstacle::Unknown);
    }
}
