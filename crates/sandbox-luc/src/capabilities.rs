//! What this backend can give on a host.

use sandbox_core::{
    Ability, BackendName, Capabilities, Feature, HostFacts, Obstacle, Standing, Support, WhyNot,
};

pub(crate) fn of(name: BackendName, host: &HostFacts) -> Capabilities {
    // Every sandbox has an init of ours, and a plain user's a user namespace.
    let base = match host.standing {
        Standing::Privileged => host.can(Ability::MemfdExec),
        Standing::Unprivileged => host.can_all(&[Ability::MemfdExec, Ability::UserNamespace]),
    };
    let with = |ability| base.and(&host.can(ability));
    let mounting =
        base.and(&host.can_all(&[Ability::MountNamespace, Ability::MountApi, Ability::PivotRoot]));
    let mounting_with = |ability| mounting.and(&host.can(ability));
    Capabilities::none(name)
        .with(
            &[
                Feature::RootHost,
                Feature::WritableAll,
                Feature::MountsUndefined,
                Feature::NetworkUndefined,
                Feature::ProcessesUndefined,
                Feature::IpcUndefined,
                Feature::HostnameUndefined,
                Feature::UserSame,
                Feature::GroupsDefault,
                Feature::UtsUndefined,
                Feature::CgroupUndefined,
                Feature::UserNamespaceUndefined,
                Feature::CapabilitiesNone,
                Feature::CapabilitiesSome,
                Feature::CapabilitiesAll,
                Feature::SeccompDefault,
                Feature::SeccompNone,
                Feature::MemoryUnlimited,
                Feature::CpuUnlimited,
                Feature::ProcessesUnlimited,
                Feature::ProcessPlain,
            ],
            &base,
        )
        .with(
            &[
                Feature::RootDirectory,
                Feature::RootEmpty,
                Feature::WritableOnly,
                Feature::WritableNothing,
                Feature::MountsIsolated,
                Feature::MountBind,
                Feature::MountTmpfs,
                Feature::MountDev,
                Feature::MountFlags,
                Feature::MountFiles,
                Feature::MountDescriptor,
                // Where a fresh one is refused, the host's takes its place, and the report says so.
                Feature::MountProc,
                Feature::MountSysfs,
            ],
            &mounting,
        )
        .with(&[Feature::MountMqueue], &mounting_with(Ability::Mqueue))
        .with(&[Feature::MountOverlay], &mounting_with(Ability::Overlay))
        // A command that is the first process has no init to tell of its end.
        .with(&[Feature::ProcessSpecial], &with(Ability::Pidfd))
        .with(&[Feature::NetworkIsolated], &with(Ability::NetworkNamespace))
        // With the host's /proc they would be isolated by half.
        .with(
            &[Feature::ProcessesIsolated],
            &mounting.and(&host.can_all(&[Ability::PidNamespace, Ability::FreshProc])),
        )
        .with(&[Feature::IpcIsolated], &mounting_with(Ability::IpcNamespace))
        .with(&[Feature::HostnameNamed, Feature::UtsIsolated], &with(Ability::UtsNamespace))
        .with(&[Feature::CgroupIsolated], &with(Ability::CgroupNamespace))
        .with(
            &[Feature::UserNamespaceOwn, Feature::UserNamespaceLast],
            &with(Ability::UserNamespace),
        )
        .with(&[Feature::SeccompBuild, Feature::SeccompPrograms], &with(Ability::Seccomp))
        .with(&[Feature::MemoryLimited], &mounting_with(Ability::LimitMemory))
        .with(&[Feature::CpuLimited], &mounting_with(Ability::LimitCpu))
        .with(&[Feature::ProcessesLimited], &mounting_with(Ability::LimitProcesses))
        .with(&[Feature::UserRoot], &base.and(&becoming(host, Target::Root)))
        .with(&[Feature::UserIds], &base.and(&becoming(host, Target::Others)))
        .with(&[Feature::GroupsGiven], &base.and(&groups(host)))
}

enum Target {
    Root,
    Others,
}

/// Whether the command can have other ids: without privilege they are names for the caller's own.
fn becoming(host: &HostFacts, target: Target) -> Support {
    match (host.standing, target) {
        (Standing::Unprivileged, _) => Support::Yes,
        (Standing::Privileged, Target::Root) if host.uid == 0 => Support::Yes,
        (Standing::Privileged, _) => host.can(Ability::SetIds),
    }
}

/// Groups are real, or they are not there at all: a plain user's namespace has a name for one.
fn groups(host: &HostFacts) -> Support {
    match host.standing {
        Standing::Privileged => host.can(Ability::SetIds),
        Standing::Unprivileged => {
            let reason = "without privilege the kernel lets nobody change groups";
            Support::No(WhyNot::new(Obstacle::Privilege, reason).remedy("run as root"))
        }
    }
}
