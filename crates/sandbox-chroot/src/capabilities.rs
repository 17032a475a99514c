//! What this backend can give on a host.

use sandbox_core::{
    Ability, BackendName, Capabilities, Feature, HostFacts, Obstacle, Platform, Support, WhyNot,
};

pub(crate) fn of(name: BackendName, host: &HostFacts) -> Capabilities {
    let base = match host.platform {
        // Every sandbox of this platform has an init of ours.
        Platform::Linux => host.can_all(&[Ability::Chroot, Ability::MemfdExec]),
        _ => host.can(Ability::Chroot),
    };
    let (mounting, private) = (mounting(host), private_mounting(host));
    // Elsewhere than on Linux there are no cgroups, which is the reason to name.
    let limiting = |ability| base.and(&host.can(ability)).and(&private);
    let root = if host.uid == 0 { Support::Yes } else { host.can(Ability::SetIds) };
    Capabilities::none(name)
        .with(
            &[
                Feature::RootHost,
                Feature::RootDirectory,
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
                Feature::SeccompDefault,
                Feature::SeccompNone,
                Feature::MemoryUnlimited,
                Feature::CpuUnlimited,
                Feature::ProcessesUnlimited,
                Feature::ProcessPlain,
            ],
            &base,
        )
        .with(&[Feature::UserRoot], &base.and(&root))
        .with(&[Feature::UserIds, Feature::GroupsGiven], &base.and(&host.can(Ability::SetIds)))
        .with(&[Feature::MountBind, Feature::MountProc, Feature::MountTmpfs], &base.and(&mounting))
        .with(
            &[Feature::MountsIsolated, Feature::MountDev, Feature::MountSysfs, Feature::MountFlags],
            &base.and(&private),
        )
        .with(&[Feature::MemoryLimited], &limiting(Ability::LimitMemory))
        .with(&[Feature::CpuLimited], &limiting(Ability::LimitCpu))
        .with(&[Feature::ProcessesLimited], &limiting(Ability::LimitProcesses))
        .with(&[Feature::RootEmpty], &never("needs a directory for the root"))
        .with(
            &[Feature::WritableOnly, Feature::WritableNothing],
            &never("leaves what can be written to permissions"),
        )
        .with(&[Feature::MountMqueue, Feature::MountOverlay], &never("does not mount it"))
        .with(&[Feature::NetworkIsolated], &never("shares the host's network"))
        .with(&[Feature::ProcessesIsolated], &never("shares the host's processes"))
        .with(&[Feature::IpcIsolated], &never("shares the host's IPC objects"))
        .with(&[Feature::HostnameNamed, Feature::UtsIsolated], &never("shares the host's name"))
        .with(&[Feature::CgroupIsolated], &never("shares the host's view of cgroups"))
        .with(
            &[Feature::UserNamespaceOwn, Feature::UserNamespaceLast],
            &never("makes no user namespace"),
        )
        .with(
            &[Feature::CapabilitiesSome, Feature::CapabilitiesAll],
            &never("holds a command by taking its capabilities"),
        )
        .with(
            &[Feature::SeccompBuild, Feature::SeccompPrograms],
            &base.and(&host.can(Ability::Seccomp)),
        )
        .with(&[Feature::ProcessSpecial], &never("starts plain processes"))
        .with(
            &[Feature::MountFiles, Feature::MountDescriptor],
            &never("mounts paths and file systems only"),
        )
}

fn never(what: &str) -> Support {
    Support::No(WhyNot::new(Obstacle::Backend, format!("the chroot backend {what}")))
}

/// Mounts that only the sandbox sees: they end with it, however it ends.
fn private_mounting(host: &HostFacts) -> Support {
    match host.platform {
        // The namespace is made with the caller's own rights, never inside a user namespace.
        Platform::Linux => {
            host.can_all(&[Ability::HostMount, Ability::MountNamespace, Ability::MountApi])
        }
        _ => never("can do this in a mount namespace only, which is a thing of Linux"),
    }
}

fn mounting(host: &HostFacts) -> Support {
    match host.platform {
        Platform::Linux => private_mounting(host),
        Platform::MacOs => {
            let reason = "macOS has no bind mounts, no proc, and no tmpfs";
            Support::No(WhyNot::new(Obstacle::Platform, reason))
        }
        _ => host.can(Ability::HostMount),
    }
}
