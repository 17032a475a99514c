//! Leak detectors: what a sandbox must not leave behind on the host.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What exists on the host, as far as a sandbox could add to it.
pub(crate) struct Snapshot {
    mounts: BTreeSet<String>,
    cgroups: BTreeSet<PathBuf>,
    temporary: BTreeSet<PathBuf>,
}

impl Snapshot {
    /// Looks at the host; `temporary` is where the library would put its temporary files.
    pub(crate) fn take(temporary: &Path) -> io::Result<Self> {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
        Ok(Self {
            mounts: mountinfo.lines().map(mount_of).collect(),
            cgroups: cgroups()?,
            temporary: names_in(temporary)?,
        })
    }

    /// What is there since an earlier look.
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        let mounts = self.mounts.difference(&before.mounts).map(|m| format!("a mount: {m}"));
        let gone = before.mounts.difference(&self.mounts).map(|m| format!("a mount is gone: {m}"));
        let cgroups = self.cgroups.difference(&before.cgroups).filter(|path| is_left(path));
        let cgroups = cgroups.map(|path| format!("a cgroup: {}", path.display()));
        let files = self.temporary.difference(&before.temporary);
        let files = files.map(|path| format!("a temporary file: {}", path.display()));
        mounts.chain(gone).chain(cgroups).chain(files).collect()
    }
}

/// Whether a cgroup stays. One of a caller that lives is another suite's, as ours have ended by now, and one
/// that goes away was on its way.
fn is_left(cgroup: &Path) -> bool {
    let name = cgroup.file_name().unwrap_or_default().to_string_lossy();
    let caller = name.split('-').nth(1).unwrap_or_default();
    let caller = Path::new("/proc").join(caller).join("stat");
    let patience = Instant::now() + Duration::from_secs(1);
    while cgroup.exists() && !caller.exists() && Instant::now() < patience {
        sleep(Duration::from_millis(10));
    }
    cgroup.exists() && !caller.exists()
}

/// A line of mountinfo without its numbers, which the kernel gives out anew.
fn mount_of(line: &str) -> String {
    line.split(' ').skip(3).collect::<Vec<_>>().join(" ")
}

fn names_in(dir: &Path) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// The cgroups of sandboxes: `sandboxlib-PID-…`, of the caller's PID. Others come and go at any time, by the
/// hand of the service manager.
pub(crate) fn cgroups() -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    collect_cgroups(Path::new("/sys/fs/cgroup"), &mut found)?;
    Ok(found)
}

fn collect_cgroups(dir: &Path, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // A host without cgroups has none to leak, and one that is gone is none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let Ok(entry) = entry else { break };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with("sandboxlib-") {
                found.insert(entry.path());
            }
            collect_cgroups(&entry.path(), found)?;
        }
    }
    Ok(())
}

/// Ends and names the processes that a case left behind. The suite is the subreaper of its cases
/// (`PR_SET_CHILD_SUBREAPER`), so whatever outlives one is then a child of the suite.
///
/// A process that dies takes a moment to; one that lives on for longer than that was left behind.
pub(crate) fn left_processes() -> Vec<String> {
    let patience = Instant::now() + Duration::from_secs(1);
    while reap() && Instant::now() < patience {
        sleep(Duration::from_millis(5));
    }
    let mut left = Vec::new();
    // Killing a process can hand its children to us: until there are none.
    while reap() {
        for pid in children() {
            left.push(format!("a process: {pid} {}", command_of(pid)));
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        sleep(Duration::from_millis(5));
    }
    left.sort();
    left.dedup();
    left
}

/// Reaps what has ended; whether any child lives on.
fn reap() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn children() -> Vec<i32> {
    let me = std::process::id();
    let path = format!("/proc/self/task/{me}/children");
    let list = fs::read_to_string(path).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn command_of(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

/// The open file descriptors of this process, with what they lead to.
pub(crate) fn descriptors() -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // The descriptor of this listing is in the listing, and gone when it is looked at.
        if let Ok(target) = fs::read_link(entry.path())
            && !target.starts_with(format!("/proc/{}/fd", std::process::id()))
        {
            found.insert(format!("{} -> {}", entry.file_name().display(), target.display()));
        }
    }
    Ok(found)
}
