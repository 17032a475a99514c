//! The system calls of the child, with types, over [`raw`](super::raw).
//!
//! # Safety
//!
//! Everything here runs between clone and exec, in memory that is shared with the caller: it calls
//! the kernel directly, and neither allocates, locks, panics nor touches thread-local storage. Every
//! function takes references that live across the call, so the pointers are valid; the kernel only
//! reads through them unless the function says otherwise.
#![allow(unsafe_code, reason = "this is where system calls are made")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers are words, and machines of this engine have 64 bits"
)]

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::{from_mut, from_ref};

mod mounts;

pub(super) use mounts::{
    Depth, attach, attach_over_root, clone_tree, make_mounts_private, make_writable, mount_here,
    new_tmpfs, pivot_root_here, set_attributes,
};

use super::raw::{self, result};

/// An errno.
pub(super) type Errno = i32;
type Fd = i32;

/// Calls the kernel with up to six words.
fn call<const N: usize>(number: libc::c_long, words: [usize; N]) -> Result<usize, Errno> {
    let mut six = [0; 6];
    for (to, from) in six.iter_mut().zip(words) {
        *to = from;
    }
    // SAFETY: only the functions of this module call this, each with the arguments of its call.
    result(unsafe { raw::syscall6(number, six[0], six[1], six[2], six[3], six[4], six[5]) })
}

/// A descriptor (or another small signed number) as the kernel's register takes it.
fn word(number: i32) -> usize {
    number as isize as usize
}

fn text(string: &CStr) -> usize {
    string.as_ptr() as usize
}

fn descriptor(number: usize) -> Fd {
    // A descriptor fits: the kernel's own limit is below i32::MAX.
    number as Fd
}

/// openat(2)
pub(super) fn open(path: &CStr, flags: i32) -> Result<Fd, Errno> {
    let flags = word(flags | libc::O_CLOEXEC);
    call(libc::SYS_openat, [word(libc::AT_FDCWD), text(path), flags, 0]).map(descriptor)
}

/// openat2(2) with `RESOLVE_IN_ROOT`: whatever links there are, the path stays below `root`.
pub(super) fn open_in_root(root: Fd, path: &CStr, flags: i32) -> Result<Fd, Errno> {
    // The kernel's limit on races with renames and mounts is "try again".
    const TRIES: u32 = 1000;
    // SAFETY: open_how is plain integers, for which zero is valid.
    let mut how: libc::open_how = unsafe { core::mem::zeroed() };
    how.flags = u64::from((flags | libc::O_CLOEXEC).cast_unsigned());
    how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    let size = size_of::<libc::open_how>();
    let words = [word(root), text(path), from_ref(&how) as usize, size];
    for _ in 1..TRIES {
        match call(libc::SYS_openat2, words) {
            Err(libc::EAGAIN) => {}
            other => return other.map(descriptor),
        }
    }
    Err(libc::EAGAIN)
}

/// close(2); what it could report means nothing to an `O_PATH` or mount descriptor.
pub(super) fn close(fd: Fd) {
    let _ = call(libc::SYS_close, [word(fd)]);
}

/// write(2), once: everything that is written here is short or goes to memory.
pub(super) fn write(fd: Fd, bytes: &[u8]) -> Result<(), Errno> {
    match call(libc::SYS_write, [word(fd), bytes.as_ptr() as usize, bytes.len()])? {
        all if all == bytes.len() => Ok(()),
        _ => Err(libc::EIO),
    }
}

/// sendmsg(2) of some bytes and perhaps a descriptor (unix(7), `SCM_RIGHTS`).
pub(super) fn send(socket: Fd, bytes: &[u8], passed: Option<Fd>) -> Result<(), Errno> {
    #[repr(C)]
    struct Passed {
        header: libc::cmsghdr,
        descriptor: Fd,
        padding: i32,
    }
    let mut piece =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: plain integers and pointers, for which zero is valid.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    // SAFETY: plain integers, for which zero is valid.
    let mut control: Passed = unsafe { core::mem::zeroed() };
    message.msg_iov = from_mut(&mut piece);
    message.msg_iovlen = 1;
    if let Some(passed) = passed {
        control.header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<Fd>()) as _;
        control.header.cmsg_level = libc::SOL_SOCKET;
        control.header.cmsg_type = libc::SCM_RIGHTS;
        control.descriptor = passed;
        message.msg_control = from_mut(&mut control).cast();
        message.msg_controllen = size_of::<Passed>() as _;
    }
    let flags = word(libc::MSG_NOSIGNAL);
    call(libc::SYS_sendmsg, [word(socket), from_ref(&message) as usize, flags]).map(drop)
}

/// dup3(2) without flags: the copy survives exec.
pub(super) fn duplicate(fd: Fd, to: Fd) -> Result<(), Errno> {
    call(libc::SYS_dup3, [word(fd), word(to), 0]).map(drop)
}

