//! The system calls that are about files and directories.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::{from_mut, from_ref};

use super::super::word::Word;
use super::{Errno, Fd, call, close, descriptor, text, walk, word};

/// openat2(2), Linux 5.6, with `RESOLVE_IN_ROOT`: whatever links there are, the path stays below `root`.
pub(in crate::linux) fn open_in_root(root: Fd, path: &CStr, flags: i32) -> Result<Fd, Errno> {
    create_in_root(root, path, flags, 0)
}

/// The same, with the mode of a file that `O_CREAT` makes.
pub(in crate::linux) fn create_in_root(
    root: Fd,
    path: &CStr,
    flags: i32,
    mode: u32,
) -> Result<Fd, Errno> {
    // The kernel's limit on races with renames and mounts is "try again".
    const TRIES: u32 = 1000;
    // SAFETY: open_how is plain integers, for which zero is valid.
    let mut how: libc::open_how = unsafe { core::mem::zeroed() };
    how.flags = u64::from((flags | libc::O_CLOEXEC).cast_unsigned());
    how.mode = mode.into();
    how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    let size = size_of::<libc::open_how>();
    let words = [word(root), text(path), from_ref(&how) as usize, size];
    for _ in 1..TRIES {
        let opened = match call(libc::SYS_openat2, words) {
            Err(libc::ENOSYS) => walk::open(root, path.to_bytes(), flags, mode),
            opened => opened.map(descriptor),
        };
        match opened {
            Err(libc::EAGAIN) => {}
            other => return other,
        }
    }
    Err(libc::EAGAIN)
}

/// The topmost of what is mounted on the root directory: `..` of a root leads to itself, and then there.
pub(in crate::linux) fn topmost_on_root() -> Result<Fd, Errno> {
    super::open(c"/..", libc::O_PATH | libc::O_DIRECTORY)
}

/// openat(2) with `O_PATH`: what a path leads to for the kernel, links included.
pub(in crate::linux) fn open_below(directory: Fd, path: &CStr) -> Result<Fd, Errno> {
    let flags = word(libc::O_PATH | libc::O_CLOEXEC);
    call(libc::SYS_openat, [word(directory), text(path), flags, 0]).map(descriptor)
}

/// Where a descriptor's file is, by the host's /proc.
pub(in crate::linux) fn path_of(fd: Fd) -> Result<Word, Errno> {
    let link = Word::of_descriptor(fd);
    Word::fill(|room| {
        let at = room.as_mut_ptr() as usize;
        let words = [word(libc::AT_FDCWD), text(link.as_c_str()), at, room.len()];
        call(libc::SYS_readlinkat, words)
    })
}

/// write(2), until all is written.
pub(in crate::linux) fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match call(libc::SYS_write, [word(fd), bytes.as_ptr() as usize, bytes.len()])? {
            0 => return Err(libc::EIO),
            some => bytes = bytes.get(some..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// What a file is, and which one.
pub(in crate::linux) struct FileId {
    pub(in crate::linux) device: u64,
    pub(in crate::linux) inode: u64,
    /// `S_IFDIR` and the like.
    pub(in crate::linux) kind: u32,
    /// The permission bits, with the three above them.
    pub(in crate::linux) mode: u32,
    pub(in crate::linux) size: i64,
}

/// fstat(2)
pub(in crate::linux) fn stat(fd: Fd) -> Result<FileId, Errno> {
    stat_at(fd, c"", libc::AT_EMPTY_PATH)
}

/// lstat(2) of what a directory holds.
pub(in crate::linux) fn stat_in(directory: Fd, name: &CStr) -> Result<FileId, Errno> {
    stat_at(directory, name, libc::AT_SYMLINK_NOFOLLOW)
}

fn stat_at(directory: Fd, name: &CStr, flags: i32) -> Result<FileId, Errno> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    let words = [word(directory), text(name), from_mut(&mut stat) as usize, word(flags)];
    call(libc::SYS_newfstatat, words)?;
    // SAFETY: zeroed, and filled in by the kernel; plain integers either way.
    let stat = unsafe { stat.assume_init() };
    Ok(FileId {
        device: stat.st_dev,
        inode: stat.st_ino,
        kind: stat.st_mode & libc::S_IFMT,
        mode: stat.st_mode & !libc::S_IFMT,
        size: stat.st_size,
    })
}

/// mkdirat(2)
pub(in crate::linux) fn make_directory(parent: Fd, name: &CStr, mode: u32) -> Result<(), Errno> {
    call(libc::SYS_mkdirat, [word(parent), text(name), mode as usize]).map(drop)
}

/// openat(2) for a new empty file.
pub(in crate::linux) fn make_file(parent: Fd, name: &CStr, mode: u32) -> Result<(), Errno> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let fd = call(libc::SYS_openat, [word(parent), text(name), word(flags), mode as usize])?;
    close(descriptor(fd));
    Ok(())
}

/// openat(2) to read a directory or file, not a link; what would block is not waited for.
pub(in crate::linux) fn open_at(parent: Fd, name: &CStr) -> Result<Fd, Errno> {
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    call(libc::SYS_openat, [word(parent), text(name), word(flags), 0]).map(descriptor)
}

/// flock(2)
pub(in crate::linux) fn lock(fd: Fd, operation: i32) -> Result<(), Errno> {
    call(libc::SYS_flock, [word(fd), word(operation)]).map(drop)
}

