//! From a configuration to a running command: selection, negotiation, plan, spawn.

use sandbox_core::{
    BACKEND_VARIABLE, Backend, HostFacts, Outcome, Plan, Policy, Preference, SandboxConfig,
    Selection, select,
};

use crate::error::{RunError, SpawnError};
use crate::sandbox::{SandboxChild, spawn_observed};
use crate::set_up::SetUp;
use crate::{assume, probe};

/// Runs commands with the first of some backends that meets their configuration.
///
/// The host is probed only where something fails: a plan is first made as if everything worked that
/// is not known to fail, and carried out. If that fails, the host is probed and the request
/// negotiated again with what is known then; so the error names the setting, or best effort steps
/// down. Nothing is weaker for it: each step of a plan either succeeds or is an error.
#[derive(Clone)]
pub struct Launcher<'a> {
    backends: &'a [&'a dyn Backend],
    policy: Policy,
    preference: Preference,
}

impl<'a> Launcher<'a> {
    /// With backends in the order of preference. What [`Policy::Require`] cannot meet is an error, and
    /// `SANDBOXLIB_BACKEND` is obeyed.
    pub fn new(backends: &'a [&'a dyn Backend]) -> Self {
        let variable = std::env::var_os(BACKEND_VARIABLE).filter(|name| !name.is_empty());
        let preference = variable.map_or(Preference::Any, |name| {
            Preference::Variable(
                name.into_string().unwrap_or_else(|name| name.display().to_string()),
            )
        });
        Self { backends, policy: Policy::Require, preference }
    }

    /// What to do with settings that cannot be met.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Which backends may be taken, whatever the environment says.
    #[must_use]
    pub fn preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }

    /// What would be done, on the host as it was probed. Runs nothing.
    pub fn plan(&self, config: &SandboxConfig) -> Result<(Selection<'a>, Plan), RunError> {
        self.plan_on(config, probe()?)
    }

    /// Starts a command.
    pub fn start(&self, config: &SandboxConfig) -> Result<SandboxChild, RunError> {
        self.start_observed(config, &mut SetUp::unwatched(&mut |_| Ok(())))
    }

    /// The same, with what the caller does meanwhile. It is told of another process, where a first attempt
    /// fails and the host is probed.
    pub fn start_observed(
        &self,
        config: &SandboxConfig,
        set_up: &mut SetUp<'_>,
    ) -> Result<SandboxChild, RunError> {
        config.validate()?;
        let optimistic = self.plan_on(config, &assume());
        let failed = match &optimistic {
            Ok((selection, plan)) => match spawn_observed(plan, set_up) {
                Ok(child) => return Ok(named(child, selection)),
                // The sandbox was made: nothing about the host would change that.
                Err(
                    error @ (SpawnError::Exec { .. }
                    | SpawnError::Interrupted { .. }
                    | SpawnError::NotWanted { .. }
                    | SpawnError::NotHere { .. }),
                ) => {
                    return Err(error.into());
                }
                Err(error) => Some(error),
            },
            Err(_) => None,
        };
        let (host, failed) = match (probe(), failed) {
            (Ok(host), failed) => (host, failed),
            // Whatever has run out, the first to meet it says more.
            (Err(_), Some(error)) | (Err(error), None) => return Err(error.into()),
        };
        let (selection, plan) = self.plan_on(config, host)?;
        match (failed, &optimistic) {
            // The host can do all of it, so it is about this request.
            (Some(error), Ok((_, tried))) if *tried == plan => Err(error.into()),
            _ => Ok(named(spawn_observed(&plan, set_up)?, &selection)),
        }
    }

    /// Runs a command to its end.
    pub fn run(&self, config: &SandboxConfig) -> Result<Outcome, RunError> {
        Ok(self.start(config)?.wait()?)
    }

    fn plan_on(
        &self,
        config: &SandboxConfig,
        host: &HostFacts,
    ) -> Result<(Selection<'a>, Plan), RunError> {
        config.validate()?;
        let selection = select(self.backends, host, config, &self.policy, &self.preference)?;
        let plan = selection.backend.plan(&selection.granted, host)?;
        Ok((selection, plan))
    }
}

fn named(mut child: SandboxChild, selection: &Selection<'_>) -> SandboxChild {
    child.ignored_variable.clone_from(&selection.ignored_variable);
    child
}
