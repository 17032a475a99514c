//! A backend that cannot do something must say so before anything is done.

use sandbox_core::{
    Capability, ConfigError, Environment, Feature, Filesystem, InsidePath, Isolation,
    KeptCapabilities, Limits, Mount, MountFlag, Policy, ProcessSettings, Recursion, SandboxConfig,
    SandboxConfigBuilder, Seccomp, SeccompProgram, SelectError, Setting, Support, User,
    UserNamespace, WhyNot, negotiate,
};
use sandbox_sys::{RunError, probe};

use crate::check::{Check, Failure, ensure};
use crate::world::World;

/// Why the backend cannot give a feature here; nothing where it can. Where it cannot, negotiation
/// must refuse, or step down and say so, and a launch must not get further.
pub(crate) fn refusal(world: &World<'_>, feature: Feature) -> Check<Option<WhyNot>> {
    let capabilities = world.backend.capabilities(probe()?);
    let Support::No(why) = capabilities.support(feature) else { return Ok(None) };
    let Some(config) = demand(feature, world)? else { return Ok(Some(why)) };
    let (setting, value) = (feature.setting(), feature.value());
    let said = |unmet: &sandbox_core::Unmet| unmet.setting == setting && unmet.requested == value;

    match negotiate(&config, &capabilities, &Policy::Require) {
        Ok(_) => return Err(Failure::wrong(format!("{setting}={value} is granted all the same"))),
        Err(refused) => {
            ensure!(
                refused.unmet.iter().any(said) && refused.to_string().contains(&why.reason),
                "the refusal does not name {setting}={value} and why: {refused}"
            );
        }
    }
    match negotiate(&config, &capabilities, &Policy::best_effort()) {
        Ok(granted) => ensure!(
            granted.downgrades().iter().any(|step| step.from == feature && step.why == why),
            "best effort gives less than {setting}={value} and does not say so"
        ),
        Err(refused) => ensure!(
            refused.unmet.iter().any(|unmet| !can_step_down(unmet.setting)),
            "best effort refuses what it could step down: {refused}"
        ),
    }
    match world.launch(|launcher| launcher.run(&config)) {
        Err(RunError::Select(SelectError::NoneMeets { .. })) => Ok(Some(why)),
        Err(error) => Err(Failure::wrong(format!("{setting}={value}: not refused, but {error}"))),
        Ok(_) => Err(Failure::wrong(format!("{setting}={value} is refused, but it ran"))),
    }
}

/// One instruction: `BPF_RET | BPF_K`, `SECCOMP_RET_ALLOW`.
fn allow_everything() -> Result<SeccompProgram, ConfigError> {
    SeccompProgram::new(
        [6_u16.to_ne_bytes().as_slice(), &[0, 0], &0x7fff_0000_u32.to_ne_bytes()].concat(),
    )
}

/// One limit.
fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Whether a setting has a value that every backend can give.
fn can_step_down(setting: Setting) -> bool {
    !matches!(
        setting,
        Setting::Root
            | Setting::ExtraMounts
            | Setting::Capabilities
            | Setting::Seccomp
            | Setting::Process
    )
}

/// A configuration that asks for a feature. None for a feature that is not known here.
fn demand(feature: Feature, world: &World<'_>) -> Result<Option<SandboxConfig>, ConfigError> {
    let base = || world.probe("exit 0").env(Environment::exactly([("PATH", "/bin")]));
    let mount = |filesystem| Ok(base().mount(Mount::new("/data", filesystem)?));
    let config: Result<SandboxConfigBuilder, ConfigError> = match feature {
        Feature::RootHost => Ok(World::rootless("exit 0")),
        Feature::RootDirectory
        | Feature::WritableAll
        | Feature::MountsUndefined
        | Feature::NetworkUndefined
        | Feature::ProcessesUndefined
        | Feature::IpcUndefined
        | Feature::HostnameUndefined
        | Feature::UserSame
        | Feature::GroupsDefault
        | Feature::MemoryUnlimited
        | Feature::CpuUnlimited
        | Feature::ProcessesUnlimited
        | Feature::UtsUndefined
        | Feature::CgroupUndefined
        | Feature::UserNamespaceUndefined
        | Feature::CapabilitiesNone
        | Feature::SeccompDefault
        | Feature::ProcessPlain => Ok(base()),
        Feature::UtsIsolated => Ok(base().uts(Isolation::Isolated)),
        Feature::CgroupIsolated => Ok(base().cgroup(Isolation::Isolated)),
        Feature::UserNamespaceOwn => Ok(base().user_namespace(UserNamespace::Own)),
        Feature::UserNamespaceLast => Ok(base().user_namespace(UserNamespace::Last)),
        Feature::CapabilitiesSome => {
            let some = [Capability::named("CAP_KILL")?].into();
            Ok(base().capabilities(KeptCapabilities::Only(some)))
        }
        Feature::CapabilitiesAll => Ok(base().capabilities(KeptCapabilities::All)),
        Feature::SeccompNone => Ok(base().seccomp(Seccomp::None)),
        Feature::SeccompBuild => Ok(base().seccomp(Seccomp::Build)),
        Feature::SeccompPrograms => Ok(base().seccomp_program(allow_everything()?)),
        Feature::ProcessSpecial => {
            let mut process = ProcessSettings::default();
            process.locks = vec![InsidePath::absolute("/etc/marker", "locks")?];
            Ok(base().process(process))
        }
        Feature::MountFiles => mount(Filesystem::Directory { mode: None }),
        Feature::MountDescriptor => {
            mount(Filesystem::BindDescriptor { descriptor: 0, recursion: Recursion::Recursive })
        }
        Feature::RootEmpty => Ok(World::rootless("exit 0").empty_root()),
        Feature::WritableOnly => Ok(base().writable(["/work"])),
        Feature::WritableNothing => Ok(base().read_only()),
        Feature::MountsIsolated => Ok(base().mounts(Isolation::Isolated)),
        Feature::NetworkIsolated => Ok(base().network(Isolation::Isolated)),
        Feature::ProcessesIsolated => Ok(base().processes(Isolation::Isolated)),
        Feature::IpcIsolated => Ok(base().ipc(Isolation::Isolated)),
        Feature::HostnameNamed => Ok(base().hostname("sandbox")),
        Feature::UserRoot => Ok(base().user(User::Root)),
        Feature::UserIds => Ok(base().user(User::Ids { uid: 4321, gid: 4322 })),
        Feature::MemoryLimited => Ok(base().limits(limits(|all| all.memory = Some(1 << 30)))),
        Feature::CpuLimited => Ok(base().limits(limits(|all| all.cpu = Some(1000)))),
        Feature::ProcessesLimited => Ok(base().limits(limits(|all| all.processes = Some(10)))),
        Feature::GroupsGiven => Ok(base().groups([4323])),
        Feature::MountBind => {
            mount(Filesystem::Bind { source: world.shared(), recursion: Recursion::Recursive })
        }
        Feature::MountFlags => {
            Mount::bind(world.shared(), "/data").map(|m| base().mount(m.with(MountFlag::ReadOnly)))
        }
        Feature::MountProc => mount(Filesystem::Proc),
        Feature::MountTmpfs => mount(Filesystem::Tmpfs { size: None, mode: None }),
        Feature::MountDev => mount(Filesystem::Dev),
        Feature::MountSysfs => mount(Filesystem::Sysfs),
        Feature::MountMqueue => mount(Filesystem::Mqueue),
        Feature::MountOverlay => {
            mount(Filesystem::Overlay { lower: vec![world.shared()], upper: None })
        }
        _ => return Ok(None),
    };
    config?.build().map(Some)
}
