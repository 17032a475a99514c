//! Limits: a cgroup for one sandbox, or one in each hierarchy that the limits are in (cgroups(7)).
//!
//! The caller makes them before the child, which enters by descriptors as the first thing that it does, and
//! removes them when the sandbox has ended. What a caller that was killed has left is removed by the next one.
//!
//! The kernel kills everybody who shares the memory of a process that may have no more, and until it executes
//! something the child shares the caller's. So memory is limited only then: by the init before it starts the
//! command, or where the command itself is what is executed, by the caller right afterwards.

mod hierarchy;
mod kill;
mod limit;
mod name;
#[cfg(test)]
mod tests;
mod why;

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use sandbox_core::{First, Limits, Namespace};

use crate::descriptors::above_streams;
use hierarchy::{Hierarchy, Version};
use limit::{Controller, Limit, Setting};

pub(super) use why::why_not;

/// How many cgroups there could be for limits, by these tables of the kernel's.
#[cfg(fuzzing)]
pub(super) fn places_in(mounts: &str, own: &str) -> usize {
    let limits = vec![Limit::Memory(1), Limit::Cpu(1), Limit::Processes(1)];
    let found = hierarchy::within(mounts, own, limits).unwrap_or_default();
    found.iter().map(|(hierarchy, _)| hierarchy.parents.len()).sum()
}

/// For the last processes of a sandbox to be gone: each time a moment longer.
const TRIES: u32 = 30;

/// What could not be done.
#[derive(Debug)]
pub(super) enum Refused {
    /// Which cgroup this process is in, or where they are, cannot be found out.
    Unknown(io::Error),
    /// There is no hierarchy with this controller.
    NoController(Controller),
    /// It is there, but not for children of a cgroup.
    NotEnabled(Controller, PathBuf),
    /// Memory can be swapped out, and nothing counts that.
    SwapNotCounted,
    /// The kernel refuses it.
    Kernel { action: &'static str, path: PathBuf, source: io::Error },
}

impl Refused {
    fn kernel(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Kernel { action, path, source }
    }

    /// Whether another parent may do.
    fn is_about_the_parent(&self) -> bool {
        let denied = [libc::EACCES, libc::EPERM, libc::EROFS, libc::ENOENT];
        match self {
            Self::NotEnabled(..) => true,
            Self::Kernel { source, .. } => {
                source.raw_os_error().is_some_and(|errno| denied.contains(&errno))
            }
            _ => false,
        }
    }

    /// What the kernel said, if it was the kernel.
    pub(super) fn source(self) -> io::Error {
        match self {
            Self::Unknown(source) | Self::Kernel { source, .. } => source,
            _ => io::ErrorKind::Unsupported.into(),
        }
    }
}

/// The cgroups of one sandbox. They are removed when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    /// Each with the lock that says that it is in use.
    made: Vec<(PathBuf, File)>,
    /// The one that counts processes that were killed for its memory.
    counting: Option<PathBuf>,
    /// What has to be written yet to limit memory.
    memory: Vec<Setting>,
}

/// When memory is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// When the cgroup is made: what enters must need little.
    AtOnce,
    /// When what enters has memory of its own.
    Later,
}

impl Cgroups {
    /// Makes what limits need; nothing, and without a system call, where there are none.
    pub(super) fn make(limits: &Limits, first: First, memory: Memory) -> Result<Self, Refused> {
        let mut cgroups = Self::default();
        if limits.is_none() {
            return Ok(cgroups);
        }
        for (hierarchy, limits) in hierarchy::of(Limit::all_of(limits, first))? {
            let (cgroup, lock, settings) = hierarchy.make(&limits)?;
            cgroups.made.push((cgroup.clone(), lock));
            for (limit, mut settings) in limits.into_iter().zip(settings) {
                if limit.controller() == Controller::Memory {
                    cgroups.counting = Some(cgroup.join(hierarchy.version.memory_events()));
                    if memory == Memory::Later {
                        cgroups.memory.append(&mut settings);
                    }
                }
                settings.iter().try_for_each(Setting::write)?;
            }
        }
        Ok(cgroups)
    }

    /// Sees to it that what the init writes to has numbers from `first` on.
    pub(super) fn stay_from(&mut self, first: i32) -> io::Result<()> {
        let moved = self.memory.drain(..).map(|setting| setting.at_least(first));
        self.memory = moved.collect::<io::Result<_>>()?;
        Ok(())
    }

    /// What the sandbox's init has to write to limit memory, as it is told: a descriptor, and a text.
    pub(super) fn words(&self) -> Vec<CString> {
        let word = |setting: &Setting| CString::new(setting.word()).unwrap_or_default();
        self.memory.iter().map(word).collect()
    }

    /// Limits memory, where there is no init to do it.
    pub(super) fn limit_memory(&mut self) -> io::Result<()> {
        self.memory.drain(..).try_for_each(|setting| setting.write().map_err(Refused::source))
    }

