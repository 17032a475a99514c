//! The backend: its name, what it can do, and its plans.

use sandbox_core::{Backend, BackendName, Capabilities, Granted, HostFacts, Plan, PlanError};

use crate::{capabilities, plan};

/// Sandboxes made by chroot(2), which needs root.
///
/// On Linux, what is mounted for a sandbox is mounted in a mount namespace of its own; elsewhere in
/// the host's mount table, by the host's mount program, and taken away again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chroot;

const NAME: BackendName = BackendName::new("chroot");

impl Backend for Chroot {
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
