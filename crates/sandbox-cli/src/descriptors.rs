//! The descriptors that a configuration names: those of `run-sandbox` itself are not for the command.

use sandbox_core::{Filesystem, Input, Output, SandboxConfig};
use sandbox_sys::started_with;

use crate::error::CliError;
use crate::flags::Flags;

/// What `run-sandbox` reads its configuration from and reports to, by the flags' names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    status_fd: Option<i32>,
    config_fd: Option<i32>,
}

impl Own {
    pub(crate) fn of(flags: &Flags) -> Self {
        Self { status_fd: flags.report.machine.status_fd, config_fd: flags.choice.config_fd }
    }

    /// Checks that the configuration gives neither to the command, which could say then how it went.
    pub(crate) fn check(self, config: &SandboxConfig) -> Result<(), CliError> {
        for (field, number) in named(config) {
            for (flag, own) in [("status-fd", self.status_fd), ("config-fd", self.config_fd)] {
                if own == Some(number) {
                    return Err(CliError::OwnDescriptor { field, number, flag });
                }
            }
        }
        Ok(())
    }
}

/// Checks that all of them are there: that they are the caller's, not something opened here since.
pub(crate) fn check_open(config: &SandboxConfig) -> Result<(), CliError> {
    named(config).into_iter().try_for_each(|(field, number)| {
        started_with(number).map_err(|source| CliError::NoDescriptor { field, number, source })
    })
}

/// Each with its field, as the file has it.
fn named(config: &SandboxConfig) -> Vec<(String, i32)> {
    let mut named = Vec::new();
    let mut add = |field: &str, number| named.push((field.to_owned(), number));
    if let Input::Descriptor(number) = config.stdin {
        add("stdin", number);
    }
    for (field, output) in [("stdout", &config.stdout), ("stderr", &config.stderr)] {
        if let Output::Descriptor(number) = output {
            add(field, *number);
        }
    }
    for number in &config.process.descriptors {
        add("process.descriptors", *number);
    }
    for number in &config.process.listen_fds {
        add("process.listen-fds", *number);
    }
    let gates = config.process.gates;
    for (field, gate) in [("ids-mapped", gates.ids_mapped), ("start", gates.start)] {
        if let Some(number) = gate {
            add(&format!("process.gates.{field}"), number);
        }
    }
    for (index, mount) in config.extra_mounts.iter().enumerate() {
        if let Filesystem::BindDescriptor { descriptor, .. } = mount.filesystem {
            add(&format!("extra-mounts[{index}]"), descriptor);
        }
    }
    named
}
