//! What is known of the host: a plain value, so that a fake host is a value too.

use std::collections::BTreeMap;
use std::fmt;

use crate::capability::{Obstacle, Support, WhyNot};

/// What the caller can do on this host, found by trying it (`sandbox_sys::probe`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostFacts {
    /// The operating system.
    pub platform: Platform,
    /// The caller's effective user.
    pub uid: u32,
    /// The caller's effective group.
    pub gid: u32,
    /// With what rights namespaces are made.
    pub standing: Standing,
    /// What was tried, and how it went. Absent: cannot be done on this platform.
    pub ability: BTreeMap<Ability, Support>,
}

/// The operating systems that the backends know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
    /// FreeBSD, NetBSD, OpenBSD, DragonFly.
    Bsd,
    /// Another POSIX system.
    OtherPosix,
}

/// With what rights the caller makes namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// With its own: it has `CAP_SYS_ADMIN`, and needs no user namespace.
    Privileged,
    /// With those that a user namespace of its own gives it (user_namespaces(7)).
    Unprivileged,
}

/// Something that a plan may need the kernel to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ability {
    /// chroot(2).
    Chroot,
    /// Becoming any user and group, with setgroups(2).
    SetIds,
    /// Mounting in the host's own mount table; on Linux that is not needed.
    HostMount,
    /// Creating a user namespace.
    UserNamespace,
    /// Creating a mount namespace, and mounting in it.
    MountNamespace,
    /// Creating a PID namespace.
    PidNamespace,
    /// Creating a network namespace.
    NetworkNamespace,
    /// Creating an IPC namespace.
    IpcNamespace,
    /// Creating a UTS namespace.
    UtsNamespace,
    /// Creating a cgroup namespace.
    CgroupNamespace,
    /// pivot_root(2) to another root.
    PivotRoot,
    /// Moving and restricting mounts: open_tree(2), move_mount(2) and mount_setattr(2), or mount(2).
    MountApi,
    /// Descriptors of processes (pidfd_open(2)).
    Pidfd,
    /// A fresh proc over a PID namespace of its own.
    FreshProc,
    /// A fresh sysfs over a network namespace of its own.
    FreshSysfs,
    /// An overlay mount.
    Overlay,
    /// An mqueue mount over an IPC namespace of its own.
    Mqueue,
    /// A program run from a memfd (memfd_create(2)).
    MemfdExec,
    /// seccomp(2) filters.
    Seccomp,
    /// Limiting memory, swap included, in a cgroup (cgroups(7)).
    LimitMemory,
    /// Limiting the time on processors in a cgroup.
    LimitCpu,
    /// Limiting the number of processes in a cgroup.
    LimitProcesses,
}

impl Ability {
    /// Every ability.
    pub const ALL: &'static [Self] = &[
        Self::Chroot,
        Self::SetIds,
        Self::HostMount,
        Self::UserNamespace,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::CgroupNamespace,
        Self::PivotRoot,
        Self::MountApi,
        Self::Pidfd,
        Self::FreshProc,
        Self::FreshSysfs,
        Self::Overlay,
        Self::Mqueue,
        Self::MemfdExec,
        Self::Seccomp,
        Self::LimitMemory,
        Self::LimitCpu,
        Self::LimitProcesses,
    ];
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Chroot => "chroot",
            Self::SetIds => "set ids",
            Self::HostMount => "mount on the host",
            Self::UserNamespace => "user namespace",
            Self::MountNamespace => "mount namespace",
            Self::PidNamespace => "PID namespace",
            Self::NetworkNamespace => "network namespace",
            Self::IpcNamespace => "IPC namespace",
            Self::UtsNamespace => "UTS namespace",
            Self::CgroupNamespace => "cgroup namespace",
            Self::PivotRoot => "pivot_root",
            Self::MountApi => "moving mounts",
            Self::Pidfd => "pidfd",
            Self::FreshProc => "fresh proc",
            Self::FreshSysfs => "fresh sysfs",
            Self::Overlay => "overlay",
            Self::Mqueue => "mqueue",
            Self::MemfdExec => "exec of a memfd",
            Self::Seccomp => "seccomp filters",
            Self::LimitMemory => "limit of memory",
            Self::LimitCpu => "limit of processor time",
            Self::LimitProcesses => "limit of processes",
        })
    }
}

impl HostFacts {
    /// A host on which nothing was tried: nothing can be done.
    pub fn unknown(platform: Platform, uid: u32, gid: u32) -> Self {
        let standing = Standing::Unprivileged;
        Self { platform, uid, gid, standing, ability: BTreeMap::new() }
    }

    /// The same host, with an ability.
    #[must_use]
    pub fn with(mut self, ability: Ability, support: Support) -> Self {
        self.ability.insert(ability, support);
        self
    }

    /// The same host, with rights.
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// Whether something can be done.
    pub fn can(&self, ability: Ability) -> Support {
        self.ability.get(&ability).cloned().unwrap_or_else(|| {
            let reason = format!("{ability} does not exist on this platform");
            Support::No(WhyNot::new(Obstacle::Platform, reason))
        })
    }

    /// Whether all of some things can be done; the first obstacle otherwise.
    pub fn can_all(&self, abilities: &[Ability]) -> Support {
        abilities.iter().fold(Support::Yes, |all, ability| all.and(&self.can(*ability)))
    }
}
