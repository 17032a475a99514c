//! The system calls that init makes, typed. Constants have the kernel's names and values.

use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::numbers;
use crate::raw::{self, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};

pub(crate) type Result<T = usize> = core::result::Result<T, i32>;

pub(crate) const ENOENT: i32 = 2;
pub(crate) const EINTR: i32 = 4;
pub(crate) const ECHILD: i32 = 10;
pub(crate) const EAGAIN: i32 = 11;
pub(crate) const ENOMEM: i32 = 12;
pub(crate) const EACCES: i32 = 13;
pub(crate) const ENOTDIR: i32 = 20;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOSYS: i32 = 38;
pub(crate) const ENOBUFS: i32 = 105;

pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGPIPE: i32 = 13;
pub(crate) const SIGCHLD: i32 = 17;
pub(crate) const SIGCONT: i32 = 18;

pub(crate) const PR_SET_PDEATHSIG: usize = 1;
pub(crate) const PR_SET_DUMPABLE: usize = 4;
pub(crate) const PR_SET_NAME: usize = 15;
pub(crate) const PR_SET_CHILD_SUBREAPER: usize = 36;

const F_SETFD: usize = 2;
const FD_CLOEXEC: usize = 1;
const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;
const POLLIN: i16 = 1;
const RUSAGE_CHILDREN: i32 = -1;
const SEEK_SET: usize = 0;
/// `SFD_NONBLOCK | SFD_CLOEXEC`.
const SFD_FLAGS: usize = 0o2_004_000;
const SECCOMP_SET_MODE_FILTER: usize = 1;
const SIG_SETMASK: usize = 2;
const WNOHANG: usize = 1;
const WALL: usize = 0x4000_0000;

/// A set of signals as the kernel has it: signal N is bit N - 1.
type SignalSet = u64;
pub(crate) const NO_SIGNALS: SignalSet = 0;
pub(crate) const ALL_SIGNALS: SignalSet = !0;

pub(crate) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: takes no pointer.
        unsafe { syscall1(numbers::EXIT_GROUP, int(status)) };
    }
}

pub(crate) fn prctl(option: usize, value: usize) -> Result {
    // SAFETY: the options that take a pointer are not used with this function.
    raw::result(unsafe { syscall5(numbers::PRCTL, option, value, 0, 0, 0) })
}

pub(crate) fn set_name(name: &CStr) {
    // SAFETY: a NUL-terminated string, which the kernel copies.
    unsafe { syscall2(numbers::PRCTL, PR_SET_NAME, name.as_ptr().expose_provenance()) };
}

pub(crate) fn getpid() -> i32 {
    // SAFETY: no arguments.
    unsafe { syscall0(numbers::GETPID) as i32 }
}

pub(crate) fn getppid() -> i32 {
    // SAFETY: no arguments.
    unsafe { syscall0(numbers::GETPPID) as i32 }
}

pub(crate) fn setsid() -> Result {
    // SAFETY: no arguments.
    raw::result(unsafe { syscall0(numbers::SETSID) })
}

pub(crate) fn kill(pid: i32, signal: i32) -> Result {
    // SAFETY: takes no pointer.
    raw::result(unsafe { syscall2(numbers::KILL, int(pid), int(signal)) })
}

pub(crate) fn set_signal_mask(mask: SignalSet) -> Result {
    let mask = (&raw const mask).expose_provenance();
    let size = size_of::<SignalSet>();
    // SAFETY: the set lives through the call; the old one is not asked for.
    raw::result(unsafe { syscall4(numbers::RT_SIGPROCMASK, SIG_SETMASK, mask, 0, size) })
}

/// sigpending(2)
pub(crate) fn pending_signals() -> Result<SignalSet> {
    let mut set: SignalSet = 0;
    let to = (&raw mut set).expose_provenance();
    // SAFETY: the set lives through the call.
    raw::result(unsafe { syscall2(numbers::RT_SIGPENDING, to, size_of::<SignalSet>()) })?;
    Ok(set)
}

pub(crate) fn set_default_action(signal: i32) -> Result {
    // The kernel's struct sigaction: SIG_DFL, no flags, no restorer, an empty mask.
    let action = [0_u64; 4];
    let (new, size) = (action.as_ptr().expose_provenance(), size_of::<SignalSet>());
    // SAFETY: the action lives through the call; the old one is not asked for.
    raw::result(unsafe { syscall4(numbers::RT_SIGACTION, int(signal), new, 0, size) })
}

/// A signalfd(2), non-blocking and close-on-exec, that becomes readable on `signal`.
pub(crate) fn signalfd(signal: i32) -> Result<i32> {
    let set: SignalSet = 1 << (signal - 1);
    let set = (&raw const set).expose_provenance();
    let size = size_of::<SignalSet>();
    // SAFETY: the set lives through the call.
    let fd = unsafe { syscall4(numbers::SIGNALFD4, int(-1), set, size, SFD_FLAGS) };
    raw::result(fd).map(|fd| fd as i32)
}

pub(crate) fn set_cloexec(fd: i32) -> Result {
    // SAFETY: takes no pointer.
    raw::result(unsafe { syscall3(numbers::FCNTL, int(fd), F_SETFD, FD_CLOEXEC) })
}

