//! Keeps user 0 of the host, inside, from changing the host through the kernel's own files; and anybody from
//! leaving a cgroup that limits it.
//!
//! Capabilities do not matter there: the files belong to user 0, and plain permission lets it write
//! them. The lists are those of the OCI runtime specification (config-linux.md, "Masked Paths" and
//! "Readonly Paths").

use std::ffi::OsStr;

use crate::absent::Missing;
use crate::config::{Root, SandboxConfig};
use crate::mount::{Filesystem, Mount, MountFlag, Recursion};
use crate::path::InsidePath;
use crate::plan::Step;
use crate::process::CgroupView;

/// Changing these changes the host.
const READ_ONLY: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];

/// These tell of the host's memory, keys and processes.
const MASKED: [&str; 8] =
    ["kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi", "acpi"];

/// The steps that protect the host from a command that is its user 0, where it can see the kernel's own
/// files: in what `/proc` and `/sys` are in the root, and where a proc is mounted.
///
/// Where there are limits, `/sys` is protected from others too: the cgroups that limit it are below that,
/// and a user can be allowed to change them.
///
/// `uid` is who the command is on the host. For a sandbox with mounts of its own; the steps come after
/// all other mounts.
pub fn protect_host(config: &SandboxConfig, uid: u32) -> Vec<Step> {
    if uid != 0 && config.limits.is_none() {
        return Vec::new();
    }
    let restrict = |target| {
        let flags = vec![MountFlag::ReadOnly];
        let recursion = Recursion::Recursive;
        Step::Restrict { target, recursion, flags, missing: Missing::IsFine }
    };
    let mut steps = Vec::new();
    let is_proc = |kind: &Filesystem| *kind == Filesystem::Proc;
    for proc in if uid == 0 { places(config, "/proc", is_proc) } else { Vec::new() } {
        steps.extend(READ_ONLY.map(|name| restrict(proc.join(name))));
        steps.extend(MASKED.map(|name| Step::Mask(proc.join(name))));
    }
    if config.process.cgroup_view == CgroupView::Own {
        // A mount of ours is read-only already.
        steps.extend(places(config, "/sys", |_| false).into_iter().map(restrict));
    }
    steps
}

/// Where the kernel's files are: where they are mounted on request, and where the root has them.
fn places(
    config: &SandboxConfig,
    usual: &str,
    is_one: impl Fn(&Filesystem) -> bool,
) -> Vec<InsidePath> {
    let mounts = config.extra_mounts.iter().filter(|mount| is_one(&mount.filesystem));
    let mut places: Vec<_> = mounts.map(|mount| mount.target.clone()).collect();
    let Ok(usual) = InsidePath::absolute(usual, "path") else { return places };
    places.extend(config.extra_mounts.iter().filter_map(|mount| elsewhere(mount, &usual)));
    let shown = |mount: &Mount| usual.is_within(&mount.target);
    if config.root != Root::Empty || config.extra_mounts.iter().any(shown) {
        places.push(usual);
    }
    places.sort();
    places.dedup();
    places
}

/// Where a bind of the host's root, or of the place itself, shows the kernel's files once more.
fn elsewhere(mount: &Mount, usual: &InsidePath) -> Option<InsidePath> {
    let Filesystem::Bind { source, .. } = &mount.filesystem else { return None };
    let rest = usual.as_path().strip_prefix(source).ok()?;
    let names = rest.iter().filter_map(OsStr::to_str);
    Some(names.fold(mount.target.clone(), |at, name| at.join(name)))
}
