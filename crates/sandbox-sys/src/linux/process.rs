//! A running sandbox, as the caller has it: a socket to its init, and a pidfd.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recv, recvmsg, send};
use sandbox_core::{First, Status, Usage};

use super::cgroup::Cgroups;
use super::command;
use super::handle::Handle;
use super::protocol::{Message, Record};
use super::undo::Leftovers;
use crate::end::{End, Life, decode};
use crate::error::WaitError;

/// The init of one sandbox.
#[derive(Debug)]
pub(crate) struct Process {
    pub(super) pid: i32,
    pub(super) control: Arc<Control>,
    pub(super) leftovers: Leftovers,
    pub(super) cgroups: Cgroups,
    pub(super) life: Life,
    /// How many processes were killed for the memory that they would have taken.
    pub(super) out_of_memory: u64,
    /// How the first process ended, where that is the command.
    pub(super) end: Option<End>,
}

/// What reaches an init, also while somebody waits for it. After its end nothing happens.
#[derive(Debug)]
pub(crate) struct Control {
    pub(super) handle: Handle,
    pub(super) socket: OwnedFd,
    pub(super) scope: Scope,
    pub(super) first: First,
    /// By us: then it is known how the command ended, without its init's word.
    pub(super) killed: AtomicBool,
}

/// What ends when the init is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All: it is PID 1 of a PID namespace.
    Namespace,
    /// Only itself: it must be asked to kill what it has started.
    Descendants,
}

impl Control {
    /// Sends the command a signal, through the init.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = u8::try_from(signal).ok().filter(|signal| (1..=64).contains(signal));
        match signal {
            Some(signal) if self.first == First::Command => self.handle.signal(signal.into()),
            Some(signal) => self.tell(Message::Signal(signal)),
            None => Err(Errno::EINVAL.into()),
        }
    }

    /// Whether somebody has killed it.
    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Kills everything in the sandbox.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.killed.store(true, Relaxed);
        match self.scope {
            // Not even a stopped init survives this, and nothing survives its init.
            Scope::Namespace => self.handle.signal(libc::SIGKILL),
            Scope::Descendants => self.tell(Message::Kill),
        }
    }

    fn tell(&self, message: Message) -> io::Result<()> {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match send(self.socket.as_raw_fd(), &[message.to_byte()], flags) {
            // The command is of the same user, and may have stopped it.
            Ok(_) | Err(Errno::EPIPE) if self.scope == Scope::Descendants => {
                self.handle.signal(libc::SIGCONT)
            }
            // In the second case it has ended, or knows: there is nobody left to tell.
            Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Readable when the sandbox has ended. Not the socket, which tells a little earlier: the caller
    /// would wake up twice.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.control.handle.as_fd()
    }

    /// Whether a signal does something to the command. To a PID 1 one does nothing that it has no handler
    /// for (pid_namespaces(7)).
    pub(crate) fn heeds(&self, signal: i32) -> bool {
        self.control.first != First::Command || command::heeds(self.pid, signal)
    }

    /// How many processes were killed for the memory that they would have taken, once all has ended.
    pub(crate) fn out_of_memory(&self) -> u64 {
        self.out_of_memory
    }

    /// Waits until nothing of the sandbox is left, and says how it ended.
    pub(crate) fn end(&mut self) -> Result<End, WaitError> {
        self.reap().map_err(|error| WaitError::host("wait for the sandbox", error))?;
        if let Some(end) = self.end.take() {
            return Ok(end);
        }
        if self.control.first == First::Command && !self.control.killed.load(Relaxed) {
            return Err(WaitError::Lost);
        }
        match receive(&self.control.socket).map_err(reading)? {
            Some(Record::Ended { status, usage }) => {
                let usage = Usage::of(
                    Duration::from_micros(usage.user_us),
                    Duration::from_micros(usage.system_us),
                    usage.max_rss_kib,
                );
                Ok(End { status: decode(status), usage })
            }
            _ if self.control.killed.load(Relaxed) => {
                Ok(End { status: Status::Signaled(libc::SIGKILL), usage: Usage::default() })
            }
            _ => Err(WaitError::Killed),
        }
    }

    /// Waits until the init is gone, and with it the namespaces.
    fn reap(&mut self) -> io::Result<()> {
        if self.life == Life::Reaped {
            return Ok(());
        }
        wait_readable(&[self.control.handle.as_fd()])?;
        self.life = Life::Reaped;
        match self.control.first {
            First::Command => self.end = command::end(self.pid, &self.control.handle)?,
            First::Init => self.control.handle.reap()?,
        }
        self.leftovers.remove();
        self.out_of_memory = self.cgroups.out_of_memory();
        self.cgroups.remove();
        Ok(())
    }
}

