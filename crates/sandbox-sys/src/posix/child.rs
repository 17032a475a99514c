//! The child, from fork to exec.
//!
//! # Safety
//!
//! The caller may have threads, so between fork and exec only async-signal-safe functions are called
//! (signal-safety(7)): nothing is allocated, locked, formatted or looked up. All strings were made
//! before, and are the child's own copy.
#![allow(unsafe_code, reason = "fork(2), and the system calls of the child")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};
use sandbox_core::Session;

use super::program::{Act, Image, Program};

/// Steps beyond those of any plan.
pub(super) const STREAMS: u32 = u32::MAX - 1;
pub(super) const SESSION: u32 = u32::MAX - 2;
pub(super) const EXECUTE: u32 = u32::MAX - 3;

/// What the child says when it fails: the step, and the errno.
pub(super) type Report = [u8; 8];

/// Everything that the child reads.
pub(super) struct Order<'a> {
    pub(super) program: &'a Program,
    /// For standard input, output and error: above 2, or `None` for the caller's own.
    pub(super) streams: [Option<i32>; 3],
    /// Where it reports to; closed by exec.
    pub(super) report: &'a OwnedFd,
    /// The first descriptor number that cannot be open.
    pub(super) descriptors: i32,
}

/// Starts the child; gives its process id.
pub(super) fn start(order: &Order<'_>) -> io::Result<libc::pid_t> {
    // In the child no handler of the caller may run.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child only calls `Order::run`, see above, and does not return.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        order.run();
    }
    let error = io::Error::last_os_error();
    mask.thread_set_mask()?;
    if pid == -1 { Err(error) } else { Ok(pid) }
}

impl Order<'_> {
    fn run(&self) -> ! {
        let failed = self.carry_out();
        let status = match failed {
            Ok(()) => 0,
            Err((step, errno)) => {
                let mut report: Report = [0; 8];
                report[..4].copy_from_slice(&step.to_ne_bytes());
                report[4..].copy_from_slice(&errno.to_ne_bytes());
                // SAFETY: the report lives through the call.
                unsafe {
                    libc::write(self.report.as_raw_fd(), report.as_ptr().cast(), report.len())
                };
                127
            }
        };
        // SAFETY: takes no pointer; runs no handler of the caller's.
        unsafe { libc::_exit(status) }
    }

    fn carry_out(&self) -> Result<(), (u32, i32)> {
        if let Some(Image { session: Session::New, .. }) = self.program.image {
            // SAFETY: takes no argument.
            check(unsafe { libc::setsid() }).map_err(|errno| (SESSION, errno))?;
        }
        for (index, act) in &self.program.acts {
            let step = u32::try_from(*index).unwrap_or(u32::MAX);
            act.run().map_err(|errno| (step, errno))?;
        }
        let Some(image) = &self.program.image else { return Ok(()) };
        self.streams().map_err(|errno| (STREAMS, errno))?;
        default_signals();
        Err((EXECUTE, execute(image)))
    }

    fn streams(&self) -> Result<(), i32> {
        for (to, from) in (0..).zip(self.streams) {
            if let Some(from) = from {
                // SAFETY: takes no pointer.
                check(unsafe { libc::dup2(from, to) })?;
            }
        }
        // One by one: not every system has a call for all of them.
        for fd in 3..self.descriptors {
            // SAFETY: takes no pointer; a number that is not open is an error that is no matter.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        Ok(())
    }
}

impl Act {
    fn run(&self) -> Result<(), i32> {
        // SAFETY: the strings end with a NUL, and live through the calls.
        unsafe {
            match self {
                Self::Chroot(root) => {
                    check(libc::chroot(root.as_ptr()))?;
                    check(libc::chdir(c"/".as_ptr()))
                }
                Self::ChangeDirectory(path) => check(libc::chdir(path.as_ptr())),
                Self::SetIds { uid, gid, groups } => {
                    // Where a list of none is refused, the group alone is the whole list.
                    if groups.len() > 1 || libc::setgroups(0, ptr::null()) == -1 {
                        check(libc::setgroups(groups.len() as _, groups.as_ptr()))?;
                    }
                    check(libc::setgid(*gid))?;
                    check(libc::setuid(*uid))
                }
            }
        }
    }
}

/// What exec does not do: signals that the caller blocks or handles reach the command as by default,
/// and so do two that runtimes ignore for themselves.
fn default_signals() {
    for signal in 1..32 {
        // SAFETY: both structures live through the calls; a number that is no signal, or one that
        // cannot be changed, is an error that is no matter.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) == -1 {
                continue;
            }
            let for_itself = matches!(signal, libc::SIGPIPE | libc::SIGCHLD);
            if action.sa_sigaction != libc::SIG_IGN || for_itself {
                action = std::mem::zeroed();
                action.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &raw const action, ptr::null_mut());
            }
        }
    }
    // SAFETY: the set is made before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Tries the candidates as execvp(3) does. Returns only to say why none could be executed.
fn execute(image: &Image) -> i32 {
    let (argv, envp) = image.pointers();
    let mut denied = false;
    let mut last = libc::ENOENT;
    for candidate in &image.candidates {
        // SAFETY: strings and arrays of the image, which end as exec wants them to.
        unsafe { libc::execve(candidate.as_ptr(), argv, envp) };
        last = Errno::last_raw();
        match last {
            libc::EACCES => denied = true,
            libc::ENOENT | libc::ENOTDIR => {}
            _ => return last,
        }
    }
    if denied { libc::EACCES } else { last }
}

fn check(result: libc::c_int) -> Result<(), i32> {
    if result == -1 { Err(Errno::last_raw()) } else { Ok(()) }
}
