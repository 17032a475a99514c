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
use core::ptr::{from_mut, from_ref};

mod files;
mod mounts;
mod process;
mod walk;

pub(super) use files::{
    FileId, Place, change_directory, change_directory_path, change_mode, chroot_here,
    create_in_root, links_to, lock, lock_shared, make_directory, make_file, mount_id, mount_id_by,
    open_at, open_below, open_in_root, path_of, place, remove, stat, stat_in, symlink,
    topmost_on_root, umask, write_all,
};
pub(super) use mounts::{
    Depth, attach, attach_over_root, clone_tree, detach_top, make_mounts_private, make_writable,
    mount, mount_here, move_mount, new_filesystem, new_tmpfs, pivot_root_here, remount,
    set_attributes, set_propagation,
};

pub(super) use process::{
    capabilities, clear_ambient_capabilities, default_signals, execute, execute_path, exit,
    filter_system_calls, loopback_up, new_session, own_cgroups, own_pid, pause, process_control,
    raise_ambient_capability, raise_open_files, set_capabilities, set_host_name, set_ids,
    set_open_files,
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

/// pipe2(2): the end to read from, and the end to write to.
pub(super) fn pipe() -> Result<[Fd; 2], Errno> {
    let mut ends = [-1; 2];
    call(libc::SYS_pipe2, [ends.as_mut_ptr() as usize, word(libc::O_CLOEXEC)]).map(|_| ends)
}

/// read(2), once.
pub(super) fn read(fd: Fd, bytes: &mut [u8]) -> Result<usize, Errno> {
    call(libc::SYS_read, [word(fd), bytes.as_mut_ptr() as usize, bytes.len()])
}

/// Whether the process of a pidfd has ended.
pub(super) fn has_ended(pidfd: Fd) -> bool {
    let mut polled = libc::pollfd { fd: pidfd, events: libc::POLLIN, revents: 0 };
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let words = [from_mut(&mut polled) as usize, 1, from_ref(&now) as usize, 0, 0];
    call(libc::SYS_ppoll, words) != Ok(0)
}

/// Waits until a byte can be read from a descriptor, or its end, and reads that byte. An error once a
/// process has ended: there is nobody left to wait for.
pub(super) fn await_byte(fd: Fd, pidfd: Fd) -> Result<(), Errno> {
    let mut polled = [fd, pidfd].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    loop {
        let words = [polled.as_mut_ptr() as usize, polled.len(), 0, 0, 0];
        call(libc::SYS_ppoll, words)?;
        if polled[1].revents != 0 {
            return Err(libc::ESRCH);
        }
        if polled[0].revents & libc::POLLNVAL != 0 {
            return Err(libc::EBADF);
        }
        let mut byte = 0_u8;
        match call(libc::SYS_read, [word(fd), from_mut(&mut byte) as usize, 1]) {
            // Another reader was faster.
            Err(libc::EAGAIN) => {}
            done => return done.map(drop),
        }
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

/// fcntl(2) `F_DUPFD_CLOEXEC`: the same open file at a number from `first` on.
pub(super) fn at_least(first: Fd, fd: Fd) -> Result<Fd, Errno> {
    if fd >= first {
        return Ok(fd);
    }
    let words = [word(fd), word(libc::F_DUPFD_CLOEXEC), word(first)];
    call(libc::SYS_fcntl, words).map(descriptor)
}

/// fcntl(2) `F_SETFD`: the descriptor survives exec.
pub(super) fn keep_across_exec(fd: Fd) -> Result<(), Errno> {
    call(libc::SYS_fcntl, [word(fd), word(libc::F_SETFD), 0]).map(drop)
}

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`, Linux 5.11: nothing from `first` on survives exec.
///
/// Before, each by itself, by the list of them: a `/proc/self/fd` that was opened while there was one.
pub(super) fn close_on_exec_from(first: Fd, list: Option<Fd>) -> Result<(), Errno> {
    const CLOSE_RANGE_CLOEXEC: usize = 1 << 2;
    let last = u32::MAX as usize;
    match (call(libc::SYS_close_range, [word(first), last, CLOSE_RANGE_CLOEXEC]), list) {
        (Err(libc::ENOSYS | libc::EINVAL), Some(list)) => each_number_in(list, |fd| {
            if fd < first {
                return Ok(());
            }
            let words = [word(fd), word(libc::F_SETFD), word(libc::FD_CLOEXEC)];
            call(libc::SYS_fcntl, words).map(drop)
        }),
        (done, _) => done.map(drop),
    }
}

/// getdents64(2): does something with each name in a directory that is a number.
fn each_number_in(
    directory: Fd,
    mut action: impl FnMut(Fd) -> Result<(), Errno>,
) -> Result<(), Errno> {
    /// `d_reclen`, and what is before the name.
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    #[repr(align(8))]
    struct Entries([u8; 4096]);
    let mut entries = Entries([0; _]);
    loop {
        let room = [word(directory), entries.0.as_mut_ptr() as usize, entries.0.len()];
        let mut rest = match call(libc::SYS_getdents64, room)? {
            0 => return Ok(()),
            len => entries.0.get(..len).unwrap_or_default(),
        };
        while let Some(length) = rest.get(LENGTH..).and_then(|from| from.first_chunk()) {
            let length = usize::from(u16::from_ne_bytes(*length));
            let name = rest.get(NAME..length).ok_or(libc::EPROTO)?;
            let digits = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                let number = digits.iter().try_fold(0_i32, |number, digit| {
                    number.checked_mul(10)?.checked_add(i32::from(digit - b'0'))
                });
                action(number.ok_or(libc::EPROTO)?)?;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// Whether the PIDs that the host's /proc tells are those of this process's own PID namespace: `NSpid` in
/// its status has one number then.
fn proc_is_of_own_namespace() -> Result<bool, Errno> {
    const NAME: &[u8] = b"\nNSpid:";
    let file = open(c"/proc/thread-self/status", libc::O_RDONLY)?;
    let mut text = [0_u8; 4096];
    let words = [word(file), text.as_mut_ptr() as usize, text.len()];
    let read = call(libc::SYS_read, words);
    close(file);
    let text = text.get(..read?).unwrap_or_default();
    let start = text.windows(NAME.len()).position(|part| part == NAME).ok_or(libc::EPROTO)?;
    let numbers = text.get(start + NAME.len()..).unwrap_or_default();
    let line = numbers.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(line.split(|byte| *byte == b'\t').filter(|number| !number.is_empty()).count() == 1)
}

/// The file that lists this process's children, as it will list init's: by the PIDs of its own
/// namespace.
pub(super) fn open_children() -> Result<Fd, Errno> {
    if proc_is_of_own_namespace()? {
        return open(c"/proc/thread-self/children", libc::O_RDONLY);
    }
    // The caller has moved its children to another PID namespace (setns(2)): its proc names them
    // otherwise.
    let proc = new_filesystem(c"proc", None)?;
    let path = c"thread-self/children";
    let flags = word(libc::O_RDONLY | libc::O_CLOEXEC);
    let file = call(libc::SYS_openat, [word(proc), text(path), flags, 0]);
    close(proc);
    file.map(descriptor)
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
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    let seal = || call(libc::SYS_fcntl, [word(fd), word(libc::F_ADD_SEALS), word(seals)]);
    let done = write(fd, bytes).and_then(|()| seal());
    // It may be the caller who makes it.
    done.map(|_| fd).inspect_err(|_| close(fd))
}