/// fcntl(2) `F_SETFD`: the descriptor survives exec.
pub(super) fn keep_across_exec(fd: Fd) -> Result<(), Errno> {
    call(libc::SYS_fcntl, [word(fd), word(libc::F_SETFD), 0]).map(drop)
}

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`: nothing from `first` on survives exec.
pub(super) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    const CLOSE_RANGE_CLOEXEC: usize = 1 << 2;
    let last = u32::MAX as usize;
    call(libc::SYS_close_range, [first as usize, last, CLOSE_RANGE_CLOEXEC]).map(drop)
}

/// What a file is, and which one.
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// `S_IFDIR` and the like.
    pub(super) kind: u32,
    /// The permission bits, with the three above them.
    pub(super) mode: u32,
    pub(super) size: i64,
}

/// fstat(2)
pub(super) fn stat(fd: Fd) -> Result<FileId, Errno> {
    stat_at(fd, c"", libc::AT_EMPTY_PATH)
}

/// lstat(2) of what a directory holds.
pub(super) fn stat_in(directory: Fd, name: &CStr) -> Result<FileId, Errno> {
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
pub(super) fn make_directory(parent: Fd, name: &CStr, mode: u32) -> Result<(), Errno> {
    call(libc::SYS_mkdirat, [word(parent), text(name), mode as usize]).map(drop)
}

/// openat(2) for a new empty file.
pub(super) fn make_file(parent: Fd, name: &CStr, mode: u32) -> Result<(), Errno> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let fd = call(libc::SYS_openat, [word(parent), text(name), word(flags), mode as usize])?;
    close(descriptor(fd));
    Ok(())
}

/// openat(2) to read a directory or file, not a link; what would block is not waited for.
pub(super) fn open_at(parent: Fd, name: &CStr) -> Result<Fd, Errno> {
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    call(libc::SYS_openat, [word(parent), text(name), word(flags), 0]).map(descriptor)
}

/// flock(2)
pub(super) fn lock(fd: Fd, operation: i32) -> Result<(), Errno> {
    call(libc::SYS_flock, [word(fd), word(operation)]).map(drop)
}

/// nanosleep(2) for a millisecond.
pub(super) fn pause() {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let _ = call(libc::SYS_nanosleep, [from_ref(&time) as usize, 0]);
}

/// statx(2): the id of the mount that a descriptor is on.
pub(super) fn mount_id(fd: Fd) -> Result<u64, Errno> {
    const STATX_MNT_ID: usize = 0x1000;
    // SAFETY: statx is plain integers, for which zero is valid.
    let mut stat: libc::statx = unsafe { core::mem::zeroed() };
    let empty = word(libc::AT_EMPTY_PATH);
    let words = [word(fd), text(c""), empty, STATX_MNT_ID, from_mut(&mut stat) as usize];
    call(libc::SYS_statx, words).map(|_| stat.stx_mnt_id)
}

/// symlinkat(2)
pub(super) fn symlink(to: &CStr, parent: Fd, name: &CStr) -> Result<(), Errno> {
    call(libc::SYS_symlinkat, [text(to), word(parent), text(name)]).map(drop)
}

/// unlinkat(2)
pub(super) fn remove(parent: Fd, name: &CStr, flags: i32) -> Result<(), Errno> {
    call(libc::SYS_unlinkat, [word(parent), text(name), word(flags)]).map(drop)
}

/// umask(2); gives the old one back.
pub(super) fn umask(mask: usize) -> usize {
    call(libc::SYS_umask, [mask]).unwrap_or(mask)
}

/// fchdir(2)
pub(super) fn change_directory(fd: Fd) -> Result<(), Errno> {
    call(libc::SYS_fchdir, [word(fd)]).map(drop)
}

/// chdir(2)
pub(super) fn change_directory_path(path: &CStr) -> Result<(), Errno> {
    call(libc::SYS_chdir, [text(path)]).map(drop)
}

/// chroot(2) to the working directory.
pub(super) fn chroot_here() -> Result<(), Errno> {
    call(libc::SYS_chroot, [text(c".")]).map(drop)
}

/// prctl(2) with one argument.
pub(super) fn process_control(option: i32, argument: usize) -> Result<(), Errno> {
    call(libc::SYS_prctl, [word(option), argument, 0, 0, 0]).map(drop)
}

/// prctl(2) `PR_CAP_AMBIENT_CLEAR_ALL`.
pub(super) fn clear_ambient_capabilities() -> Result<(), Errno> {
    let clear = word(libc::PR_CAP_AMBIENT_CLEAR_ALL);
    call(libc::SYS_prctl, [word(libc::PR_CAP_AMBIENT), clear, 0, 0, 0]).map(drop)
}

/// Effective, permitted, inheritable, in two halves: the lower 32 capabilities come first.
pub(super) type CapabilitySets = [u32; 6];

/// The version of the interface, and this process.
const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];

/// capget(2)
pub(super) fn capabilities() -> Result<CapabilitySets, Errno> {
    let mut sets = [0; 6];
    let words = [CAPABILITY_HEADER.as_ptr() as usize, sets.as_mut_ptr() as usize];
    call(libc::SYS_capget, words).map(|_| sets)
}

/// capset(2)
pub(super) fn set_capabilities(sets: &CapabilitySets) -> Result<(), Errno> {
    let words = [CAPABILITY_HEADER.as_ptr() as usize, sets.as_ptr() as usize];
    call(libc::SYS_capset, words).map(drop)
}

/// setgroups(2) to none, setresgid(2), setresuid(2).
pub(super) fn set_ids(uid: u32, gid: u32) -> Result<(), Errno> {
    let (uid, gid) = (uid as usize, gid as usize);
    call(libc::SYS_setgroups, [0, 0])?;
    call(libc::SYS_setresgid, [gid, gid, gid])?;
    call(libc::SYS_setresuid, [uid, uid, uid]).map(drop)
}

/// seccomp(2) `SECCOMP_SET_MODE_FILTER`.
pub(super) fn filter_system_calls(filter: &[libc::sock_filter]) -> Result<(), Errno> {
    let len = filter.len() as libc::c_ushort;
    // The kernel copies the filter and writes nothing.
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    call(libc::SYS_seccomp, [mode, 0, from_ref(&program) as usize]).map(drop)
}

/// sethostname(2), and setdomainname(2) to what a new system has.
pub(super) fn set_host_name(name: &CStr) -> Result<(), Errno> {
    const NO_DOMAIN: &CStr = c"(none)";
    call(libc::SYS_sethostname, [text(name), name.count_bytes()])?;
    call(libc::SYS_setdomainname, [text(NO_DOMAIN), NO_DOMAIN.count_bytes()]).map(drop)
}

/// netdevice(7) `SIOCSIFFLAGS`: the loopback interface goes up; the kernel gives it its addresses.
pub(super) fn loopback_up() -> Result<(), Errno> {
    // SAFETY: ifreq is plain integers, for which zero is valid.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = call(libc::SYS_socket, [word(libc::AF_INET), word(kind), 0])?;
    let words = [socket, libc::SIOCSIFFLAGS as usize, from_ref(&request) as usize];
    let done = call(libc::SYS_ioctl, words);
    close(descriptor(socket));
    done.map(drop)
}

/// The soft limit of open files becomes the hard one; gives back what it was (prlimit(2)).
pub(super) fn raise_open_files() -> Result<libc::rlimit64, Errno> {
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let files = libc::RLIMIT_NOFILE as usize;
    call(libc::SYS_prlimit64, [0, files, 0, from_mut(&mut old) as usize])?;
    let new = libc::rlimit64 { rlim_cur: old.rlim_max, rlim_max: old.rlim_max };
    set_open_files(&new)?;
    Ok(old)
}

/// Sets the limit of open files (prlimit(2)).
pub(super) fn set_open_files(limit: &libc::rlimit64) -> Result<(), Errno> {
    let files = libc::RLIMIT_NOFILE as usize;
    call(libc::SYS_prlimit64, [0, files, from_ref(limit) as usize, 0]).map(drop)
}

/// memfd_create(2), filled and sealed: a program that nobody can change any more.
pub(super) fn sealed_program(name: &CStr, bytes: &[u8]) -> Result<Fd, Errno> {
    const MFD_EXEC: u32 = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let fd = match call(libc::SYS_memfd_create, [text(name), (flags | MFD_EXEC) as usize]) {
        Err(libc::EINVAL) => call(libc::SYS_memfd_create, [text(name), flags as usize]),
        other => other,
    };
    let fd = fd.map(descriptor)?;
    write(fd, bytes)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    call(libc::SYS_fcntl, [word(fd), word(libc::F_ADD_SEALS), word(seals)])?;
    Ok(fd)
}

/// execveat(2) of a descriptor. Returns only to report why not.
///
/// # Safety
/// `argv` and `envp` are arrays of pointers to strings, each ending with a null pointer.
pub(super) unsafe fn execute(
    program: Fd,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
) -> Errno {
    let empty = word(libc::AT_EMPTY_PATH);
    let words = [word(program), text(c""), argv as usize, envp as usize, empty];
    call(libc::SYS_execveat, words).err().unwrap_or(libc::EIO)
}

/// exit_group(2)
pub(super) fn exit(status: i32) -> ! {
    loop {
        let _ = call(libc::SYS_exit_group, [word(status)]);
    }
}
