//! One limit, as the files of a cgroup have it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use sandbox_core::{First, Limits};

use super::Refused;
use super::hierarchy::Version;
use crate::descriptors::{above_streams, at_least};

/// What limits something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linux) enum Controller {
    Memory,
    Cpu,
    Processes,
}

impl Controller {
    /// Its name in the kernel's files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Processes => "pids",
        }
    }
}

/// Something that is limited, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// In bytes.
    Memory(u64),
    /// In thousandths of a processor.
    Cpu(u32),
    /// Processes and threads.
    Processes(u64),
}

impl Limit {
    /// All that there are. The sandbox's init is one process more than the command's.
    pub(super) fn all_of(limits: &Limits, first: First) -> Vec<Self> {
        let init = u64::from(first == First::Init);
        let processes = limits.processes.map(|count| Self::Processes(u64::from(count) + init));
        let memory = limits.memory.map(Self::Memory);
        [memory, limits.cpu.map(Self::Cpu), processes].into_iter().flatten().collect()
    }

    pub(super) fn controller(self) -> Controller {
        match self {
            Self::Memory(_) => Controller::Memory,
            Self::Cpu(_) => Controller::Cpu,
            Self::Processes(_) => Controller::Processes,
        }
    }

    /// Opens the files of a cgroup that it is written to.
    pub(super) fn open(self, cgroup: &Path, version: Version) -> Result<Vec<Setting>, Refused> {
        let mut settings = Vec::new();
        for (name, value) in self.values(version) {
            match Setting::open(&cgroup.join(name), value) {
                Err(Refused::Kernel { source, .. })
                    if SWAP.contains(&name) && source.kind() == io::ErrorKind::NotFound =>
                {
                    without_swap()?;
                }
                setting => settings.push(setting?),
            }
        }
        Ok(settings)
    }

    /// Files, and what to write, in order.
    fn values(self, version: Version) -> Vec<(&'static str, String)> {
        match (self, version) {
            (Self::Memory(bytes), Version::Two) => {
                vec![("memory.swap.max", "0".to_owned()), ("memory.max", bytes.to_string())]
            }
            // The second is memory and swap together, and cannot be less.
            (Self::Memory(bytes), Version::One) => vec![
                ("memory.limit_in_bytes", bytes.to_string()),
                ("memory.memsw.limit_in_bytes", bytes.to_string()),
            ],
            (Self::Cpu(thousandths), Version::Two) => {
                let (quota, period) = quota_and_period(thousandths);
                vec![("cpu.max", format!("{quota} {period}"))]
            }
            (Self::Cpu(thousandths), Version::One) => {
                let (quota, period) = quota_and_period(thousandths);
                vec![
                    ("cpu.cfs_period_us", period.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ]
            }
            (Self::Processes(count), _) => vec![("pids.max", count.to_string())],
        }
    }
}

/// The files that not every kernel has: some do not count what is swapped out.
const SWAP: [&str; 2] = ["memory.swap.max", "memory.memsw.limit_in_bytes"];

/// A file of a cgroup that is open, and what to write.
#[derive(Debug)]
pub(super) struct Setting {
    file: OwnedFd,
    path: PathBuf,
    value: String,
}

impl Setting {
    fn open(path: &Path, value: String) -> Result<Self, Refused> {
        let file = OpenOptions::new().write(true).open(path);
        let file = file.and_then(|file| above_streams(file.into()));
        let file = file.map_err(Refused::kernel("open", path))?;
        Ok(Self { file, path: path.to_owned(), value })
    }

    pub(super) fn write(&self) -> Result<(), Refused> {
        loop {
            match nix::unistd::write(&self.file, self.value.as_bytes()) {
                Err(Errno::EINTR) => {}
                written => {
                    let written = written.map(drop).map_err(io::Error::from);
                    return written.map_err(Refused::kernel("write to", &self.path));
                }
            }
        }
    }

    /// The same with a descriptor from `first` on.
    pub(super) fn at_least(self, first: i32) -> io::Result<Self> {
        Ok(Self { file: at_least(first, self.file)?, ..self })
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// As init is told of it.
    pub(super) fn word(&self) -> String {
        format!("{}:{}", self.descriptor(), self.value)
    }
}

/// Microseconds on processors in so many that pass. The kernel takes a quota of a millisecond or more, and a
/// period of a second or less; a short one lets a command wait less long.
pub(super) fn quota_and_period(thousandths: u32) -> (u64, u64) {
    let period = if thousandths < 10 { 1_000_000 } else { 100_000 };
    (u64::from(thousandths) * period / 1000, period)
}

/// That nothing counts what is swapped out is no matter where there is no swap.
fn without_swap() -> Result<(), Refused> {
    // A line of headings, and one for each area (proc(5)).
    let areas = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    if areas.lines().count() > 1 { Err(Refused::SwapNotCounted) } else { Ok(()) }
}
