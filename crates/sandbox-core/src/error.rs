//! What can be wrong with a configuration, found before anything is done.

use std::ffi::OsString;
use std::fmt::{self, Write as _};

use crate::{BackendName, Setting, WhyNot};

/// A configuration that no backend could carry out, whatever the host.
///
/// Every variant names the field and the value, and says what would work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that must not be empty is.
    #[error("{field} is empty: {expected}")]
    Empty {
        /// The field of [`SandboxConfig`](crate::SandboxConfig).
        field: Field,
        /// What would work.
        expected: &'static str,
    },
    /// A string holds a NUL byte, which no system call can take.
    #[error("{field} {value:?} contains a NUL byte, which the kernel cannot take")]
    Nul {
        /// The field.
        field: Field,
        /// The value as given.
        value: OsString,
    },
    /// A path must start with `/`.
    #[error("{field} {value:?} is relative: give an absolute path inside the sandbox")]
    Relative {
        /// The field.
        field: Field,
        /// The value as given.
        value: OsString,
    },
    /// Only a tree can be mounted on the root directory; what can be written is the setting `writable`.
    #[error("{field} is `/`: mount on a directory below it, or set `root`")]
    TargetIsRoot {
        /// The field.
        field: Field,
    },
    /// The value is not one of those that exist.
    #[error("{field} {value:?} is not valid: {expected}")]
    Invalid {
        /// The field.
        field: Field,
        /// The value as given.
        value: OsString,
        /// What would work.
        expected: String,
    },
}

/// A field of the configuration, for messages: `extra_mounts[2].target`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field(String);

impl Field {
    /// A field by name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for Field {
    fn from(name: &'static str) -> Self {
        Self(name.to_owned())
    }
}

/// One setting that a backend cannot meet here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unmet {
    /// The setting.
    pub setting: Setting,
    /// The value that was asked for.
    pub requested: String,
    /// The values of this setting that the backend can give here.
    pub supported: Vec<String>,
    /// Why it cannot give the one that was asked for.
    pub why: WhyNot,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.setting, self.requested, self.why)?;
        if !self.supported.is_empty() {
            write!(f, " (supported here: {})", self.supported.join(", "))?;
        }
        Ok(())
    }
}

/// A request that a backend cannot meet on this host: every unmet setting, not just the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {backend} backend cannot meet the request here: {}", list(unmet))]
#[non_exhaustive]
pub struct Unsupported {
    /// The backend that was asked.
    pub backend: BackendName,
    /// What it cannot meet; never empty.
    pub unmet: Vec<Unmet>,
}

/// One clause for each reason: a missing privilege is usually behind several settings.
fn list(unmet: &[Unmet]) -> String {
    let mut clauses: Vec<(Vec<String>, &WhyNot)> = Vec::new();
    for one in unmet {
        let mut name = format!("{} = {}", one.setting, one.requested);
        if !one.supported.is_empty() {
            let _ = write!(name, " (supported here: {})", one.supported.join(", "));
        }
        match clauses.iter_mut().find(|(_, why)| **why == one.why) {
            Some((names, _)) => names.push(name),
            None => clauses.push((vec![name], &one.why)),
        }
    }
    let clauses: Vec<_> =
        clauses.iter().map(|(names, why)| format!("{}: {why}", names.join(", "))).collect();
    clauses.join("; ")
}
