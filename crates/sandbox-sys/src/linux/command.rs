//! A command that is a sandbox's first process: how it ends, and which signals it heeds.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use sandbox_core::Usage;

use super::handle::Handle;
use crate::end::{End, decode};

/// Whether a command that is PID 1 catches a signal, waits for it, or ignores it on purpose (proc(5),
/// `SigCgt`, `SigBlk`, `SigIgn`). Where that is not known, it is the command's.
pub(super) fn heeds(pid: i32, signal: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    // What sigwait(3) waits for is not blocked meanwhile.
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = call.split(' ').next().and_then(|number| number.parse().ok());
    if number == Some(libc::SYS_rt_sigtimedwait) {
        return true;
    }
    let bit = u32::try_from(signal - 1).ok().and_then(|shift| 1_u64.checked_shl(shift));
    let sets = status.lines().filter_map(|line| {
        let (name, set) = line.split_once(':')?;
        let set = ["SigCgt", "SigBlk", "SigIgn"].contains(&name).then_some(set)?;
        u64::from_str_radix(set.trim(), 16).ok()
    });
    sets.fold(0, |all, set| all | set) & bit.unwrap_or_default() != 0
}

/// Reaps a command that has exited, and says how. `None` where somebody else has reaped it and the kernel
/// does not tell any more.
#[allow(unsafe_code, reason = "a structure of zeros")]
pub(super) fn end(pid: i32, handle: &Handle) -> io::Result<Option<End>> {
    // SAFETY: rusage is plain integers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let status = loop {
        match reap(pid, handle.pidfd(), &mut usage) {
            Ok(status) => break status,
            Err(Errno::EINTR) => {}
            // Its exec has made it a child like others, which a caller that ignores SIGCHLD keeps no
            // status of.
            Err(Errno::ECHILD) => {
                let status = handle.pidfd().and_then(exit_status);
                return Ok(
                    status.map(|status| End { status: decode(status), usage: Usage::default() })
                );
            }
            Err(errno) => return Err(errno.into()),
        }
    };
    let time = |time: libc::timeval| {
        let part = |number: i64| u64::try_from(number).unwrap_or_default();
        Duration::from_secs(part(time.tv_sec)) + Duration::from_micros(part(time.tv_usec))
    };
    let max_rss_kib = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    let usage = Usage::of(time(usage.ru_utime), time(usage.ru_stime), max_rss_kib);
    Ok(Some(End { status: decode(status), usage }))
}

/// A child's status, as wait4(2) has it. By its pidfd: where somebody else has reaped it, its number may be
/// another child's by now.
#[allow(unsafe_code, reason = "waitid(2) as the kernel has it, with what was used")]
fn reap(pid: i32, pidfd: Option<&OwnedFd>, usage: &mut libc::rusage) -> nix::Result<i32> {
    let Some(pidfd) = pidfd else {
        let mut status = 0;
        // SAFETY: both live through the call.
        let reaped = unsafe { libc::wait4(pid, &raw mut status, libc::__WALL, usage) };
        return Errno::result(reaped).map(|_| status);
    };
    // SAFETY: siginfo is plain integers, for which zero is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let (kind, flags) = (libc::P_PIDFD, libc::WEXITED | libc::__WALL);
    // SAFETY: both live through the call.
    let reaped = unsafe {
        let usage = std::ptr::from_mut(usage);
        libc::syscall(libc::SYS_waitid, kind, pidfd.as_raw_fd(), &raw mut info, flags, usage)
    };
    Errno::result(reaped)?;
    // SAFETY: waitid(2) fills this in for a child that has ended.
    let status = unsafe { info.si_status() };
    Ok(match info.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    })
}

/// The status of a process that has been reaped: ioctl(2) `PIDFD_GET_INFO`, Linux 6.15.
#[allow(unsafe_code, reason = "an ioctl that libc has no wrapper for")]
fn exit_status(pidfd: &OwnedFd) -> Option<i32> {
    /// `_IOWR(0xFF, 11, struct pidfd_info)`
    const PIDFD_GET_INFO: u64 = 0xC040_FF0B;
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    /// The first version of `struct pidfd_info`.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: the kernel writes a structure of this size, which lives through the call.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}
