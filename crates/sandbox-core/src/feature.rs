//! The settings that are negotiated, and the values of each that a backend can give or lack.

use std::fmt;

use crate::config::{Isolation, Root, SandboxConfig, User, UserNamespace, Writable};
use crate::mount::Filesystem;
use crate::privileges::KeptCapabilities;
use crate::seccomp::Seccomp;

/// A setting of [`SandboxConfig`] that is negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// `root`
    Root,
    /// `writable`
    Writable,
    /// `mounts`
    Mounts,
    /// `extra_mounts`
    ExtraMounts,
    /// `network`
    Network,
    /// `processes`
    Processes,
    /// `ipc`
    Ipc,
    /// `hostname`
    Hostname,
    /// `uts`
    Uts,
    /// `cgroup`
    Cgroup,
    /// `user`
    User,
    /// `groups`
    Groups,
    /// `user_namespace`
    UserNamespace,
    /// `capabilities`
    Capabilities,
    /// `seccomp`
    Seccomp,
    /// `limits.memory`
    Memory,
    /// `limits.cpu`
    Cpu,
    /// `limits.processes`
    ProcessesMax,
    /// `process`
    Process,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Root => "root",
            Self::Writable => "writable",
            Self::Mounts => "mounts",
            Self::ExtraMounts => "extra-mounts",
            Self::Network => "network",
            Self::Processes => "processes",
            Self::Ipc => "ipc",
            Self::Hostname => "hostname",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::User => "user",
            Self::Groups => "groups",
            Self::UserNamespace => "user-namespace",
            Self::Capabilities => "capabilities",
            Self::Seccomp => "seccomp",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::ProcessesMax => "processes-max",
            Self::Process => "process",
        })
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $setting:ident $value:literal,)*) => {
        /// One value of one setting, as far as a backend can support or lack it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Feature { $($(#[$doc])* $name,)* }

        impl Feature {
            /// Every feature, by setting.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The setting that it is a value of.
            pub const fn setting(self) -> Setting {
                match self { $(Self::$name => Setting::$setting,)* }
            }

            /// The value, as it is written.
            pub const fn value(self) -> &'static str {
                match self { $(Self::$name => $value,)* }
            }
        }
    };
}

features! {
    /// The host's root.
    RootHost = Root "host",
    /// A directory as the root.
    RootDirectory = Root "directory",
    /// An empty root.
    RootEmpty = Root "empty",
    /// Everything writable.
    WritableAll = Writable "all",
    /// Some paths writable.
    WritableOnly = Writable "only",
    /// Nothing writable.
    WritableNothing = Writable "nothing",
    /// No attempt to isolate mounts.
    MountsUndefined = Mounts "undefined",
    /// Mounts isolated.
    MountsIsolated = Mounts "isolated",
    /// Extra mounts of the kind bind.
    MountBind = ExtraMounts "bind",
    /// Extra mounts of the kind proc.
    MountProc = ExtraMounts "proc",
    /// Extra mounts of the kind tmpfs.
    MountTmpfs = ExtraMounts "tmpfs",
    /// A minimal /dev.
    MountDev = ExtraMounts "dev",
    /// Extra mounts of the kind sysfs.
    MountSysfs = ExtraMounts "sysfs",
    /// Extra mounts of the kind mqueue.
    MountMqueue = ExtraMounts "mqueue",
    /// Extra mounts of the kind overlay.
    MountOverlay = ExtraMounts "overlay",
    /// `remount,ro`, and the flags ro, nosuid, nodev, noexec.
    MountFlags = ExtraMounts "flags",
    /// Directories, files and links that are made, files in memory, and modes that are changed.
    MountFiles = ExtraMounts "files",
    /// Extra mounts of what the caller's open descriptors refer to.
    MountDescriptor = ExtraMounts "descriptor",
    /// No attempt to isolate the network.
    NetworkUndefined = Network "undefined",
    /// A network stack of its own.
    NetworkIsolated = Network "isolated",
    /// No attempt to isolate processes.
    ProcessesUndefined = Processes "undefined",
    /// Sees only its own processes.
    ProcessesIsolated = Processes "isolated",
    /// No attempt to isolate IPC.
    IpcUndefined = Ipc "undefined",
    /// IPC objects of its own.
    IpcIsolated = Ipc "isolated",
    /// The host's name.
    HostnameUndefined = Hostname "undefined",
    /// A host name of its own.
    HostnameNamed = Hostname "named",
    /// No attempt to isolate the host's and domain's names.
    UtsUndefined = Uts "undefined",
    /// Names that can be changed apart from the host's.
    UtsIsolated = Uts "isolated",
    /// No attempt to isolate the view of cgroups.
    CgroupUndefined = Cgroup "undefined",
    /// Its own cgroup is the root of what it sees.
    CgroupIsolated = Cgroup "isolated",
    /// The caller's ids.
    UserSame = User "same",
    /// User 0 inside.
    UserRoot = User "root",
    /// Given ids.
    UserIds = User "ids",
    /// The groups that go with the user.
    GroupsDefault = Groups "default",
    /// Given supplementary groups.
    GroupsGiven = Groups "given",
    /// A user namespace where it is needed.
    UserNamespaceUndefined = UserNamespace "undefined",
    /// A user namespace in any case.
    UserNamespaceOwn = UserNamespace "own",
    /// A user namespace in which no other can be made.
    UserNamespaceLast = UserNamespace "last",
    /// No capabilities.
    CapabilitiesNone = Capabilities "none",
    /// Some capabilities.
    CapabilitiesSome = Capabilities "some",
    /// Those that there are.
    CapabilitiesAll = Capabilities "all",
    /// The build profile where there can be one.
    SeccompDefault = Seccomp "default",
    /// The build profile.
    SeccompBuild = Seccomp "build",
    /// No profile, and no filter of the caller's.
    SeccompNone = Seccomp "none",
    /// Filters of the caller's.
    SeccompPrograms = Seccomp "programs",
    /// As much memory as the caller.
    MemoryUnlimited = Memory "unlimited",
    /// A limit of memory.
    MemoryLimited = Memory "limited",
    /// As much time on processors as the caller.
    CpuUnlimited = Cpu "unlimited",
    /// A limit of the time on processors.
    CpuLimited = Cpu "limited",
    /// As many processes as the caller.
    ProcessesUnlimited = ProcessesMax "unlimited",
    /// A limit of the number of processes.
    ProcessesLimited = ProcessesMax "limited",
    /// The command, in the caller's session or one of its own, below an init.
    ProcessPlain = Process "plain",
    /// More: it is PID 1, gets descriptors, is told when to start, or holds locks.
    ProcessSpecial = Process "special",
}

