//! What the command may do beyond a plain process: the capabilities that it keeps.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// The names of capabilities(7), each at its number.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A capability of capabilities(7). Written `CAP_CHOWN`; case does not matter, nor does the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Capability(u8);

impl Capability {
    /// `CAP_SYS_RESOURCE`
    pub const SYS_RESOURCE: Self = Self(24);

    /// A capability by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(name: impl AsRef<OsStr>) -> Result<Self, ConfigError> {
        let name = name.as_ref();
        let upper = name.to_str().map(str::to_ascii_uppercase);
        let short = upper.as_deref().map(|name| name.strip_prefix("CAP_").unwrap_or(name));
        let number = NAMES.iter().position(|known| Some(*known) == short);
        number.and_then(|number| u8::try_from(number).ok()).map(Self).ok_or_else(|| {
            let expected = "give a name of capabilities(7), such as CAP_CHOWN".to_owned();
            ConfigError::Invalid { field: "capabilities".into(), value: name.into(), expected }
        })
    }

    /// All that have a name.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(NAMES.len()).map(Self)
    }

    /// Its number in the kernel's sets.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.get(usize::from(self.0)).copied().unwrap_or_default();
        f.pad(&format!("CAP_{name}"))
    }
}

impl TryFrom<String> for Capability {
    type Error = ConfigError;

    fn try_from(name: String) -> Result<Self, ConfigError> {
        Self::named(name)
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> Self {
        capability.to_string()
    }
}

/// Which of the capabilities that there are the command keeps.
///
/// A caller that is root keeps its own; with a user namespace they are that namespace's, and give
/// no power over the host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeptCapabilities {
    /// None, for good, not even as user 0.
    #[default]
    Nothing,
    /// These, in every set, so that each program of the command's has them.
    Only(BTreeSet<Capability>),
    /// All are left as they are.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_the_kernels_numbers() {
        assert_eq!(Capability::named("CAP_CHOWN").unwrap().number(), 0);
        assert_eq!(Capability::named("cap_sys_admin").unwrap().number(), 21);
        assert_eq!(Capability::named("setfcap").unwrap().number(), 31);
        assert_eq!(Capability::SYS_RESOURCE.to_string(), "CAP_SYS_RESOURCE");
        assert_eq!(Capability::all().last().unwrap().to_string(), "CAP_CHECKPOINT_RESTORE");
        let error = Capability::named("CAP_NONE").unwrap_err().to_string();
        assert!(error.starts_with("capabilities \"CAP_NONE\" is not valid"), "{error}");
    }
}