    /// Forgets what others have written.
    pub(super) fn memory_is_limited(&mut self) {
        self.memory.clear();
    }

    /// What a child in some namespaces needs to enter them. A namespace of cgroups begins where its maker is,
    /// so that the child makes that itself, once it has entered.
    pub(super) fn entry(&self, namespaces: &[Namespace]) -> io::Result<Entry> {
        let open = |(cgroup, _): &(PathBuf, File)| {
            let file = OpenOptions::new().write(true).open(cgroup.join("cgroup.procs"));
            file.and_then(|file| above_streams(file.into()))
        };
        let files: Vec<_> = self.made.iter().map(open).collect::<io::Result<_>>()?;
        let own_cgroups = !files.is_empty() && namespaces.contains(&Namespace::Cgroup);
        let now = |kind: &Namespace| !(own_cgroups && *kind == Namespace::Cgroup);
        Ok(Entry {
            doors: files.iter().map(AsRawFd::as_raw_fd).collect(),
            memory: self.memory.iter().map(Setting::descriptor).collect(),
            own_cgroups,
            namespaces: namespaces.iter().copied().filter(now).collect(),
            _files: files,
        })
    }

    /// How many processes were killed for the memory that they would have taken.
    pub(super) fn out_of_memory(&self) -> u64 {
        let events = self.counting.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
        events.iter().flat_map(|text| text.lines()).find_map(count).unwrap_or_default()
    }

    /// Removes them, once there is nothing in them any more.
    pub(super) fn remove(&mut self) {
        for (cgroup, _lock) in self.made.drain(..).rev() {
            remove(&cgroup, TRIES);
        }
    }
}

/// How a child enters.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it writes a 0, to be in.
    pub(super) doors: Vec<i32>,
    /// What its init writes to.
    pub(super) memory: Vec<i32>,
    /// Whether these are all that it sees of cgroups.
    pub(super) own_cgroups: bool,
    /// The namespaces that it is made in.
    pub(super) namespaces: Vec<Namespace>,
    /// Open until the child has copies.
    _files: Vec<OwnedFd>,
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A cgroup, its lock, and for each of its limits what has to be written.
type Made = (PathBuf, File, Vec<Vec<Setting>>);

impl Hierarchy {
    /// Makes a cgroup with some limits, in the nearest place where it can be.
    fn make(&self, limits: &[Limit]) -> Result<Made, Refused> {
        let mut first = None;
        for parent in &self.parents {
            match self.make_in(parent, limits) {
                Ok(cgroup) => return Ok(cgroup),
                Err(refused) if refused.is_about_the_parent() => {
                    first.get_or_insert(refused);
                }
                Err(refused) => return Err(refused),
            }
        }
        Err(first.unwrap_or_else(|| Refused::Unknown(io::ErrorKind::NotFound.into())))
    }

    fn make_in(&self, parent: &Path, limits: &[Limit]) -> Result<Made, Refused> {
        if self.version == Version::Two {
            for limit in limits {
                self.enable(parent, limit.controller())?;
            }
        }
        remove_left_ones(parent);
        let made = name::make(parent).map_err(Refused::kernel("make a cgroup in", parent));
        let (name, lock) = made?;
        let cgroup = parent.join(name);
        let settings = limits.iter().map(|limit| limit.open(&cgroup, self.version));
        match settings.collect() {
            Ok(settings) => Ok((cgroup, lock, settings)),
            Err(refused) => {
                remove(&cgroup, 1);
                Err(refused)
            }
        }
    }

    /// Lets the children of a cgroup have a controller. Beside the root, that takes a cgroup without
    /// processes of its own, so only one that others have prepared. It is tried with the caller's own alone:
    /// the others belong to others.
    fn enable(&self, parent: &Path, controller: Controller) -> Result<(), Refused> {
        let file = parent.join("cgroup.subtree_control");
        let enabled = fs::read_to_string(&file).unwrap_or_default();
        let name = controller.name();
        if enabled.split_whitespace().any(|enabled| enabled == name) {
            return Ok(());
        }
        let own = self.parents.first().is_some_and(|own| own == parent);
        if own && fs::write(&file, format!("+{name}")).is_ok() {
            return Ok(());
        }
        Err(Refused::NotEnabled(controller, parent.to_owned()))
    }
}

/// Removes cgroups that callers of ours have left in one, where they have ended.
fn remove_left_ones(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if let Some(_lock) = name::left(parent, &entry.file_name().to_string_lossy()) {
            remove(&entry.path(), 1);
        }
    }
}

/// Removes a cgroup with those below it, and kills what is still in it: the sandbox has ended. What cannot be removed by then is left for the next caller.
fn remove(cgroup: &Path, tries: u32) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path(), 1);
        }
    }
    for moment in 1..=tries {
        match fs::remove_dir(cgroup) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                kill::kill_all(cgroup);
                sleep(Duration::from_millis(moment.into()));
            }
            _ => return,
        }
    }
}