/// fcntl(2) `F_OFD_SETLK`: a shared lock on a whole file, which belongs to the open file.
pub(in crate::linux) fn lock_shared(fd: Fd) -> Result<(), Errno> {
    // SAFETY: flock is plain integers, for which zero is valid.
    let mut lock: libc::flock = unsafe { core::mem::zeroed() };
    lock.l_type = libc::F_RDLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    let words = [word(fd), word(libc::F_OFD_SETLK), from_ref(&lock) as usize];
    call(libc::SYS_fcntl, words).map(drop)
}

/// Where something is: its mount, and its file on that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::linux) struct Place {
    mount: u64,
    inode: u64,
}

/// statx(2); before Linux 5.8, fstat(2) and the host's /proc.
pub(in crate::linux) fn place(fd: Fd) -> Result<Place, Errno> {
    const STATX_MNT_ID: u32 = 0x1000;
    // SAFETY: statx is plain integers, for which zero is valid.
    let mut stat: libc::statx = unsafe { core::mem::zeroed() };
    let (empty, mask) = (word(libc::AT_EMPTY_PATH), (libc::STATX_INO | STATX_MNT_ID) as usize);
    let words = [word(fd), text(c""), empty, mask, from_mut(&mut stat) as usize];
    match call(libc::SYS_statx, words) {
        Ok(_) if stat.stx_mask & STATX_MNT_ID != 0 => {
            Ok(Place { mount: stat.stx_mnt_id, inode: stat.stx_ino })
        }
        Ok(_) | Err(libc::ENOSYS | libc::EINVAL) => {
            Ok(Place { mount: told_mount_id(fd)?, inode: self::stat(fd)?.inode })
        }
        Err(errno) => Err(errno),
    }
}

/// `mnt_id` in proc(5)'s fdinfo.
fn told_mount_id(fd: Fd) -> Result<u64, Errno> {
    let list = super::open(c"/proc/self/fdinfo", libc::O_PATH)?;
    let told = mount_id_by(list, fd);
    close(list);
    told
}

/// The same, by a `/proc/self/fdinfo` that was opened while there was one.
pub(in crate::linux) fn mount_id_by(list: Fd, fd: Fd) -> Result<u64, Errno> {
    const NAME: &[u8] = b"\nmnt_id:\t";
    let name = Word::of_own(b"", fd);
    let flags = word(libc::O_RDONLY | libc::O_CLOEXEC);
    let file =
        call(libc::SYS_openat, [word(list), text(name.as_c_str()), flags, 0]).map(descriptor)?;
    let mut text = [0_u8; 512];
    let words = [word(file), text.as_mut_ptr() as usize, text.len()];
    let read = call(libc::SYS_read, words);
    close(file);
    let text = text.get(..read?).unwrap_or_default();
    let start = text.windows(NAME.len()).position(|part| part == NAME).ok_or(libc::EPROTO)?;
    let digits = text.get(start + NAME.len()..).unwrap_or_default();
    let mut digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits
        .try_fold(0_u64, |id, digit| id.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .ok_or(libc::EPROTO)
}

/// The id of the mount that a descriptor is on.
pub(in crate::linux) fn mount_id(fd: Fd) -> Result<u64, Errno> {
    place(fd).map(|place| place.mount)
}

/// symlinkat(2)
pub(in crate::linux) fn symlink(to: &CStr, parent: Fd, name: &CStr) -> Result<(), Errno> {
    call(libc::SYS_symlinkat, [text(to), word(parent), text(name)]).map(drop)
}

/// readlinkat(2): whether a name is a symbolic link with this content.
pub(in crate::linux) fn links_to(parent: Fd, name: &CStr, to: &CStr) -> bool {
    let mut content = [0_u8; libc::PATH_MAX as usize];
    let room = content.as_mut_ptr() as usize;
    let read = call(libc::SYS_readlinkat, [word(parent), text(name), room, content.len()]);
    read.is_ok_and(|len| content.get(..len) == Some(to.to_bytes()))
}

/// fchmodat2(2), Linux 6.6; before, chmod(2) by way of the host's /proc.
pub(in crate::linux) fn change_mode(fd: Fd, mode: u32) -> Result<(), Errno> {
    const FCHMODAT2: libc::c_long = 452;
    let empty = word(libc::AT_EMPTY_PATH);
    match call(FCHMODAT2, [word(fd), text(c""), mode as usize, empty]) {
        Err(libc::ENOSYS) => {
            let path = Word::of_descriptor(fd);
            let words = [word(libc::AT_FDCWD), text(path.as_c_str()), mode as usize];
            call(libc::SYS_fchmodat, words).map(drop)
        }
        done => done.map(drop),
    }
}

/// unlinkat(2)
pub(in crate::linux) fn remove(parent: Fd, name: &CStr, flags: i32) -> Result<(), Errno> {
    call(libc::SYS_unlinkat, [word(parent), text(name), word(flags)]).map(drop)
}

/// umask(2); gives the old one back.
pub(in crate::linux) fn umask(mask: usize) -> usize {
    call(libc::SYS_umask, [mask]).unwrap_or(mask)
}

/// fchdir(2)
pub(in crate::linux) fn change_directory(fd: Fd) -> Result<(), Errno> {
    call(libc::SYS_fchdir, [word(fd)]).map(drop)
}

/// chdir(2)
pub(in crate::linux) fn change_directory_path(path: &CStr) -> Result<(), Errno> {
    call(libc::SYS_chdir, [text(path)]).map(drop)
}

/// chroot(2) to the working directory.
pub(in crate::linux) fn chroot_here() -> Result<(), Errno> {
    call(libc::SYS_chroot, [text(c".")]).map(drop)
}