/// A sandbox ends with its handle: nothing may be left behind.
impl Drop for Process {
    fn drop(&mut self) {
        if self.life == Life::Running && self.control.kill().is_ok() {
            let _ = self.reap();
        }
    }
}

fn reading(error: io::Error) -> WaitError {
    WaitError::host("hear from the sandbox", error)
}

/// Blocks until one of some descriptors is readable or hung up.
pub(super) fn wait_readable(fds: &[BorrowedFd<'_>]) -> io::Result<Vec<bool>> {
    wait_readable_for(fds, None)
}

/// The same, for some time at most.
pub(super) fn wait_readable_for(
    fds: &[BorrowedFd<'_>],
    time: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let timeout = time.map_or(Ok(PollTimeout::NONE), PollTimeout::try_from);
    let timeout = timeout.unwrap_or(PollTimeout::MAX);
    loop {
        let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, timeout) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => return Ok(polled.iter().map(|fd| fd.any().unwrap_or(true)).collect()),
        }
    }
}

/// Whether a process ends by itself before some time has passed.
pub(super) fn ends_within(handle: &Handle, time: Duration) -> bool {
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
    poll(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], timeout) == Ok(1)
}

/// What has come on a socket.
#[derive(Default)]
pub(super) struct Received {
    pub(super) record: Option<Record>,
    /// The descriptor that came with it.
    pub(super) passed: Option<OwnedFd>,
    /// Whether there was no room for it.
    pub(super) truncated: bool,
}

/// The record that has come, if one has. Never blocks.
pub(super) fn receive_passed(socket: &OwnedFd) -> io::Result<Received> {
    let mut bytes = [0; Record::LEN];
    let mut pieces = [IoSliceMut::new(&mut bytes)];
    let mut space = cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut tries = 1000;
    let (count, fd, truncated) = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut pieces, Some(&mut space), flags) {
            Ok(message) if message.flags.contains(MsgFlags::MSG_CTRUNC) => {
                break (message.bytes, None, true);
            }
            Ok(message) => {
                let fd = message.cmsgs()?.find_map(|control| match control {
                    ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
                    _ => None,
                });
                break (message.bytes, fd, false);
            }
            Err(Errno::EINTR) => {}
            // The kernel has none for a moment; the record is still there, and with it what it tells of.
            Err(Errno::ENOMEM | Errno::ENOBUFS) if tries > 0 => {
                tries -= 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Errno::EAGAIN | Errno::ECONNRESET) => return Ok(Received::default()),
            Err(errno) => return Err(errno.into()),
        }
    };
    // SAFETY: the kernel has just put it into our table, for this message.
    #[allow(unsafe_code, reason = "takes ownership of a descriptor that was passed to us")]
    let passed = fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(Received { record: Record::from_bytes(&bytes[..count]), passed, truncated })
}

/// The record that has come, if one has. Never blocks.
fn receive(socket: &OwnedFd) -> io::Result<Option<Record>> {
    let mut bytes = [0; Record::LEN];
    loop {
        return match recv(socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
            Ok(count) => Ok(Record::from_bytes(&bytes[..count])),
            // The init has ended with a message of ours unread, which the kernel says once, and before what
            // the init has sent (unix(7)).
            Err(Errno::EINTR | Errno::ECONNRESET) => continue,
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        };
    }
}
