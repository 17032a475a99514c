//! Kills what is left in a cgroup: what an init that was killed itself could not.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::super::handle::{signal_number, signal_pidfd};
use super::super::spawn::pidfd;

/// Kills all that is in it now. What is killed goes some moments later, and what was being started
/// meanwhile may be there then: ask again.
pub(super) fn kill_all(cgroup: &Path) {
    // Version 2, Linux 5.14: the kernel does it, and lets nothing start meanwhile.
    if fs::write(cgroup.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let listed = processes(cgroup);
    let mut open: Vec<(u32, OwnedFd)> = Vec::new();
    for pid in listed {
        match pidfd(pid) {
            Ok(process) => open.push((pid, process)),
            // Before Linux 5.4, by number: to be another's, all numbers would have to be used since it was read.
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                let _ = signal_number(pid, libc::SIGKILL);
            }
            Err(_) => {}
        }
    }
    // What is still there is what was opened: a number is not used again before it is free.
    let still = processes(cgroup);
    for (_, process) in open.iter().filter(|(pid, _)| still.contains(pid)) {
        // Whoever is gone needs none.
        let _ = signal_pidfd(process, libc::SIGKILL);
    }
}

/// Those that this process can name.
fn processes(cgroup: &Path) -> Vec<u32> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}
