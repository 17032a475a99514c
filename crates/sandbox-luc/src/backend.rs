//! The backend: its name, what it can do, and its plans.

use sandbox_core::{Backend, BackendName, Capabilities, Granted, HostFacts, Plan, PlanError};

use crate::{capabilities, plan};

/// Sandboxes made of Linux namespaces.
///
/// A caller with `CAP_SYS_ADMIN` needs nothing else; any other gets its rights from a user namespace
/// (user_namespaces(7)). Linux 5.12 or newer, on x86_64, aarch64 and riscv64.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinuxUserChroot;

const NAME: BackendName = BackendName::new("linux-user-chroot");

impl Backend for LinuxUserChroot {
    fn name(&self) -> BackendName {
        NAME
    }

    fn capabilities(&self, host: &HostFacts) -> Capabilities {
        capabilities::of(NAME, host)
    }

    fn plan(&self, granted: &Granted, host: &HostFacts) -> Result<Plan, PlanError> {
        if granted.backend() != NAME {
            return Err(PlanError::OtherBackend { granted: granted.backend(), asked: NAME });
        }
        Ok(plan::make(granted, host))
    }
}