impl Feature {
    /// What a configuration needs, each once, in the order of the settings.
    pub fn needed_by(config: &SandboxConfig) -> Vec<Self> {
        let isolation = |value, undefined, isolated| match value {
            Isolation::Undefined => undefined,
            Isolation::Isolated => isolated,
        };
        let mut features = vec![
            match config.root {
                Root::Host => Self::RootHost,
                Root::Directory(_) => Self::RootDirectory,
                Root::Empty => Self::RootEmpty,
            },
            match config.writable {
                Writable::All => Self::WritableAll,
                Writable::Only(_) => Self::WritableOnly,
                Writable::Nothing => Self::WritableNothing,
            },
            isolation(config.mounts, Self::MountsUndefined, Self::MountsIsolated),
            isolation(config.network, Self::NetworkUndefined, Self::NetworkIsolated),
            isolation(config.processes, Self::ProcessesUndefined, Self::ProcessesIsolated),
            isolation(config.ipc, Self::IpcUndefined, Self::IpcIsolated),
            match config.hostname {
                None => Self::HostnameUndefined,
                Some(_) => Self::HostnameNamed,
            },
            isolation(config.uts, Self::UtsUndefined, Self::UtsIsolated),
            isolation(config.cgroup, Self::CgroupUndefined, Self::CgroupIsolated),
            match config.user_namespace {
                UserNamespace::Undefined => Self::UserNamespaceUndefined,
                UserNamespace::Own => Self::UserNamespaceOwn,
                UserNamespace::Last => Self::UserNamespaceLast,
            },
            match config.capabilities {
                KeptCapabilities::Nothing => Self::CapabilitiesNone,
                KeptCapabilities::Only(_) => Self::CapabilitiesSome,
                KeptCapabilities::All => Self::CapabilitiesAll,
            },
            match &config.seccomp {
                Seccomp::Default => Self::SeccompDefault,
                Seccomp::Build => Self::SeccompBuild,
                Seccomp::Programs(programs) if !programs.is_empty() => Self::SeccompPrograms,
                Seccomp::None | Seccomp::Programs(_) => Self::SeccompNone,
            },
            match config.limits.memory {
                None => Self::MemoryUnlimited,
                Some(_) => Self::MemoryLimited,
            },
            match config.limits.cpu {
                None => Self::CpuUnlimited,
                Some(_) => Self::CpuLimited,
            },
            match config.limits.processes {
                None => Self::ProcessesUnlimited,
                Some(_) => Self::ProcessesLimited,
            },
            if config.process.is_plain() { Self::ProcessPlain } else { Self::ProcessSpecial },
            match config.user {
                User::Same => Self::UserSame,
                User::Root => Self::UserRoot,
                User::Ids { .. } => Self::UserIds,
            },
            if config.groups.is_empty() { Self::GroupsDefault } else { Self::GroupsGiven },
        ];
        for mount in &config.extra_mounts {
            features.push(match mount.filesystem {
                Filesystem::Bind { .. } => Self::MountBind,
                Filesystem::Proc => Self::MountProc,
                Filesystem::Tmpfs { .. } => Self::MountTmpfs,
                Filesystem::Dev | Filesystem::DevWithoutConsole => Self::MountDev,
                Filesystem::Sysfs => Self::MountSysfs,
                Filesystem::Mqueue => Self::MountMqueue,
                Filesystem::Overlay { .. } | Filesystem::TemporaryOverlay { .. } => {
                    Self::MountOverlay
                }
                Filesystem::Remount | Filesystem::RemountSingle | Filesystem::RemountInPlace => {
                    Self::MountFlags
                }
                Filesystem::BindDescriptor { .. } => Self::MountDescriptor,
                Filesystem::Data { .. }
                | Filesystem::Directory { .. }
                | Filesystem::File { .. }
                | Filesystem::Symlink { .. }
                | Filesystem::Chmod { .. } => Self::MountFiles,
            });
            if !mount.flags.is_empty() {
                features.push(Self::MountFlags);
            }
        }
        features.sort_unstable();
        features.dedup();
        features
    }
}
