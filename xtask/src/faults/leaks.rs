//! What a run must not leave: mounts, cgroups, names in its trees and among temporary files. Processes are
//! the tracer's to find, and descriptors end with the process.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::scenario::Scenario;
use super::stage::Stage;
use crate::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    mounts: BTreeSet<String>,
    names: BTreeSet<PathBuf>,
    cgroups: BTreeSet<PathBuf>,
}

impl Snapshot {
    pub(super) fn take(stage: &Stage, scenario: &Scenario) -> Result<Self> {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
        let mut names = BTreeSet::new();
        for dir in [stage.tree(), stage.source(), stage.temporary()] {
            collect(&dir, &mut names, &|_| true);
        }
        let mut cgroups = BTreeSet::new();
        if scenario.has_limits() {
            let ours = |path: &Path| name(path).starts_with("sandboxlib-");
            collect(Path::new("/sys/fs/cgroup"), &mut cgroups, &ours);
        }
        // Numbers of mounts are given out anew.
        let without = |line: &str| line.split(' ').skip(3).collect::<Vec<_>>().join(" ");
        Ok(Self { mounts: mountinfo.lines().map(without).collect(), names, cgroups })
    }

    /// What is there since an earlier look; of cgroups, what is named after a caller.
    pub(super) fn since(&self, before: &Self, caller: i32) -> Vec<String> {
        let mounts = self.mounts.difference(&before.mounts).map(|line| format!("a mount: {line}"));
        let gone = before.mounts.difference(&self.mounts);
        let gone = gone.map(|line| format!("a mount is gone: {line}"));
        let names = self.names.symmetric_difference(&before.names);
        let names = names.map(|path| format!("a name: {}", path.display()));
        let cgroups = self.cgroups.difference(&before.cgroups).filter(|path| is_of(path, caller));
        let cgroups = cgroups.map(|path| format!("a cgroup: {}", path.display()));
        mounts.chain(gone).chain(names).chain(cgroups).collect()
    }

    /// Takes away what is there since an earlier look, so that the next run is judged for itself.
    pub(super) fn clean(&self, before: &Self, caller: i32) {
        let cgroups = self.cgroups.difference(&before.cgroups).filter(|path| is_of(path, caller));
        for line in self.mounts.difference(&before.mounts) {
            if let Some(at) = line.split(' ').nth(1) {
                let _ = umount2(at, MntFlags::MNT_DETACH);
            }
        }
        let names: Vec<_> = self.names.difference(&before.names).collect();
        for path in names.into_iter().rev().chain(cgroups) {
            let _ = fs::remove_dir(path).or_else(|_| fs::remove_file(path));
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn collect(dir: &Path, found: &mut BTreeSet<PathBuf>, wanted: &dyn Fn(&Path) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        // What the command was about to try when it was killed is its own.
        if wanted(&path) && !name(&path).starts_with(".facts-") {
            found.insert(path.clone());
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, found, wanted);
        }
    }
}

/// Others are at work at the same time.
fn is_of(cgroup: &Path, caller: i32) -> bool {
    name(cgroup).starts_with(&format!("sandboxlib-{caller}-"))
}
