//! What is done unasked: the host's own proc and shared memory are replaced, and its kernel files protected.

use std::collections::BTreeSet;
use std::path::Path;

use sandbox_core::{CgroupView, Filesystem, InsidePath, Isolation, MountFlag, Recursion, Root};

use super::Fault;
use super::asked::{Asked, Shows};
use super::extra::{Flags, Need};
use super::host::{Kind, Node, Tree, is_within};
use super::replay::text;

use MountFlag::{NoDev, NoSuid, ReadOnly};

impl Asked<'_> {
    /// What is of the host's is replaced where it would give away what is isolated.
    pub(super) fn hosts_own(&mut self) -> Result<(), Fault> {
        let config = self.config;
        if !self.is_luc || config.root != Root::Host {
            return Ok(());
        }
        let covered = |path: &str| {
            let path = InsidePath::from_root(path, "path");
            path.is_ok_and(|path| config.extra_mounts.iter().any(|m| path.is_within(&m.target)))
        };
        if config.processes == Isolation::Isolated && !covered("/proc") {
            let target = InsidePath::root().join("proc");
            self.proc(&Need { target: &target, made: true }, &Flags::new())?;
        }
        if config.ipc == Isolation::Isolated && !covered("/dev/shm") {
            let target = InsidePath::root().join("dev").join("shm");
            let need = Need { target: &target, made: true };
            self.fresh("tmpfs", &need, &[NoSuid, NoDev], &Flags::new())?;
        }
        if config.ipc == Isolation::Isolated && !covered("/dev/mqueue") {
            self.mask("/dev/mqueue")?;
        }
        Ok(())
    }

    fn mask(&mut self, path: &str) -> Result<(), Fault> {
        let at = match self.resolve(path) {
            Err(Fault::Missing | Fault::NotADirectory) => return Ok(()),
            at => at?,
        };
        if self.node(&at) == Some(Node::Directory) {
            let flags = [NoSuid, NoDev, ReadOnly].into();
            self.tree(at, Tree::new("mask", Kind::Writable, &[]), flags);
            return Ok(());
        }
        let (null, _) = self.find_host(Path::new("/dev/null"))?;
        let shows = self.part_of_host(null, Recursion::Single)?;
        self.push_part(at, shows, &[ReadOnly].into());
        Ok(())
    }

    /// The kernel's files, from a command that is the host's user 0; and cgroups, where there are limits.
    pub(super) fn protect(&mut self) -> Result<(), Fault> {
        let (config, is_root) = (self.config, self.uid() == 0);
        if !is_root && config.limits.is_none() {
            return Ok(());
        }
        if is_root {
            for place in self.kernel_places("proc", &|kind| *kind == Filesystem::Proc) {
                for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
                    self.freeze(&format!("{place}/{name}"))?;
                }
                for name in [
                    "kcore",
                    "keys",
                    "latency_stats",
                    "timer_list",
                    "timer_stats",
                    "sched_debug",
                    "scsi",
                    "acpi",
                ] {
                    self.mask(&format!("{place}/{name}"))?;
                }
            }
        }
        if config.process.cgroup_view == CgroupView::Own {
            for place in self.kernel_places("sys", &|_| false) {
                self.freeze(&place)?;
            }
        }
        Ok(())
    }

    fn freeze(&mut self, path: &str) -> Result<(), Fault> {
        match self.resolve(path) {
            Err(Fault::Missing | Fault::NotADirectory) => {}
            at => self.push(at?, Shows::Same, [ReadOnly].into()),
        }
        Ok(())
    }

    /// Where `/NAME` of the host is seen, or a fresh one: in the root, at a mount's target, and in binds of
    /// the host's root.
    fn kernel_places(&self, name: &str, fresh: &dyn Fn(&Filesystem) -> bool) -> BTreeSet<String> {
        let usual = format!("/{name}");
        let mut places = BTreeSet::new();
        let mut in_root = self.config.root != Root::Empty;
        for mount in &self.config.extra_mounts {
            let at = text(mount.target.as_path());
            let at = at.trim_end_matches('/').to_owned();
            in_root |= is_within(&usual, &at);
            match &mount.filesystem {
                Filesystem::Bind { source, .. } if source == Path::new("/") => {
                    places.insert(format!("{at}{usual}"));
                }
                Filesystem::Bind { source, .. } if *source == Path::new(&usual) => {
                    places.insert(at);
                }
                kind if fresh(kind) => {
                    places.insert(at);
                }
                _ => {}
            }
        }
        places.extend(in_root.then_some(usual));
        places
    }
}
