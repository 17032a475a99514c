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
    pub(super) kind: u32,
}

/// fstat(2)
pub(super) fn stat(fd: Fd) -> Result<FileId, Errno> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    let words = [word(fd), text(c""), from_mut(&mut stat) as usize, word(libc::AT_EMPTY_PATH)];
    call(libc::SYS_newfstatat, words)?;
    // SAFETY: zeroed, and filled in by the kernel; plain integers either way.
    let stat = unsafe { stat.assume_init() };
    Ok(FileId { device: stat.st_dev, inode: stat.st_ino, kind: stat.st_mode & libc::S_IFMT })
}

/// mkdirat(2)
pub(super) fn make_directory(parent: Fd, name: &CStr, mode: u32) -> Result<(), Errno> {
    call(libc::SYS_mkdirat, [word(parent), text(name), mode as usize]).map(drop)
}

/// openat(2) for a new empty file.
pub(super) fn make_file(parent: Fd, name: &CStr) -> Result<(), Errno> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let fd = call(libc::SYS_openat, [word(parent), text(name), word(flags), 0o644])?;
    close(descriptor(fd));
    Ok(())
}

/// symlinkat(2)
pub(super) fn symlink(to: &CStr, parent: Fd, name: &CStr) -> Result<(), Errno> {
    call(libc::SYS_symlinkat, [text(to), word(parent), text(name)]).map(drop)
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

/// pivot_root(2) to the working directory; the old root is stacked over the new one, and then
/// detached, as the manual page has it.
pub(super) fn pivot_root_here() -> Result<(), Errno> {
    call(libc::SYS_pivot_root, [text(c"."), text(c".")])?;
    call(libc::SYS_umount2, [text(c"."), word(libc::MNT_DETACH)])?;
    change_directory_path(c"/")
}

/// mount(2) on the working directory. `data` and `source` are text.
pub(super) fn mount_here(
    source: &CStr,
    kind: &CStr,
    flags: libc::c_ulong,
    data: &CStr,
) -> Result<(), Errno> {
    let words = [text(source), text(c"."), text(kind), flags as usize, text(data)];
    call(libc::SYS_mount, words).map(drop)
}

/// mount(2) that changes the propagation of everything to private.
pub(super) fn make_mounts_private() -> Result<(), Errno> {
    let flags = (libc::MS_REC | libc::MS_PRIVATE) as usize;
    call(libc::SYS_mount, [0, text(c"/"), 0, flags, 0]).map(drop)
}

/// Whether an operation on a mount includes the mounts below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Single,
    Recursive,
}

impl Depth {
    fn flag(self) -> i32 {
        match self {
            Self::Single => 0,
            Self::Recursive => libc::AT_RECURSIVE,
        }
    }
}

/// open_tree(2) with `OPEN_TREE_CLONE`: a detached copy of the mount at a path.
pub(super) fn clone_tree(directory: Fd, path: &CStr, depth: Depth) -> Result<Fd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    let empty = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    let flags = flags as usize | word(depth.flag() | empty);
    call(libc::SYS_open_tree, [word(directory), text(path), flags]).map(descriptor)
}

/// move_mount(2) of a detached mount onto what `target` is.
pub(super) fn attach(tree: Fd, target: Fd) -> Result<(), Errno> {
    const BOTH_EMPTY: u32 = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    let words = [word(tree), text(c""), word(target), text(c""), BOTH_EMPTY as usize];
    call(libc::SYS_move_mount, words).map(drop)
}

/// move_mount(2) of a detached mount over the root directory.
pub(super) fn attach_over_root(tree: Fd) -> Result<(), Errno> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH as usize;
    let words = [word(tree), text(c""), word(libc::AT_FDCWD), text(c"/"), flags];
    call(libc::SYS_move_mount, words).map(drop)
}

/// mount_setattr(2) that sets attributes (`MOUNT_ATTR_*`).
pub(super) fn set_attributes(tree: Fd, attributes: u64, depth: Depth) -> Result<(), Errno> {
    change_attributes(tree, attributes, 0, depth)
}

/// mount_setattr(2) that clears `MOUNT_ATTR_RDONLY` of one mount.
pub(super) fn make_writable(tree: Fd) -> Result<(), Errno> {
    change_attributes(tree, 0, libc::MOUNT_ATTR_RDONLY, Depth::Single)
}

fn change_attributes(tree: Fd, set: u64, clear: u64, depth: Depth) -> Result<(), Errno> {
    let attr = libc::mount_attr { attr_set: set, attr_clr: clear, propagation: 0, userns_fd: 0 };
    let flags = word(libc::AT_EMPTY_PATH | depth.flag());
    let size = size_of::<libc::mount_attr>();
    let words = [word(tree), text(c""), flags, from_ref(&attr) as usize, size];
    call(libc::SYS_mount_setattr, words).map(drop)
}

/// fsopen(2), fsconfig(2), fsmount(2): a detached tmpfs.
pub(super) fn new_tmpfs(mode: &CStr) -> Result<Fd, Errno> {
    const FSOPEN_CLOEXEC: usize = 1;
    const FSCONFIG_SET_STRING: usize = 1;
    const FSCONFIG_CMD_CREATE: usize = 6;
    const FSMOUNT_CLOEXEC: usize = 1;
    let attributes = (libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV) as usize;
    let fs = call(libc::SYS_fsopen, [text(c"tmpfs"), FSOPEN_CLOEXEC])?;
    let set = [fs, FSCONFIG_SET_STRING, text(c"mode"), text(mode), 0];
    let mount = call(libc::SYS_fsconfig, set)
        .and_then(|_| call(libc::SYS_fsconfig, [fs, FSCONFIG_CMD_CREATE, 0, 0, 0]))
        .and_then(|_| call(libc::SYS_fsmount, [fs, FSMOUNT_CLOEXEC, attributes]));
    close(descriptor(fs));
    mount.map(descriptor)
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

/// capset(2) with every set empty.
pub(super) fn clear_capabilities() -> Result<(), Errno> {
    const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    // version and pid; then effective, permitted, inheritable, in two halves.
    let (header, none) = ([LINUX_CAPABILITY_VERSION_3, 0], [0_u32; 6]);
    call(libc::SYS_capset, [header.as_ptr() as usize, none.as_ptr() as usize]).map(drop)
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
