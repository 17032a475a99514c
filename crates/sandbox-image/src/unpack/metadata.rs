//! Owners, modes, attributes and times.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Gid, Mode, RawMode, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::error::failed;
use super::{Error, Owners, Report};
use crate::archive::{Entry, Time};

/// Who owns what an entry makes: `None` if that is the caller anyway.
pub(super) type Owner = Option<(Uid, Gid)>;

pub(super) fn owner(entry: &Entry, owners: Owners) -> Owner {
    (owners == Owners::Keep).then(|| (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid)))
}

pub(super) fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode((bits & 0o7777) as RawMode)
}

pub(super) fn times(mtime: Time, atime: Option<Time>) -> Timestamps {
    let spec = |time: Time| Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    Timestamps { last_access: atime.map_or(omit, spec), last_modification: spec(mtime) }
}

/// Gives an open file all that its entry says. The order matters: a new owner costs a file its
/// set-user-ID bit and its capabilities, and times come last.
pub(super) fn give(
    fd: BorrowedFd<'_>,
    entry: &Entry,
    path: &[u8],
    owner: Owner,
    report: &mut Report,
) -> Result<(), Error> {
    if let Some((uid, gid)) = owner {
        rustix::fs::fchown(fd, Some(uid), Some(gid)).map_err(failed(path, "give it its owner"))?;
    }
    rustix::fs::fchmod(fd, mode(entry.mode)).map_err(failed(path, "give it its mode"))?;
    for (name, value) in &entry.xattrs {
        if let Err(errno) = set_attribute(fd, name, value) {
            report.xattr(name, errno, path);
        }
    }
    rustix::fs::futimens(fd, &times(entry.mtime, entry.atime))
        .map_err(failed(path, "give it its times"))
}

/// The same for what cannot be opened: links, pipes, devices.
pub(super) fn give_at(
    directory: BorrowedFd<'_>,
    name: &[u8],
    entry: &Entry,
    path: &[u8],
    owner: Owner,
    report: &mut Report,
) -> Result<(), Error> {
    const LINK: AtFlags = AtFlags::SYMLINK_NOFOLLOW;
    if let Some((uid, gid)) = owner {
        rustix::fs::chownat(directory, name, Some(uid), Some(gid), LINK)
            .map_err(failed(path, "give it its owner"))?;
    }
    for (attribute, value) in &entry.xattrs {
        if let Err(errno) = set_attribute_at(directory, name, attribute, value) {
            report.xattr(attribute, errno, path);
        }
    }
    rustix::fs::utimensat(directory, name, &times(entry.mtime, entry.atime), LINK)
        .map_err(failed(path, "give it its times"))
}

#[cfg(target_os = "linux")]
pub(super) fn set_attribute(fd: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    of_overlay(name)?;
    rustix::fs::fsetxattr(fd, name, value, rustix::fs::XattrFlags::empty())
}

/// Refuses the attributes by which overlays know what they have done (overlayfs(5)): a tree can be the
/// lower one of an overlay later, for which they would say what is not so.
#[cfg(target_os = "linux")]
fn of_overlay(attribute: &[u8]) -> Result<(), Errno> {
    let reserved = [&b"trusted.overlay."[..], b"user.overlay."];
    if reserved.iter().any(|prefix| attribute.starts_with(prefix)) {
        return Err(Errno::PERM);
    }
    Ok(())
}

/// There is no such call below a descriptor before Linux 6.13, but /proc has the directory.
#[cfg(target_os = "linux")]
fn set_attribute_at(
    directory: BorrowedFd<'_>,
    name: &[u8],
    attribute: &[u8],
    value: &[u8],
) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    of_overlay(attribute)?;
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    rustix::fs::lsetxattr(path, attribute, value, rustix::fs::XattrFlags::empty())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_attribute(_: BorrowedFd<'_>, _: &[u8], _: &[u8]) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

#[cfg(not(target_os = "linux"))]
fn set_attribute_at(_: BorrowedFd<'_>, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn attributes_of_overlays_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("file")).unwrap();
        let fd = file.as_fd();
        // A control: others can be set here.
        set_attribute(fd, b"user.other", b"y").unwrap();
        for name in [&b"user.overlay.opaque"[..], b"trusted.overlay.redirect"] {
            assert_eq!(set_attribute(fd, name, b"y"), Err(Errno::PERM));
        }
    }
}
