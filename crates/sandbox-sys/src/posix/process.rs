//! A running command: a process group, and a thread that waits for its leader.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use sandbox_core::{Session, Usage};

use super::mounts::Mounts;

use crate::descriptors::above_streams;
use crate::end::{End, Life, decode};
use crate::error::WaitError;

/// The command, which leads a process group where it has a session of its own.
#[derive(Debug)]
pub(crate) struct Process {
    control: Arc<Control>,
    news: OwnedFd,
    mounts: Mounts,
}

/// What reaches a command, also while somebody waits for it. After its end nothing happens.
#[derive(Debug)]
pub(crate) struct Control {
    pid: Pid,
    session: Session,
    /// By us, before its end.
    killed: AtomicBool,
    /// Its number is its own until it is reaped, and no longer.
    life: Mutex<Life>,
}

impl Process {
    pub(super) fn watch(pid: libc::pid_t, session: Session, mounts: Mounts) -> io::Result<Self> {
        let (news, writer) = io::pipe()?;
        // Both stay open for long: where the caller has closed its own streams, they are not those of
        // the next command.
        let (news, writer) = (above_streams(news.into())?, above_streams(writer.into())?);
        let watched = thread::Builder::new()
            .name("sandbox-wait".into())
            .stack_size(64 * 1024)
            .spawn(move || watch(pid, writer));
        let life = Mutex::new(Life::Running);
        let control =
            Arc::new(Control { pid: Pid::from_raw(pid), session, killed: false.into(), life });
        let process = Self { control, news, mounts };
        // Without the thread nobody would tell of the end: dropping the process kills it.
        watched.map(|_| process)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.control.pid.as_raw().unsigned_abs()
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Whether a signal does something to the command.
    #[allow(clippy::unused_self, reason = "on Linux it depends")]
    pub(crate) fn heeds(&self, _: i32) -> bool {
        true
    }

    /// Readable when the command has ended.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }

    /// Nothing limits memory here.
    #[allow(clippy::unused_self, reason = "other engines have a number")]
    pub(crate) fn out_of_memory(&self) -> u64 {
        0
    }

    /// Waits for the end, kills what is left of the group, and undoes the mounts.
    pub(crate) fn end(&mut self) -> Result<End, WaitError> {
        let waiting = |error| WaitError::host("wait for the command", error);
        let (status, usage) = self.reap().map_err(waiting)?;
        self.mounts.undo().map_err(|error| WaitError::host("undo the sandbox's mounts", error))?;
        Ok(End { status: decode(status), usage })
    }

    fn reap(&mut self) -> io::Result<(libc::c_int, Usage)> {
        let pid = self.control.pid.as_raw();
        wait_without_reaping(pid)?;
        // The leader is a zombie, so the group's number is still its own.
        self.control.kill_group()?;
        *self.control.life() = Life::Reaped;
        reap(pid)
    }
}

impl Control {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the command a signal.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = Signal::try_from(signal)?;
        self.while_running(|| kill(self.pid, signal))
    }

    /// Whether somebody has killed it.
    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Kills the command, and what is in its process group.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.killed.store(true, Relaxed);
        self.kill_group()
    }

    fn kill_group(&self) -> io::Result<()> {
        self.while_running(|| match self.session {
            Session::New => killpg(self.pid, Signal::SIGKILL),
            Session::Callers => kill(self.pid, Signal::SIGKILL),
        })
    }

    fn while_running(&self, send: impl FnOnce() -> nix::Result<()>) -> io::Result<()> {
        let life = self.life();
        match if *life == Life::Running { send() } else { Ok(()) } {
            // macOS says EPERM of a group of which only a zombie is left.
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// A sandbox ends with its handle: nothing may be left behind.
impl Drop for Process {
    fn drop(&mut self) {
        if *self.control.life() == Life::Running && self.control.kill().is_ok() {
            let _ = self.reap();
        }
    }
}

/// Closes the pipe when the process has ended, which leaves it to be reaped.
fn watch(pid: libc::pid_t, writer: OwnedFd) {
    let _ = wait_without_reaping(pid);
    drop(writer);
}

#[allow(unsafe_code, reason = "waitid(2), which nix does not offer everywhere")]
fn wait_without_reaping(pid: libc::pid_t) -> io::Result<()> {
    loop {
        // SAFETY: the structure lives through the call, and is not read.
        let result = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOWAIT;
            libc::waitid(libc::P_PID, pid.unsigned_abs() as libc::id_t, &raw mut info, options)
        };
        match (result, Errno::last()) {
            (0, _) => return Ok(()),
            (_, Errno::EINTR) => {}
            (_, errno) => return Err(errno.into()),
        }
    }
}

#[allow(unsafe_code, reason = "wait4(2), for what the command used")]
pub(super) fn reap(pid: libc::pid_t) -> io::Result<(libc::c_int, Usage)> {
    let mut status = 0;
    // SAFETY: rusage is plain integers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both live through the call.
        let reaped = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        match (reaped, Errno::last()) {
            (-1, Errno::EINTR) => {}
            (-1, errno) => return Err(errno.into()),
            _ => break,
        }
    }
    let duration = |time: libc::timeval| {
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
        seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    // macOS counts bytes here, the others KiB.
    let unit = if cfg!(target_vendor = "apple") { 1024 } else { 1 };
    let rss = u64::try_from(usage.ru_maxrss).unwrap_or(0) / unit;
    Ok((status, Usage::of(duration(usage.ru_utime), duration(usage.ru_stime), rss)))
}
