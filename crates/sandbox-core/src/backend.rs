//! The backend trait, and the choice of a backend.

use crate::capability::{BackendName, Capabilities};
use crate::config::SandboxConfig;
use crate::error::Unsupported;
use crate::facts::HostFacts;
use crate::negotiate::{Granted, Policy, negotiate};
use crate::plan::Plan;

/// The environment variable that names the backend to use.
pub const BACKEND_VARIABLE: &str = "SANDBOXLIB_BACKEND";

/// A way to make sandboxes. All of it is pure: a backend returns values, and runs nothing.
pub trait Backend: Send + Sync {
    /// Its name.
    fn name(&self) -> BackendName;

    /// What it can isolate on a host.
    fn capabilities(&self, host: &HostFacts) -> Capabilities;

    /// What it will do for a granted configuration.
    ///
    /// # Errors
    /// Settings that are possible one by one and impossible together.
    fn plan(&self, granted: &Granted, host: &HostFacts) -> Result<Plan, PlanError>;
}

/// Why there is no plan for a granted configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The configuration was granted by another backend.
    #[error("granted by the {granted} backend, not by {asked}")]
    OtherBackend {
        /// The backend that granted it.
        granted: BackendName,
        /// The backend that was asked for a plan.
        asked: BackendName,
    },
}

/// Which backends may be taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Preference {
    /// The first in order that meets the request.
    #[default]
    Any,
    /// The one of this name, and no other.
    Named(String),
    /// As [`BACKEND_VARIABLE`] says; an unknown name there is a warning and otherwise ignored.
    Variable(String),
}

/// A backend that was chosen, and why it is not an earlier one.
pub struct Selection<'a> {
    /// The backend.
    pub backend: &'a dyn Backend,
    /// What it granted.
    pub granted: Granted,
    /// The backends before it, each with what it could not meet.
    pub rejected: Vec<Unsupported>,
    /// The value of [`BACKEND_VARIABLE`] that no backend has for a name.
    pub ignored_variable: Option<String>,
}

impl std::fmt::Debug for Selection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selection")
            .field("backend", &self.backend.name())
            .field("granted", &self.granted)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}

/// Why no backend was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// No backend has this name.
    #[error("{name:?} is not a known backend; there are: {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// None of them meets the request.
    #[error("{}", reasons(rejected))]
    NoneMeets {
        /// Each with what it could not meet.
        rejected: Vec<Unsupported>,
    },
}

fn reasons(rejected: &[Unsupported]) -> String {
    let reasons: Vec<_> = rejected.iter().map(ToString::to_string).collect();
    if reasons.is_empty() { "there is no backend".to_owned() } else { reasons.join("\n") }
}

/// Chooses a backend: the first, in the given order, that meets the request whole. Under
/// [`Policy::BestEffort`], where none does, the one with the fewest downgrades.
///
/// # Errors
/// No backend meets the request, or the one that was named does not exist.
pub fn select<'a>(
    backends: &[&'a dyn Backend],
    host: &HostFacts,
    config: &SandboxConfig,
    policy: &Policy,
    preference: &Preference,
) -> Result<Selection<'a>, SelectError> {
    let named = |name: &str| backends.iter().copied().find(|b| b.name().matches(name));
    let mut ignored_variable = None;
    let candidates = match preference {
        Preference::Any => backends.to_vec(),
        Preference::Named(name) => {
            let Some(backend) = named(name) else {
                let known = backends.iter().map(|b| b.name().to_string()).collect();
                return Err(SelectError::Unknown { name: name.clone(), known });
            };
            vec![backend]
        }
        Preference::Variable(name) => named(name).map_or_else(
            || {
                ignored_variable = Some(name.clone());
                backends.to_vec()
            },
            |backend| vec![backend],
        ),
    };
    let mut rejected = Vec::new();
    let mut best: Option<Selection<'a>> = None;
    for backend in candidates {
        let capabilities = backend.capabilities(host);
        match negotiate(config, &capabilities, policy) {
            Ok(granted) => {
                let fewer = best.as_ref().is_none_or(|best| {
                    granted.downgrades().len() < best.granted.downgrades().len()
                });
                if fewer {
                    let rejected = rejected.clone();
                    let ignored_variable = ignored_variable.clone();
                    best = Some(Selection { backend, granted, rejected, ignored_variable });
                }
                // Should a later one do better, this is why.
                rejected.extend(negotiate(config, &capabilities, &Policy::Require).err());
            }
            Err(unsupported) => rejected.push(unsupported),
        }
    }
    best.ok_or(SelectError::NoneMeets { rejected })
}
