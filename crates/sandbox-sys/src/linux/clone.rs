//! Creates the child.
//!
//! # Safety
//!
//! The child shares the caller's memory (`CLONE_VM`), so that starting it costs the same however
//! much memory the caller has, and runs on a stack of its own. The caller is not suspended
//! (no `CLONE_VFORK`): it waits for the child's word on a socket, and so can notice its death, and
//! could do for it what needs the caller's privileges.
#![allow(unsafe_code, reason = "clone(2)")]

use std::ffi::c_void;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::{from_mut, from_ref, null_mut};
use std::sync::atomic::AtomicI32;

use nix::sys::signal::{SigSet, SigmaskHow};
use sandbox_core::Namespace;

use super::calls::Known;
use super::child::{self, Order};
use super::stack::Borrowed;

/// The child's flags for its namespaces.
pub(super) fn flags(namespaces: &[Namespace]) -> i32 {
    namespaces.iter().fold(0, |flags, namespace| {
        flags
            | match namespace {
                Namespace::User => libc::CLONE_NEWUSER,
                Namespace::Mount => libc::CLONE_NEWNS,
                Namespace::Pid => libc::CLONE_NEWPID,
                Namespace::Network => libc::CLONE_NEWNET,
                Namespace::Ipc => libc::CLONE_NEWIPC,
                Namespace::Uts => libc::CLONE_NEWUTS,
                Namespace::Cgroup => libc::CLONE_NEWCGROUP,
                _ => 0,
            }
    })
}

/// Starts the child; gives its process id, and a pidfd where the kernel has them.
///
/// # Safety
/// `order`, everything that it refers to, `stack` and `in_our_memory` stay where they are until the child
/// has executed or exited.
pub(super) unsafe fn start(
    order: &Order<'_>,
    namespaces: &[Namespace],
    stack: &Borrowed,
    in_our_memory: &AtomicI32,
) -> io::Result<(i32, Option<OwnedFd>)> {
    let mut pidfd = -1;
    // No signal at its end, for as long as it is in our hands: a caller that ignores SIGCHLD, or
    // that reaps whatever it finds, does not take it away.
    let handle = match order.calls.pidfd {
        Known::Yes => libc::CLONE_PIDFD,
        Known::No => 0,
    };
    let flags = libc::CLONE_VM | handle | libc::CLONE_CHILD_CLEARTID | self::flags(namespaces);
    // In the child no handler of the caller may run.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: `child::main` is made for this; the stack is the child's alone; `order` lives, says
    // the caller; the pidfd is written before clone returns.
    let pid = unsafe {
        let argument = from_ref(order).cast_mut().cast();
        // No thread-local storage of its own; the kernel writes a 0 when the child leaves.
        let (tls, left) = (null_mut::<c_void>(), in_our_memory.as_ptr());
        libc::clone(child::main, stack.top(), flags, argument, from_mut(&mut pidfd), tls, left)
    };
    let error = io::Error::last_os_error();
    // There is a child now, so there is no way out of here before it is heard of.
    let _ = mask.thread_set_mask();
    if pid == -1 {
        return Err(error);
    }
    // SAFETY: the kernel has just made it, for us.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    Ok((pid, pidfd))
}