/// Closes all from `first` to `last`, inclusive.
pub(crate) fn close_range(first: i32, last: i32) -> Result {
    // SAFETY: takes no pointer.
    let done = unsafe { syscall3(numbers::CLOSE_RANGE, int(first), int(last), 0) };
    if raw::result(done) != Err(ENOSYS) {
        return raw::result(done);
    }
    // Before Linux 5.9, one by one.
    for fd in first..=last.min(LAST.load(Relaxed)) {
        // SAFETY: takes no pointer.
        unsafe { syscall1(numbers::CLOSE, int(fd)) };
    }
    Ok(0)
}

/// The highest number that an open descriptor may have.
static LAST: AtomicI32 = AtomicI32::new(i32::MAX);

/// No descriptor that is open has a higher number, and of those that init opens only one can have the next.
pub(crate) fn none_is_above(last: i32) {
    LAST.store(last.saturating_add(1), Relaxed);
}

pub(crate) fn rewind(fd: i32) {
    // SAFETY: takes no pointer.
    unsafe { syscall3(numbers::LSEEK, int(fd), 0, SEEK_SET) };
}

pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<&[u8]> {
    let (start, len) = (buffer.as_mut_ptr().expose_provenance(), buffer.len());
    // SAFETY: the kernel writes no more than the buffer's length.
    let read = raw::result(unsafe { syscall3(numbers::READ, int(fd), start, len) })?;
    Ok(buffer.get(..read).unwrap_or_default())
}

/// write(2), once: what is written is short.
pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result {
    let (start, len) = (bytes.as_ptr().expose_provenance(), bytes.len());
    // SAFETY: the kernel reads the slice only.
    raw::result(unsafe { syscall3(numbers::WRITE, int(fd), start, len) })
}

pub(crate) fn send(socket: i32, record: &[u8]) -> Result {
    let (start, len) = (record.as_ptr().expose_provenance(), record.len());
    // SAFETY: the kernel reads the slice only.
    raw::result(unsafe { syscall6(numbers::SENDTO, int(socket), start, len, MSG_NOSIGNAL, 0, 0) })
}

/// Receives a message of one byte, without waiting. `None` is the end of the connection.
pub(crate) fn receive(socket: i32) -> Result<Option<u8>> {
    let mut byte = 0_u8;
    let start = (&raw mut byte).expose_provenance();
    // SAFETY: the kernel writes one byte at most; the sender's address is not asked for.
    let received = raw::result(unsafe {
        syscall6(numbers::RECVFROM, int(socket), start, 1, MSG_DONTWAIT, 0, 0)
    })?;
    Ok((received != 0).then_some(byte))
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

impl PollFd {
    /// A negative `fd` is ignored by poll(2), and never ready.
    pub(crate) const fn new(fd: i32) -> Self {
        Self { fd, events: POLLIN, revents: 0 }
    }

    /// Something can be read, or the other end is gone.
    pub(crate) const fn ready(self) -> bool {
        self.revents != 0
    }
}

/// Waits until one is ready, or for `timeout_ms` milliseconds (less than a second) if given.
pub(crate) fn poll<const N: usize>(fds: [i32; N], timeout_ms: Option<i64>) -> [bool; N] {
    let mut fds = fds.map(PollFd::new);
    let timeout = timeout_ms.map(|ms| [0, ms * 1_000_000]);
    let timeout = timeout.as_ref().map_or(0, |timeout| (&raw const *timeout).expose_provenance());
    let start = fds.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes within `fds`; a struct timespec is two 64-bit numbers on the
    // architectures supported, and lives through the call.
    unsafe { syscall5(numbers::PPOLL, start, N, timeout, 0, 0) };
    fds.map(PollFd::ready)
}

/// Reaps a child that has ended, if there is one: its PID and its status as of wait(2).
pub(crate) fn reap() -> Result<Option<(i32, i32)>> {
    let mut status = 0_i32;
    let at = (&raw mut status).expose_provenance();
    // SAFETY: the kernel writes an int to `status`.
    let pid = raw::result(unsafe { syscall4(numbers::WAIT4, int(-1), at, WNOHANG | WALL, 0) })?;
    Ok((pid != 0).then_some((pid as i32, status)))
}

/// Installs a filter of system calls (seccomp(2)), each instruction as a word of 8 bytes.
pub(crate) fn install_filter(program: &[u64]) -> Result {
    #[repr(C)]
    struct Program {
        len: u16,
        filter: *const u64,
    }
    let program = Program { len: program.len() as u16, filter: program.as_ptr() };
    let at = (&raw const program).expose_provenance();
    // SAFETY: a struct sock_fprog, whose instructions live through the call; the kernel copies them.
    raw::result(unsafe { syscall3(numbers::SECCOMP, SECCOMP_SET_MODE_FILTER, 0, at) })
}

/// The first members of struct rusage, and room for the rest.
#[repr(C)]
#[derive(Default)]
pub(crate) struct ResourceUsage {
    pub(crate) user: [u64; 2],
    pub(crate) system: [u64; 2],
    pub(crate) max_rss_kib: u64,
    rest: [u64; 13],
}

/// What the children that were reaped, and theirs, have used.
pub(crate) fn usage_of_children() -> ResourceUsage {
    let mut usage = ResourceUsage::default();
    let at = (&raw mut usage).expose_provenance();
    // SAFETY: the kernel writes a struct rusage, which this is.
    unsafe { syscall2(numbers::GETRUSAGE, int(RUSAGE_CHILDREN), at) };
    usage
}

/// An int in a register: the kernel looks at the low half only.
pub(crate) const fn int(number: i32) -> usize {
    number as isize as usize
}
