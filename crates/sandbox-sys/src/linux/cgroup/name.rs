//! The names of cgroups, which tell whose they are: `sandboxlib-PID-START-NUMBER`.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

const PREFIX: &str = "sandboxlib-";

/// A name that no other cgroup of this or of another process has.
pub(super) fn new() -> io::Result<String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let pid = std::process::id();
    // Whatever number it has in that proc.
    let start = started("self").ok_or(io::ErrorKind::NotFound)?;
    Ok(format!("{PREFIX}{pid}-{start}-{}", NUMBER.fetch_add(1, Relaxed)))
}

/// Whether a name is of a process that has ended. Where that is not known, it is not.
pub(super) fn is_left(name: &str) -> bool {
    let owner = || {
        let mut parts = name.strip_prefix(PREFIX)?.split('-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    owner().is_some_and(|(pid, start)| has_ended(pid, start))
}

/// Another process may have the number by now.
fn has_ended(pid: u32, start: u64) -> bool {
    let number = i32::try_from(pid).ok().filter(|number| *number > 0);
    let gone = number.is_some_and(|number| kill(Pid::from_raw(number), None) == Err(Errno::ESRCH));
    gone || started(&pid.to_string()).is_some_and(|other| other != start)
}

/// When a process has started, in ticks since the start of the system (proc(5), the 22nd field of `stat`).
pub(super) fn started(pid: &str) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name, in which there may be anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
