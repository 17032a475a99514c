//! How much of the host's resources a sandbox may use.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// What all of a sandbox may use together (cgroups(7)). Default: as much as the caller.
///
/// In a file, `limits = { memory = 268435456, cpu = 500, processes = 64 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Memory in bytes, of which none may be swapped out. What would take more is killed
    /// ([`Outcome::out_of_memory`](crate::Outcome::out_of_memory)). The sandbox's init needs some too, so
    /// that less than a MiB is not enough for any command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processor time, in thousandths of one processor: 500 is half of one, 2000 is two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Processes and threads at the same time, the command itself among them; another one is refused
    /// (EAGAIN).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let numbers = [
            ("limits.memory", self.memory),
            ("limits.cpu", self.cpu.map(u64::from)),
            ("limits.processes", self.processes.map(u64::from)),
        ];
        match numbers.into_iter().find(|(_, number)| *number == Some(0)) {
            None => Ok(()),
            Some((field, _)) => {
                let expected = "nothing runs with none of it: give 1 or more".to_owned();
                Err(ConfigError::Invalid { field: field.into(), value: "0".into(), expected })
            }
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory.map(|bytes| format!("{bytes} bytes of memory"));
        let cpu = self.cpu.map(|cpu| format!("{}.{:03} processors", cpu / 1000, cpu % 1000));
        let processes = self.processes.map(|count| format!("{count} processes"));
        let all: Vec<_> = [memory, cpu, processes].into_iter().flatten().collect();
        f.write_str(&all.join(", "))
    }
}
