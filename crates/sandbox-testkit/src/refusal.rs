//! A backend that cannot do something must say so before anything is done.

use sandbox_core::{
    ConfigError, Environment, Feature, Filesystem, Isolation, Mount, MountFlag, Policy, Recursion,
    SandboxConfig, SandboxConfigBuilder, SelectError, Setting, Support, User, WhyNot, negotiate,
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

/// Whether a setting has a value that every backend can give.
fn can_step_down(setting: Setting) -> bool {
    !matches!(setting, Setting::Root | Setting::ExtraMounts)
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
        | Feature::UserSame => Ok(base()),
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
