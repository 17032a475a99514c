//! What mount(2) and mount_setattr(2) are told of file systems and restrictions.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sandbox_core::{InsidePath, MountFlag, NewFilesystem, OverlayMarks, Recursion};

use super::kernel::Depth;
use super::program::Act;
use crate::words::{self, c_string};

/// The act that mounts a file system. `id` is where its mount's id is noted, if it will be reopened.
pub(super) fn mount(
    filesystem: &NewFilesystem,
    target: &InsidePath,
    flags: &[MountFlag],
    id: Option<usize>,
) -> io::Result<Act> {
    let (kind, data) = match filesystem {
        NewFilesystem::Proc => (c"proc", CString::default()),
        NewFilesystem::Sysfs => (c"sysfs", CString::default()),
        NewFilesystem::Mqueue => (c"mqueue", CString::default()),
        NewFilesystem::Devpts => (c"devpts", c"newinstance,ptmxmode=0666,mode=0620".to_owned()),
        NewFilesystem::Tmpfs { size, mode } => {
            let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
            (c"tmpfs", CString::new(format!("mode={mode:o}{size}"))?)
        }
        NewFilesystem::Overlay { lower, upper, marks } => {
            let dirs = match upper {
                Some(dirs) => Some((escape(&dirs.upper)?, escape(&dirs.work)?)),
                None => None,
            };
            (c"overlay", overlay(lower, dirs, *marks)?)
        }
        NewFilesystem::TemporaryOverlay { lower, marks } => {
            // Relative, in the tmpfs that the child makes for them.
            let dirs = (b"upper".to_vec(), b"work".to_vec());
            let data = overlay(lower, Some(dirs), *marks)?;
            let (flags, target) = (mount_flags(flags), c_string(target.as_os_str())?);
            return Ok(Act::TemporaryOverlay { data, flags, target });
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    Ok(Act::Mount {
        kind,
        data,
        flags: mount_flags(flags),
        target: c_string(target.as_os_str())?,
        id,
    })
}

/// overlayfs's options: the layers, the uppermost first, and the upper and the work directory.
fn overlay(
    lower: &[PathBuf],
    dirs: Option<(Vec<u8>, Vec<u8>)>,
    marks: OverlayMarks,
) -> io::Result<CString> {
    let mut data = b"lowerdir=".to_vec();
    let lower = lower.iter().map(|path| escape(path)).collect::<io::Result<Vec<_>>>()?;
    data.extend(lower.join(&b':'));
    if let Some((upper, work)) = dirs {
        data.extend_from_slice(b",upperdir=");
        data.extend(upper);
        data.extend_from_slice(b",workdir=");
        data.extend(work);
    }
    if marks == OverlayMarks::User {
        data.extend_from_slice(b",userxattr");
    }
    Ok(CString::new(data)?)
}

/// A path in overlayfs's options, where `:`, `,` and `\` need a backslash.
fn escape(path: &Path) -> io::Result<Vec<u8>> {
    let path = words::host_path(path)?;
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    Ok(escaped)
}

fn mount_flags(flags: &[MountFlag]) -> libc::c_ulong {
    flags.iter().fold(0, |all, flag| {
        all | match flag {
            MountFlag::ReadOnly => libc::MS_RDONLY,
            MountFlag::NoSuid => libc::MS_NOSUID,
            MountFlag::NoDev => libc::MS_NODEV,
            MountFlag::NoExec => libc::MS_NOEXEC,
        }
    })
}

/// `MOUNT_ATTR_*`
pub(super) fn attributes(flags: &[MountFlag]) -> u64 {
    flags.iter().fold(0, |all, flag| {
        all | match flag {
            MountFlag::ReadOnly => libc::MOUNT_ATTR_RDONLY,
            MountFlag::NoSuid => libc::MOUNT_ATTR_NOSUID,
            MountFlag::NoDev => libc::MOUNT_ATTR_NODEV,
            MountFlag::NoExec => libc::MOUNT_ATTR_NOEXEC,
        }
    })
}

pub(super) fn depth(recursion: Recursion) -> Depth {
    match recursion {
        Recursion::Recursive => Depth::Recursive,
        Recursion::Single => Depth::Single,
        Recursion::SinglePreferred => Depth::SinglePreferred,
    }
}
