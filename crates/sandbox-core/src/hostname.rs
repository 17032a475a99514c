//! Host names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// A host name: 1 to 64 bytes (`__NEW_UTS_LEN`, uname(2)) of letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(String);

impl Hostname {
    /// A host name.
    pub fn new(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if (1..=64).contains(&name.len()) && name.chars().all(plain) {
            return Ok(Self(name));
        }
        let expected = "give 1 to 64 letters, digits, `-`, `_` or `.`".to_owned();
        Err(ConfigError::Invalid { field: "hostname".into(), value: name.into(), expected })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Hostname {
    type Error = ConfigError;

    fn try_from(name: String) -> Result<Self, ConfigError> {
        Self::new(name)
    }
}

impl From<Hostname> for String {
    fn from(name: Hostname) -> Self {
        name.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
