//! Negotiation: what was asked for, against what can be given here.

use std::collections::BTreeSet;
use std::fmt;

use crate::capability::{BackendName, Capabilities, Support, WhyNot};
use crate::config::{Isolation, SandboxConfig, User, UserNamespace, Writable};
use crate::error::{Unmet, Unsupported};
use crate::feature::{Feature, Setting};
use crate::seccomp::Seccomp;

/// What to do with a setting that cannot be met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// It is an error.
    #[default]
    Require,
    /// It steps down to the nearest value that can be met, and the step is reported.
    BestEffort {
        /// Settings that are required all the same.
        except: BTreeSet<Setting>,
    },
}

impl Policy {
    /// Best effort for every setting.
    pub fn best_effort() -> Self {
        Self::BestEffort { except: BTreeSet::new() }
    }

    fn may_lower(&self, setting: Setting) -> bool {
        match self {
            Self::Require => false,
            Self::BestEffort { except } => !except.contains(&setting),
        }
    }
}

/// One setting that was stepped down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downgrade {
    /// The setting.
    pub setting: Setting,
    /// The value that was asked for.
    pub from: Feature,
    /// The value that is given instead.
    pub to: Feature,
    /// The backend that could not do better.
    pub backend: BackendName,
    /// Why.
    pub why: WhyNot,
}

impl fmt::Display for Downgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (setting, from, to) = (self.setting, self.from.value(), self.to.value());
        write!(f, "{setting} = {from} is not possible here, using {to}: {}", self.why)
    }
}

/// A configuration that a backend can meet, and how it differs from what was asked for.
///
/// Only [`negotiate`] makes one, so nothing is carried out that was not negotiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    backend: BackendName,
    config: SandboxConfig,
    downgrades: Vec<Downgrade>,
}

impl Granted {
    /// The backend that granted it.
    pub fn backend(&self) -> BackendName {
        self.backend
    }

    /// What will be done.
    pub fn config(&self) -> &SandboxConfig {
        &self.config
    }

    /// Every setting that was stepped down; empty under [`Policy::Require`].
    pub fn downgrades(&self) -> &[Downgrade] {
        &self.downgrades
    }
}

/// Settles what will be done for a configuration on a host with these capabilities.
///
/// # Errors
/// Every setting that cannot be met and may not, or cannot, be stepped down. The root, extra mounts
/// and required settings are never stepped down: without them the command would run somewhere else.
pub fn negotiate(
    config: &SandboxConfig,
    capabilities: &Capabilities,
    policy: &Policy,
) -> Result<Granted, Unsupported> {
    let backend = capabilities.backend();
    let mut granted = Granted { backend, config: config.clone(), downgrades: Vec::new() };
    let mut unmet = Vec::new();
    for from in Feature::needed_by(config) {
        let Support::No(why) = capabilities.support(from) else { continue };
        let setting = from.setting();
        let lower = lower_values(from).iter().copied().find(|to| capabilities.supports(*to));
        match lower {
            Some(to) if policy.may_lower(setting) => {
                lower_setting(&mut granted.config, to);
                granted.downgrades.push(Downgrade { setting, from, to, backend, why });
            }
            _ => {
                let supported = capabilities.values(setting);
                let supported = supported.map(|feature| feature.value().to_owned()).collect();
                let requested = from.value().to_owned();
                unmet.push(Unmet { setting, requested, supported, why });
            }
        }
    }
    if unmet.is_empty() { Ok(granted) } else { Err(Unsupported { backend, unmet }) }
}

/// The values that isolate less than this one, the nearest first.
fn lower_values(feature: Feature) -> &'static [Feature] {
    match feature {
        Feature::WritableNothing | Feature::WritableOnly => &[Feature::WritableAll],
        Feature::MountsIsolated => &[Feature::MountsUndefined],
        Feature::NetworkIsolated => &[Feature::NetworkUndefined],
        Feature::ProcessesIsolated => &[Feature::ProcessesUndefined],
        Feature::IpcIsolated => &[Feature::IpcUndefined],
        Feature::HostnameNamed => &[Feature::HostnameUndefined],
        Feature::UtsIsolated => &[Feature::UtsUndefined],
        Feature::CgroupIsolated => &[Feature::CgroupUndefined],
        Feature::UserNamespaceLast => &[Feature::UserNamespaceOwn, Feature::UserNamespaceUndefined],
        Feature::UserNamespaceOwn => &[Feature::UserNamespaceUndefined],
        Feature::UserRoot | Feature::UserIds => &[Feature::UserSame],
        Feature::GroupsGiven => &[Feature::GroupsDefault],
        Feature::SeccompBuild => &[Feature::SeccompNone],
        Feature::MemoryLimited => &[Feature::MemoryUnlimited],
        Feature::CpuLimited => &[Feature::CpuUnlimited],
        Feature::ProcessesLimited => &[Feature::ProcessesUnlimited],
        _ => &[],
    }
}

fn lower_setting(config: &mut SandboxConfig, to: Feature) {
    match to {
        Feature::WritableAll => config.writable = Writable::All,
        Feature::MountsUndefined => config.mounts = Isolation::Undefined,
        Feature::NetworkUndefined => config.network = Isolation::Undefined,
        Feature::ProcessesUndefined => config.processes = Isolation::Undefined,
        Feature::IpcUndefined => config.ipc = Isolation::Undefined,
        Feature::HostnameUndefined => config.hostname = None,
        Feature::UtsUndefined => config.uts = Isolation::Undefined,
        Feature::CgroupUndefined => config.cgroup = Isolation::Undefined,
        Feature::UserNamespaceOwn => config.user_namespace = UserNamespace::Own,
        Feature::UserNamespaceUndefined => config.user_namespace = UserNamespace::Undefined,
        Feature::UserSame => config.user = User::Same,
        Feature::GroupsDefault => config.groups = Vec::new(),
        Feature::SeccompNone => config.seccomp = Seccomp::None,
        Feature::MemoryUnlimited => config.limits.memory = None,
        Feature::CpuUnlimited => config.limits.cpu = None,
        Feature::ProcessesUnlimited => config.limits.processes = None,
        // No other value stands in `lower_values`.
        _ => {}
    }
}
