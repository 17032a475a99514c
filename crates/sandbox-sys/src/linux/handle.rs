//! What the caller holds of a process that it has started.
//!
//! A pidfd (pidfd_open(2)) since Linux 5.4. Before, the process's number, which stays its own until it has been
//! reaped; and, to wait for its end along with other things, one end of a pipe whose other end nobody has but
//! that process, as it has made the pipe itself (`Record::Lifeline`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, pipe2};

use super::process::{Received, receive_passed, wait_readable_for};
use super::protocol::Record;

/// A process that we have started.
#[derive(Debug)]
pub(super) enum Handle {
    /// Readable when it has ended.
    Pidfd(OwnedFd),
    /// Its number, and what is hung up when it has ended.
    Number(Pid, OwnedFd),
}

/// How often it is looked at whether a process has ended that has not yet said anything.
const A_WHILE: Duration = Duration::from_millis(10);

impl Handle {
    /// Of a process: by its pidfd, where there is one; what it has said already; and `myself`, where that is
    /// not needed for it.
    pub(super) fn of(
        pid: i32,
        pidfd: Option<OwnedFd>,
        socket: &OwnedFd,
        myself: OwnedFd,
    ) -> (Self, Option<Record>, Option<OwnedFd>) {
        match pidfd {
            Some(pidfd) => (Self::Pidfd(pidfd), None, Some(myself)),
            None => Self::by_number(pid, socket, myself),
        }
    }

    /// Of a process by its number. Its first word says how its end will be noticed; another word comes back,
    /// after which, as without a word, it ends by itself: `nothing` is hung up. It comes back where it is not needed.
    fn by_number(
        pid: i32,
        socket: &OwnedFd,
        nothing: OwnedFd,
    ) -> (Self, Option<Record>, Option<OwnedFd>) {
        let pid = Pid::from_raw(pid);
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::__WALL;
        loop {
            let _ = wait_readable_for(&[socket.as_fd()], Some(A_WHILE));
            let ended = waitid(Id::Pid(pid), flags | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)
                != Ok(WaitStatus::StillAlive);
            let Received { record, passed, .. } = receive_passed(socket).unwrap_or_default();
            match (record, passed) {
                (Some(Record::Lifeline), Some(end)) => {
                    return (Self::Number(pid, end), None, Some(nothing));
                }
                // There was no room for the end: it cannot be waited for.
                (Some(Record::Lifeline), None) => {
                    let _ = raw_kill(pid, libc::SIGKILL);
                    return (Self::Number(pid, nothing), None, None);
                }
                (None, _) if !ended => {}
                (record, _) => return (Self::Number(pid, nothing), record, None),
            }
        }
    }

    /// A pidfd, where it is one.
    pub(super) fn pidfd(&self) -> Option<&OwnedFd> {
        match self {
            Self::Pidfd(pidfd) => Some(pidfd),
            Self::Number(..) => None,
        }
    }

    /// Sends a signal; nothing where the process has ended.
    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        match self {
            Self::Pidfd(pidfd) => signal_pidfd(pidfd, signal),
            Self::Number(pid, _) => {
                // Another process has the number only after this one has been reaped, which the caller's
                // SIGCHLD handler may do: then it is no child of ours any more.
                let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
                if waitid(Id::Pid(*pid), flags | WaitPidFlag::__WALL) != Ok(WaitStatus::StillAlive)
                {
                    return Ok(());
                }
                // By number: real-time signals have no name.
                match raw_kill(*pid, signal) {
                    Err(Errno::ESRCH) => Ok(()),
                    done => done.map_err(Into::into),
                }
            }
        }
    }

    /// Reaps it once it has ended. Somebody else may have been faster, or the caller ignores SIGCHLD: how it
    /// ended is known from the socket.
    pub(super) fn reap(&self) -> io::Result<()> {
        let id = || match self {
            Self::Pidfd(pidfd) => Id::PIDFd(pidfd.as_fd()),
            Self::Number(pid, _) => Id::Pid(*pid),
        };
        loop {
            return match waitid(id(), WaitPidFlag::WEXITED | WaitPidFlag::__WALL) {
                Ok(_) | Err(Errno::ECHILD) => Ok(()),
                Err(Errno::EINTR) => continue,
                Err(errno) => Err(errno.into()),
            };
        }
    }
}

/// Readable when the process has ended.
impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pidfd(fd) | Self::Number(_, fd) => fd.as_fd(),
        }
    }
}

/// The end of a pipe that has no other.
pub(super) fn hung_up() -> io::Result<OwnedFd> {
    Ok(pipe2(OFlag::O_CLOEXEC).map(|(end, _)| end)?)
}

/// kill(2) of the process with a number.
pub(super) fn signal_number(pid: u32, signal: i32) -> nix::Result<()> {
    raw_kill(Pid::from_raw(i32::try_from(pid).map_err(|_| Errno::ESRCH)?), signal)
}

/// kill(2)
#[allow(unsafe_code, reason = "nix has no numbers of signals here")]
fn raw_kill(pid: Pid, signal: i32) -> nix::Result<()> {
    // SAFETY: takes no pointer.
    Errno::result(unsafe { libc::kill(pid.as_raw(), signal) }).map(drop)
}

/// pidfd_send_signal(2); nothing where the process has ended.
#[allow(unsafe_code, reason = "libc has no wrapper")]
pub(super) fn signal_pidfd(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: no pointers but a null one, which the call takes.
    let sent = unsafe {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0)
    };
    match sent {
        -1 if Errno::last() != Errno::ESRCH => Err(Errno::last().into()),
        _ => Ok(()),
    }
}
