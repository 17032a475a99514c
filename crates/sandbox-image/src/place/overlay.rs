//! Whether a directory can be the upper one of an overlay.

use std::os::fd::AsFd;

use rustix::io::Result;

/// Where what is written to an overlay can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upper {
    /// In the directory that was asked about.
    Disk,
    /// In memory only: the file system of the directory cannot be used for it.
    Memory {
        /// That file system.
        because: &'static str,
    },
}

/// File systems that have no whiteouts, extended attributes or stable names, by their magic numbers
/// (statfs(2)). overlayfs(5) refuses most of them; the rest fail later, file by file.
#[cfg(target_os = "linux")]
const UNFIT: [(u32, &str); 18] = [
    (0x794c_7630, "overlayfs"),
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb3"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x00c3_6400, "ceph"),
    (0x6573_5546, "fuse"),
    (0x786f_4256, "vboxsf"),
    (0xf15f, "ecryptfs"),
    (0x4d44, "fat"),
    (0x2011_bab0, "exfat"),
    (0x7366_746e, "ntfs3"),
    (0x4244, "hfs"),
    (0x482b, "hfs+"),
    (0x8584_58f6, "ramfs"),
];

/// Says whether a directory can be the upper one of an overlay, by its file system.
///
/// # Errors
/// fstatfs(2) fails.
#[cfg(target_os = "linux")]
pub fn upper(directory: impl AsFd) -> Result<Upper> {
    let magic = rustix::fs::fstatfs(directory)?.f_type;
    Ok(by_magic(magic.try_into().unwrap_or_default()))
}

/// Nowhere but on Linux are there overlays.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn upper(_: impl AsFd) -> Result<Upper> {
    Ok(Upper::Memory { because: "not Linux" })
}

#[cfg(target_os = "linux")]
fn by_magic(magic: u32) -> Upper {
    match UNFIT.iter().find(|(unfit, _)| *unfit == magic) {
        Some((_, because)) => Upper::Memory { because },
        None => Upper::Disk,
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn by_file_system() {
        assert_eq!(by_magic(0x794c_7630), Upper::Memory { because: "overlayfs" });
        for (name, magic) in [("ext4", 0xef53), ("tmpfs", 0x0102_1994), ("xfs", 0x5846_5342)] {
            assert_eq!(by_magic(magic), Upper::Disk, "{name}");
        }
    }
}
