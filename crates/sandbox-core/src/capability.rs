//! What a backend can give on a host, and why it cannot give the rest.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::{Isolation, SandboxConfig, Writable};
use crate::feature::{Feature, Setting};
use crate::hostname::Hostname;
use crate::seccomp::Seccomp;

/// The name of a backend, as it is written on a command line: `linux-user-chroot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendName(&'static str);

impl BackendName {
    /// A name, with `-` between words.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a name that somebody wrote means this backend; `-` and `_` are the same.
    pub fn matches(self, written: &str) -> bool {
        let plain = |c: char| if c == '_' { '-' } else { c };
        written.chars().map(plain).eq(self.0.chars())
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// Whether something can be done here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Yes,
    /// It cannot, and why.
    No(WhyNot),
}

impl Support {
    /// Whether it can.
    pub fn is_yes(&self) -> bool {
        *self == Self::Yes
    }

    /// This, or where this can be done, the other: both are needed.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if self.is_yes() { other.clone() } else { self.clone() }
    }
}

/// Why something cannot be done, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", hint(remedy.as_ref()))]
#[non_exhaustive]
pub struct WhyNot {
    /// What sort of obstacle it is.
    pub kind: Obstacle,
    /// The cause, in one clause: `user.max_user_namespaces is 0`.
    pub reason: String,
    /// What to change, where something can be.
    pub remedy: Option<String>,
}

fn hint(remedy: Option<&String>) -> String {
    remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default()
}

impl WhyNot {
    /// An obstacle without a remedy.
    pub fn new(kind: Obstacle, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), remedy: None }
    }

    /// The same, with what would help.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The sorts of obstacle; each has another sort of remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// This backend never does it: take another one.
    Backend,
    /// Not on this operating system.
    Platform,
    /// Not in the running kernel: take a newer one, or one built with it.
    Kernel,
    /// Turned off by a setting of the host or of the container around us.
    Disabled,
    /// The caller lacks a privilege.
    Privilege,
}

/// What one backend can give on one host to one caller, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    backend: BackendName,
    support: BTreeMap<Feature, Support>,
}

impl Capabilities {
    /// The capabilities of a backend that has said nothing yet: it can do nothing.
    pub fn none(backend: BackendName) -> Self {
        Self { backend, support: BTreeMap::new() }
    }

    /// Adds what is known of some features.
    #[must_use]
    pub fn with(mut self, features: &[Feature], support: &Support) -> Self {
        self.support.extend(features.iter().map(|feature| (*feature, support.clone())));
        self
    }

    /// The backend.
    pub fn backend(&self) -> BackendName {
        self.backend
    }

    /// Whether the backend can give a feature here.
    pub fn support(&self, feature: Feature) -> Support {
        self.support.get(&feature).cloned().unwrap_or_else(|| {
            let reason = format!("the {} backend does not have it", self.backend);
            Support::No(WhyNot::new(Obstacle::Backend, reason))
        })
    }

    /// Whether the backend can give a feature here.
    pub fn supports(&self, feature: Feature) -> bool {
        self.support(feature).is_yes()
    }

    /// The values of a setting that the backend can give here.
    pub fn values(&self, setting: Setting) -> impl Iterator<Item = Feature> {
        let of_setting = move |feature: &&Feature| feature.setting() == setting;
        Feature::ALL.iter().filter(of_setting).copied().filter(|feature| self.supports(*feature))
    }

    /// The strictest configuration for the same command, root and mounts that the backend can meet
    /// here. What is asked for already is kept; nothing becomes less strict.
    #[must_use]
    pub fn maximum_isolation(&self, config: &SandboxConfig) -> SandboxConfig {
        let mut strict = config.clone();
        for (feature, value) in [
            (Feature::MountsIsolated, &mut strict.mounts),
            (Feature::NetworkIsolated, &mut strict.network),
            (Feature::ProcessesIsolated, &mut strict.processes),
            (Feature::IpcIsolated, &mut strict.ipc),
            (Feature::UtsIsolated, &mut strict.uts),
            (Feature::CgroupIsolated, &mut strict.cgroup),
        ] {
            if self.supports(feature) {
                *value = Isolation::Isolated;
            }
        }
        if strict.hostname.is_none() && self.supports(Feature::HostnameNamed) {
            strict.hostname = Hostname::new("sandbox").ok();
        }
        if strict.writable == Writable::All && self.supports(Feature::WritableNothing) {
            strict.writable = Writable::Nothing;
        }
        if strict.seccomp.programs().is_empty() && self.supports(Feature::SeccompBuild) {
            strict.seccomp = Seccomp::Build;
        }
        strict
    }
}
