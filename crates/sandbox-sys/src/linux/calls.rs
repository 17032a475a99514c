//! Which of the engine's system calls the kernel has.
//!
//! Asked once, in the caller, by calls that cannot succeed. What is missing has another way, or is refused
//! by the name of the call and the version that it came with.
#![allow(unsafe_code, reason = "system calls without arguments that mean anything")]

use std::sync::OnceLock;

use nix::errno::Errno;
use sandbox_core::{Obstacle, Support, WhyNot};

use super::detached::MountCalls;

/// What there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Calls {
    /// open_tree(2), move_mount(2), fsopen(2): Linux 5.2. mount_setattr(2): Linux 5.12.
    pub(super) mounts: MountCalls,
    /// openat2(2): Linux 5.6.
    pub(super) openat2: Known,
    /// close_range(2) with `CLOSE_RANGE_CLOEXEC`: Linux 5.11.
    pub(super) close_range: Known,
    /// `CLONE_PIDFD`, pidfd_send_signal(2), pidfd_open(2), waitid(2) of one: Linux 5.4.
    pub(super) pidfd: Known,
}

/// Whether the kernel knows a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    Yes,
    No,
}

/// No descriptor has this number.
const NOTHING: i32 = i32::MAX;

impl Calls {
    /// Those of this kernel, as this process may use them.
    pub(super) fn known() -> Self {
        static KNOWN: OnceLock<Calls> = OnceLock::new();
        *KNOWN.get_or_init(Self::ask)
    }

    fn ask() -> Self {
        const CLOEXEC: libc::c_long = 1 << 2;
        let all = [libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen];
        let mounts = all.into_iter().chain([libc::SYS_mount_setattr]).all(|call| has(call, [0; 4]));
        let no_child = [libc::P_PIDFD.into(), NOTHING.into(), 0, libc::WEXITED.into()];
        let pidfd = has(libc::SYS_pidfd_open, [-1, 0, 0, 0])
            && has(libc::SYS_pidfd_send_signal, [NOTHING.into(), 0, 0, 0])
            && answer(libc::SYS_waitid, no_child) == Errno::EBADF;
        let last = u32::MAX.into();
        let close_range = answer(libc::SYS_close_range, [last, last, CLOEXEC, 0]);
        Self {
            mounts: if mounts { MountCalls::All } else { MountCalls::Old },
            openat2: Known::of(has(libc::SYS_openat2, [NOTHING.into(), 0, 0, 0])),
            close_range: Known::of(close_range == Errno::from_raw(0)),
            pidfd: Known::of(pidfd),
        }
    }

    /// What is only done by a pidfd.
    pub(super) fn pidfd(self) -> Support {
        match self.pidfd {
            Known::Yes => Support::Yes,
            Known::No => {
                let why = WhyNot::new(Obstacle::Kernel, "needs Linux 5.4 (pidfd)");
                Support::No(why.remedy(
                    "take a newer kernel, or allow its calls in the filter of the container",
                ))
            }
        }
    }
}

impl Known {
    fn of(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

fn has(call: libc::c_long, words: [libc::c_long; 4]) -> bool {
    answer(call, words) != Errno::ENOSYS
}

/// The error of a call; 0 where it is none.
fn answer(call: libc::c_long, words: [libc::c_long; 4]) -> Errno {
    let [a, b, c, d] = words;
    // SAFETY: the arguments are numbers and null pointers, none of which any of these calls writes to.
    match unsafe { libc::syscall(call, a, b, c, d, 0_usize, 0_usize) } {
        -1 => Errno::last(),
        _ => Errno::from_raw(0),
    }
}
