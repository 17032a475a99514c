//! The ways to run a sandbox, by the names that the original has for them.

use sandbox_chroot::Chroot;
use sandbox_core::{
    Backend, BackendName, Capabilities, CommandLine, Downgrade, Isolation, Policy, Preference,
    SandboxConfig, Setting, User, negotiate,
};
use sandbox_luc::LinuxUserChroot;
use sandbox_sys::{Launcher, SandboxChild, probe};

use crate::config::{Config, WritablePaths};
use crate::error::{Error, UnknownExecutor};
use crate::finished::Finished;
use crate::stream::Stream;

/// Every backend, the preferred first: what isolates everything and needs no privilege, and what is
/// left where that cannot be had.
pub static BACKENDS: [&dyn Backend; 2] = [&LinuxUserChroot, &Chroot];

static ONLY_LINUX_USER_CHROOT: [&dyn Backend; 1] = [&LinuxUserChroot];
static ONLY_CHROOT: [&dyn Backend; 1] = [&Chroot];

/// A way to run commands in sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Executor {
    /// Linux namespaces, as the caller: no helper program is looked for, and none is needed.
    LinuxUserChroot,
    /// The same backend, as user and group 0 inside, which is how the original runs `bwrap`. Without
    /// privilege these are names for the caller's own ids (user_namespaces(7)).
    Bubblewrap,
    /// chroot(2), as the caller, who must be root.
    Chroot,
}

/// A configuration that an executor can meet, and what it lost on the way.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Degraded {
    /// A copy of what was asked for, with what cannot be met here lowered.
    pub config: Config,
    /// Every setting that was lowered, from what to what and why; each is a warning to show.
    pub downgrades: Vec<Downgrade>,
}

/// The executor of a name: `linux-user-chroot`, `bubblewrap` or `chroot`; `-` and `_` are the same.
///
/// # Errors
/// No executor has this name.
pub fn get_executor(name: &str) -> Result<Executor, UnknownExecutor> {
    let found = Executor::ALL.into_iter().find(|executor| executor.name().matches(name));
    found.ok_or_else(|| UnknownExecutor { name: name.to_owned() })
}

impl Executor {
    /// Every executor.
    pub const ALL: [Self; 3] = [Self::LinuxUserChroot, Self::Bubblewrap, Self::Chroot];

    /// Its name.
    pub const fn name(self) -> BackendName {
        BackendName::new(match self {
            Self::LinuxUserChroot => "linux-user-chroot",
            Self::Bubblewrap => "bubblewrap",
            Self::Chroot => "chroot",
        })
    }

    /// The backend that does the work.
    pub fn backend(self) -> &'static dyn Backend {
        self.backends()[0]
    }

    fn backends(self) -> &'static [&'static dyn Backend] {
        match self {
            Self::LinuxUserChroot | Self::Bubblewrap => &ONLY_LINUX_USER_CHROOT,
            Self::Chroot => &ONLY_CHROOT,
        }
    }

    /// What it can give on this host to this caller, found by trying it once for each process; and why
    /// it cannot give the rest.
    ///
    /// # Errors
    /// File descriptors, processes or memory have run out.
    pub fn capabilities(self) -> Result<Capabilities, Error> {
        Ok(self.backend().capabilities(probe()?))
    }

    /// Lowers `network`, `mounts` and `filesystem_writable_paths` to what this executor can give here.
    /// The rest is not looked at.
    ///
    /// # Errors
    /// One of the three is not valid, or the executor can do nothing here at all.
    pub fn degrade_config_for_capabilities(self, config: &Config) -> Result<Degraded, Error> {
        degrade(config, &self.capabilities()?)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// A setting is not valid or cannot be met here ([`degrade_config_for_capabilities`] lowers it
    /// first), a step of the set-up failed, or the command cannot be executed. How the command itself
    /// ends is in what is returned.
    ///
    /// [`degrade_config_for_capabilities`]: Self::degrade_config_for_capabilities
    pub fn run_sandbox(self, config: &Config) -> Result<Finished, Error> {
        Ok(Finished::of(self.start(config)?.wait()?, config))
    }

    /// The same where output goes somewhere else: what would be captured is discarded.
    ///
    /// # Errors
    /// Those of [`run_sandbox`](Self::run_sandbox).
    pub fn run_sandbox_with_redirection(self, config: &Config) -> Result<Finished, Error> {
        let mut config = config.clone();
        for stream in [&mut config.stdout, &mut config.stderr] {
            if stream.is_captured() {
                *stream = Stream::Discard;
            }
        }
        self.run_sandbox(&config)
    }

    /// Starts a command. What is returned kills everything in the sandbox when it is dropped, or when
    /// [`SandboxChild::handle`] says so from another thread.
    ///
    /// # Errors
    /// Those of [`run_sandbox`](Self::run_sandbox).
    pub fn start(self, config: &Config) -> Result<SandboxChild, Error> {
        Ok(self.launcher().start(&self.sandbox_config(config)?)?)
    }

    /// The request as `sandbox-core` has it, with the ids that this executor gives.
    ///
    /// # Errors
    /// Those of [`Config::sandbox_config`].
    pub fn sandbox_config(self, config: &Config) -> Result<SandboxConfig, Error> {
        let mut config = config.sandbox_config()?;
        if self == Self::Bubblewrap {
            config.user = User::Root;
        }
        Ok(config)
    }

    /// What starts a [`SandboxConfig`] with this executor's backend, whatever the environment prefers.
    pub fn launcher(self) -> Launcher<'static> {
        Launcher::new(self.backends()).preference(Preference::Any)
    }
}

