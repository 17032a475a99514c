//! The executor for this platform.

use std::env;
use std::ffi::{OsStr, OsString};

use sandbox_core::{
    BACKEND_VARIABLE, CommandLine, HostFacts, Policy, Preference, Root, SandboxConfig, select,
};
use sandbox_sys::probe;

use crate::error::Error;
use crate::executor::{BACKENDS, Executor, get_executor, known_names};

/// The executor that was chosen for this platform, and a warning to show where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlatformExecutor {
    /// The executor.
    pub executor: Executor,
    /// The environment named one that does not exist, and was not followed.
    pub warning: Option<InvalidBackendVariable>,
}

/// `SANDBOXLIB_BACKEND` names no executor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{BACKEND_VARIABLE} environment variable is set to an invalid value {value:?}; there are: {}",
    known_names()
)]
#[non_exhaustive]
pub struct InvalidBackendVariable {
    /// Its value.
    pub value: OsString,
}

/// The executor that `SANDBOXLIB_BACKEND` names; where it is unset, empty or names none, the first of
/// linux-user-chroot and chroot that can run a command in another root here, found by trying it.
///
/// The one that is named is taken whether or not it can do anything here. `bubblewrap` is never taken
/// unless it is named: user 0 inside has to be asked for.
///
/// # Errors
/// None of them can run anything here; the error has the reasons of each.
pub fn executor_for_platform() -> Result<PlatformExecutor, Error> {
    choose(env::var_os(BACKEND_VARIABLE).as_deref(), || Ok(probe()?))
}

fn choose<'a>(
    variable: Option<&OsStr>,
    host: impl FnOnce() -> Result<&'a HostFacts, Error>,
) -> Result<PlatformExecutor, Error> {
    let named = variable.filter(|name| !name.is_empty());
    let executor = named.and_then(OsStr::to_str).and_then(|name| get_executor(name).ok());
    if let Some(executor) = executor {
        return Ok(PlatformExecutor { executor, warning: None });
    }
    let warning = named.map(|value| InvalidBackendVariable { value: value.to_owned() });
    Ok(PlatformExecutor { executor: detect(host()?)?, warning })
}

/// The first backend that can do what sandboxes are for: run a command in another root.
fn detect(host: &HostFacts) -> Result<Executor, Error> {
    let mut least = SandboxConfig::new(CommandLine::new(["true"])?);
    least.root = Root::Directory("/".into());
    let selection = select(&BACKENDS, host, &least, &Policy::Require, &Preference::Any)?;
    let is_chroot = selection.backend.name() == Executor::Chroot.name();
    Ok(if is_chroot { Executor::Chroot } else { Executor::LinuxUserChroot })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{Ability, Platform, Standing, Support};

    fn host(platform: Platform, abilities: &[Ability]) -> HostFacts {
        let host = HostFacts::unknown(platform, 0, 0).standing(Standing::Privileged);
        abilities.iter().fold(host, |host, ability| host.with(*ability, Support::Yes))
    }

    #[test]
    fn the_platform_decides_where_nothing_is_named() {
        for (platform, abilities, executor) in [
            (Platform::Linux, Ability::ALL, Executor::LinuxUserChroot),
            (Platform::Linux, &[Ability::Chroot, Ability::MemfdExec], Executor::Chroot),
            (Platform::MacOs, &[Ability::Chroot], Executor::Chroot),
        ] {
            let host = host(platform, abilities);
            for variable in [None, Some(OsStr::new(""))] {
                let chosen = choose(variable, || Ok(&host)).unwrap();
                assert_eq!(chosen, PlatformExecutor { executor, warning: None });
            }
        }
    }

    #[test]
    fn a_host_that_can_do_nothing_is_an_error_with_each_reason() {
        let host = host(Platform::Linux, &[]);
        let error = choose(None, || Ok(&host)).unwrap_err();
        let backends: Vec<_> = error.unsupported().iter().map(|u| u.backend.as_str()).collect();
        assert_eq!(backends, ["linux-user-chroot", "chroot"]);
    }

    #[test]
    fn what_is_named_is_taken_without_a_look_at_the_host() {
        for (name, executor) in [
            ("linux-user-chroot", Executor::LinuxUserChroot),
            ("linux_user_chroot", Executor::LinuxUserChroot),
            ("bubblewrap", Executor::Bubblewrap),
            ("chroot", Executor::Chroot),
        ] {
            let chosen = choose(Some(name.as_ref()), || unreachable!()).unwrap();
            assert_eq!(chosen, PlatformExecutor { executor, warning: None });
        }
    }

    #[test]
    fn an_unknown_name_is_a_warning() {
        let host = host(Platform::Linux, Ability::ALL);
        let chosen = choose(Some("docker".as_ref()), || Ok(&host)).unwrap();
        assert_eq!(chosen.executor, Executor::LinuxUserChroot);
        assert_eq!(
            chosen.warning.unwrap().to_string(),
            "SANDBOXLIB_BACKEND environment variable is set to an invalid value \"docker\"; \
             there are: linux-user-chroot, bubblewrap, chroot"
        );
    }
}
