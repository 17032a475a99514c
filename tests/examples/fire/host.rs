//! What there is on the host that a sandbox could add to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::children::descendants;
use crate::shot::MORTAL;

/// For what is on its way out to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Host {
    dir: PathBuf,
    found: BTreeSet<String>,
}

impl Host {
    pub(crate) fn look(dir: &Path) -> Result<Self> {
        Ok(Self { dir: dir.to_owned(), found: found(dir)? })
    }

    /// What is there since, and stays.
    pub(crate) fn left(&self) -> Result<Vec<String>> {
        let start = Instant::now();
        loop {
            let now = found(&self.dir)?;
            let left: Vec<_> = now.difference(&self.found).cloned().collect();
            if left.is_empty() || start.elapsed() > PATIENCE {
                return Ok(left);
            }
            sleep(Duration::from_millis(50));
        }
    }
}

fn found(dir: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
        // The kernel gives out the numbers anew.
        found.insert(format!("a mount: {}", line.splitn(4, ' ').last().unwrap_or_default()));
    }
    for name in ["tmp", "tree", MORTAL] {
        list(&dir.join(name), &mut found)?;
    }
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        if let Ok(target) = fs::read_link(&path)
            && !target.ends_with("fd")
        {
            // The numbers of those that come and go with a caller may differ.
            found.insert(format!("a descriptor of the driver's: {}", target.display()));
        }
    }
    for cgroup in cgroups() {
        found.insert(format!("a cgroup: {}", cgroup.display()));
    }
    let ours = descendants(std::process::id()).into_iter().flat_map(namespaces_of);
    for (name, _) in ours {
        found.insert(format!("a namespace: {name}"));
    }
    Ok(found)
}

/// All that a tree has, except where commands write.
fn list(dir: &Path, found: &mut BTreeSet<String>) -> Result {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if path.ends_with("work") {
            continue;
        }
        found.insert(format!("a file: {}", path.display()));
        if entry.file_type()?.is_dir() {
            list(&path, found)?;
        }
    }
    Ok(())
}

/// The mount points in a tree.
pub(crate) fn targets(tree: &Path) -> Result<usize> {
    let (made, mut found) = (tree.join("made"), BTreeSet::new());
    if !made.exists() {
        return Ok(0);
    }
    list(&made, &mut found)?;
    Ok(found.len() + 1)
}

/// Those of sandboxes whose caller has ended: `sandboxlib-PID-…`.
pub(crate) fn cgroups() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name().display().to_string();
            let owner = name.strip_prefix("sandboxlib-").and_then(|rest| rest.split('-').next());
            if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
                found.push(entry.path());
            }
            directories.push(entry.path());
        }
    }
    found
}

fn namespaces_of(pid: u32) -> Vec<(String, u32)> {
    let links = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
    let names = links.filter_map(|link| fs::read_link(link.path()).ok());
    names.map(|name| (name.display().to_string(), pid)).collect()
}

/// Every namespace that a process on this host is seen to be in, and one of its processes.
pub(crate) fn namespaces() -> BTreeMap<String, u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.flat_map(namespaces_of).collect()
}

/// Namespaces that were not there before, and whose processes have to do with a directory.
pub(crate) fn new_namespaces(before: &BTreeMap<String, u32>, dir: &Path) -> Vec<String> {
    let is_ours = |pid: &u32| {
        let links = ["root", "cwd", "exe"];
        links.iter().any(|link| {
            fs::read_link(format!("/proc/{pid}/{link}")).is_ok_and(|path| path.starts_with(dir))
        })
    };
    let now = namespaces();
    let new = now.iter().filter(|(name, _)| !before.contains_key(*name));
    let ours = new.filter(|(_, pid)| is_ours(pid));
    ours.map(|(name, pid)| format!("a namespace: {name}, of process {pid}")).collect()
}