/// For messages.
pub(crate) fn known_names() -> String {
    Executor::ALL.map(|executor| executor.name().as_str()).join(", ")
}

pub(crate) fn degrade(config: &Config, capabilities: &Capabilities) -> Result<Degraded, Error> {
    // Any command: only the settings that are looked at are negotiated.
    let mut asked = SandboxConfig::new(CommandLine::new(["true"])?);
    config.isolation_of(&mut asked)?;
    let granted = negotiate(&asked, capabilities, &Policy::best_effort())?;
    let mut config = config.clone();
    for downgrade in granted.downgrades() {
        match downgrade.setting {
            Setting::Network => config.network = Isolation::Undefined,
            Setting::Mounts => config.mounts = Isolation::Undefined,
            Setting::Writable => config.filesystem_writable_paths = WritablePaths::All,
            _ => {}
        }
    }
    Ok(Degraded { config, downgrades: granted.downgrades().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{Ability, Feature, HostFacts, Platform, Standing, Support};

    fn host(abilities: &[Ability]) -> HostFacts {
        let host = HostFacts::unknown(Platform::Linux, 0, 0).standing(Standing::Privileged);
        abilities.iter().fold(host, |host, ability| host.with(*ability, Support::Yes))
    }

    fn strict() -> Config {
        Config::new("true")
            .network(Isolation::Isolated)
            .mounts(Isolation::Isolated)
            .filesystem_writable_paths(["/tmp"])
    }

    #[test]
    fn what_a_chroot_lacks_is_lowered_and_named() {
        let chroot = Chroot.capabilities(&host(&[Ability::Chroot, Ability::MemfdExec]));
        let asked = strict();
        let degraded = degrade(&asked, &chroot).unwrap();
        assert_eq!(degraded.config.network, Isolation::Undefined);
        assert_eq!(degraded.config.mounts, Isolation::Undefined);
        assert_eq!(degraded.config.filesystem_writable_paths, WritablePaths::All);
        let steps: Vec<_> = degraded.downgrades.iter().map(|d| (d.setting, d.from, d.to)).collect();
        assert_eq!(
            steps,
            [
                (Setting::Writable, Feature::WritableOnly, Feature::WritableAll),
                (Setting::Mounts, Feature::MountsIsolated, Feature::MountsUndefined),
                (Setting::Network, Feature::NetworkIsolated, Feature::NetworkUndefined),
            ]
        );
        assert_eq!(asked.network, Isolation::Isolated);
    }

    #[test]
    fn what_can_be_met_stays() {
        let luc = LinuxUserChroot.capabilities(&host(Ability::ALL));
        let degraded = degrade(&strict(), &luc).unwrap();
        assert!(degraded.downgrades.is_empty());
        assert_eq!(format!("{:?}", degraded.config), format!("{:?}", strict()));
    }

    #[test]
    fn an_executor_that_can_do_nothing_says_so() {
        let error = degrade(&strict(), &Chroot.capabilities(&host(&[]))).unwrap_err();
        assert_eq!(error.unsupported().len(), 1, "{error}");
    }
}
