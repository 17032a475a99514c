//! What a backend can give on a host, and why it cannot give the rest.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::{Hostname, Isolation, Root, SandboxConfig, User, UserNamespace, Writable};
use crate::mount::Filesystem;
use crate::privileges::KeptCapabilities;

/// The name of a backend, as it is written on a command line: `linux-user-chroot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendName(&'static str);

impl BackendName {
    /// A name, with `-` between words.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a name that somebody wrote means this backend; `-` and `_` are the same.
    pub fn matches(self, written: &str) -> bool {
        let plain = |c: char| if c == '_' { '-' } else { c };
        written.chars().map(plain).eq(self.0.chars())
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

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
    /// `user_namespace`
    UserNamespace,
    /// `capabilities`
    Capabilities,
    /// `seccomp`
    Seccomp,
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
            Self::UserNamespace => "user-namespace",
            Self::Capabilities => "capabilities",
            Self::Seccomp => "seccomp",
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
    /// No filter of the caller's.
    SeccompNone = Seccomp "none",
    /// Filters of the caller's.
    SeccompPrograms = Seccomp "programs",
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
            if config.seccomp.is_empty() { Self::SeccompNone } else { Self::SeccompPrograms },
            if config.process.is_plain() { Self::ProcessPlain } else { Self::ProcessSpecial },
            match config.user {
                User::Same => Self::UserSame,
                User::Root => Self::UserRoot,
                User::Ids { .. } => Self::UserIds,
            },
        ];
        for mount in &config.extra_mounts {
            features.push(match mount.filesystem {
                Filesystem::Bind { .. } => Self::MountBind,
                Filesystem::Proc => Self::MountProc,
                Filesystem::Tmpfs { .. } => Self::MountTmpfs,
                Filesystem::Dev => Self::MountDev,
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

/// Whether something can be done here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Yes,
    /// It cannot, and why.
    No(WhyNot),
}

impl Support {
    /// Whether it can.
    pub fn is_yes(&self) -> bool {
        *self == Self::Yes
    }

    /// This, or where this can be done, the other: both are needed.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if self.is_yes() { other.clone() } else { self.clone() }
    }
}

/// Why something cannot be done, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", hint(remedy.as_ref()))]
#[non_exhaustive]
pub struct WhyNot {
    /// What sort of obstacle it is.
    pub kind: Obstacle,
    /// The cause, in one clause: `user.max_user_namespaces is 0`.
    pub reason: String,
    /// What to change, where something can be.
    pub remedy: Option<String>,
}

fn hint(remedy: Option<&String>) -> String {
    remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default()
}

impl WhyNot {
    /// An obstacle without a remedy.
    pub fn new(kind: Obstacle, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), remedy: None }
    }

    /// The same, with what would help.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The sorts of obstacle; each has another sort of remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// This backend never does it: take another one.
    Backend,
    /// Not on this operating system.
    Platform,
    /// Not in the running kernel: take a newer one, or one built with it.
    Kernel,
    /// Turned off by a setting of the host or of the container around us.
    Disabled,
    /// The caller lacks a privilege.
    Privilege,
}

/// What one backend can give on one host to one caller, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    backend: BackendName,
    support: BTreeMap<Feature, Support>,
}

impl Capabilities {
    /// The capabilities of a backend that has said nothing yet: it can do nothing.
    pub fn none(backend: BackendName) -> Self {
        Self { backend, support: BTreeMap::new() }
    }

    /// Adds what is known of some features.
    #[must_use]
    pub fn with(mut self, features: &[Feature], support: &Support) -> Self {
        self.support.extend(features.iter().map(|feature| (*feature, support.clone())));
        self
    }

    /// The backend.
    pub fn backend(&self) -> BackendName {
        self.backend
    }

    /// Whether the backend can give a feature here.
    pub fn support(&self, feature: Feature) -> Support {
        self.support.get(&feature).cloned().unwrap_or_else(|| {
            let reason = format!("the {} backend does not have it", self.backend);
            Support::No(WhyNot::new(Obstacle::Backend, reason))
        })
    }

    /// Whether the backend can give a feature here.
    pub fn supports(&self, feature: Feature) -> bool {
        self.support(feature).is_yes()
    }

    /// The values of a setting that the backend can give here.
    pub fn values(&self, setting: Setting) -> impl Iterator<Item = Feature> {
        let of_setting = move |feature: &&Feature| feature.setting() == setting;
        Feature::ALL.iter().filter(of_setting).copied().filter(|feature| self.supports(*feature))
    }

    /// The strictest configuration for the same command, root and mounts that the backend can meet
    /// here. What is asked for already is kept; nothing becomes less strict.
    #[must_use]
    pub fn maximum_isolation(&self, config: &SandboxConfig) -> SandboxConfig {
        let mut strict = config.clone();
        for (feature, value) in [
            (Feature::MountsIsolated, &mut strict.mounts),
            (Feature::NetworkIsolated, &mut strict.network),
            (Feature::ProcessesIsolated, &mut strict.processes),
            (Feature::IpcIsolated, &mut strict.ipc),
            (Feature::UtsIsolated, &mut strict.uts),
            (Feature::CgroupIsolated, &mut strict.cgroup),
        ] {
            if self.supports(feature) {
                *value = Isolation::Isolated;
            }
        }
        if strict.hostname.is_none() && self.supports(Feature::HostnameNamed) {
            strict.hostname = Hostname::new("sandbox").ok();
        }
        if strict.writable == Writable::All && self.supports(Feature::WritableNothing) {
            strict.writable = Writable::Nothing;
        }
        strict
    }
}
