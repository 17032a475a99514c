//! What the command may do beyond a plain process: capabilities it keeps, and filters it is held to.

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

/// A filter of system calls (seccomp(2)): a program in the kernel's classic BPF, as an array of
/// `struct sock_filter` in the machine's byte order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct SeccompProgram(Vec<u8>);

impl SeccompProgram {
    /// The size of `struct sock_filter`, in bytes.
    const INSTRUCTION: usize = 8;
    /// The kernel's limit, `BPF_MAXINSNS`.
    const LONGEST: usize = 4096;

    /// A program of 1 to 4096 instructions. Whether it is sound the kernel says.
    ///
    /// # Errors
    /// Not a whole number of instructions, none, or too many.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let bytes = bytes.into();
        let whole = bytes.len().is_multiple_of(Self::INSTRUCTION);
        if whole && (1..=Self::LONGEST).contains(&(bytes.len() / Self::INSTRUCTION)) {
            return Ok(Self(bytes));
        }
        let expected = "a filter has 1 to 4096 instructions of 8 bytes each".to_owned();
        let value = format!("{} bytes", bytes.len()).into();
        Err(ConfigError::Invalid { field: "seccomp".into(), value, expected })
    }

    /// The instructions.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    pub fn instructions(&self) -> usize {
        self.0.len() / Self::INSTRUCTION
    }
}

impl fmt::Debug for SeccompProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeccompProgram({} instructions)", self.instructions())
    }
}

impl TryFrom<Vec<u8>> for SeccompProgram {
    type Error = ConfigError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ConfigError> {
        Self::new(bytes)
    }
}

impl From<SeccompProgram> for Vec<u8> {
    fn from(program: SeccompProgram) -> Self {
        program.0
    }
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

    #[test]
    fn a_filter_is_a_whole_number_of_instructions() {
        assert_eq!(SeccompProgram::new([0; 16]).unwrap().instructions(), 2);
        for wrong in [0, 7, 9, 8 * 4097] {
            assert!(SeccompProgram::new(vec![0; wrong]).is_err(), "{wrong}");
        }
    }
}
