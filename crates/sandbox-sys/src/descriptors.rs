//! File descriptors that do not get in the way of 0, 1 and 2.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The first number that is no standard stream's.
const ABOVE_STREAMS: i32 = 3;

/// The same open file, above the standard streams and closed on exec. A caller that has closed its
/// own streams gets their numbers for whatever it opens next.
pub(crate) fn above_streams(fd: OwnedFd) -> io::Result<OwnedFd> {
    at_least(ABOVE_STREAMS, fd)
}

/// The same with a number from `first` on, where those below are the command's.
#[allow(unsafe_code, reason = "takes ownership of a descriptor that fcntl(2) returned")]
pub(crate) fn at_least(first: i32, fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= first {
        return Ok(fd);
    }
    let copy = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(first))?;
    // SAFETY: fcntl has just made it, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A descriptor that the process was started with, by its number: a copy that is closed on exec.
///
/// # Errors
/// `EBADF`: no such descriptor is open, or it is one that is closed on exec, so opened since the start
/// by somebody who did not know that its number means something. Descriptors have run out.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    started_with(number)?;
    copy_of(number)
}

/// Checks that the process was started with a descriptor, which is not one of its own.
///
/// # Errors
/// `EBADF`, as for [`inherited`].
#[allow(unsafe_code, reason = "asks about a descriptor by its number")]
pub fn started_with(number: i32) -> io::Result<()> {
    let closed = || io::Error::from_raw_os_error(libc::EBADF);
    // SAFETY: only used to ask for its flags, which fails where it is not open.
    let fd = (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) });
    let flags = FdFlag::from_bits_retain(fcntl(fd.ok_or_else(closed)?, FcntlArg::F_GETFD)?);
    if flags.contains(FdFlag::FD_CLOEXEC) { Err(closed()) } else { Ok(()) }
}

/// A copy, which is closed on exec, of a descriptor of the caller's by its number.
pub(crate) fn copy_of(number: i32) -> io::Result<OwnedFd> {
    copy_at_least(ABOVE_STREAMS, number)
}

/// The same with a number from `first` on.
#[allow(unsafe_code, reason = "borrows a descriptor by its number, and owns the copy")]
pub(crate) fn copy_at_least(first: i32, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: only used to copy it, which fails where it is not open.
    let fd = (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) });
    let fd = fd.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(first))?;
    // SAFETY: fcntl has just made it, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// One of the caller's standard streams, or `None` where the caller has closed it.
#[allow(unsafe_code, reason = "asks about a descriptor by number")]
pub(crate) fn callers_stream(number: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: only used to ask whether it is open; the numbers 0 to 2 are the streams for as long as
    // the process lives.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(fd, FcntlArg::F_GETFD).is_ok().then_some(fd)
}

/// Takes the numbers of the standard streams that the caller has closed, for as long as the result
/// lives: otherwise the child's own files would get them, and the command's streams would replace them.
pub(crate) fn fill_streams() -> io::Result<Vec<OwnedFd>> {
    let mut fillers = Vec::new();
    loop {
        let filler: OwnedFd = std::fs::File::open("/dev/null")?.into();
        if filler.as_raw_fd() > 2 {
            return Ok(fillers);
        }
        fillers.push(filler);
    }
}
