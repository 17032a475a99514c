//! What differs where an app is one of a pod.

use sandbox_core::{Capability, Isolation, KeptCapabilities, SandboxConfig, User, UserNamespace};
use sandbox_image::app::{Disposition, Lifecycle};

use super::nest::Ids;

/// With it, an app has all that the pod's first command has: its memory, and the host's files.
const TRACING: &str = "CAP_SYS_PTRACE";
/// The isolator by which an image asks for capabilities.
const RETAIN: &str = "os/linux/capabilities-retain-set";

/// Makes an app one of a pod, whose ids are these.
pub(super) fn make(life: &mut Lifecycle, ids: Ids) {
    let handlers = [&mut life.pre_start, &mut life.post_stop].into_iter().flatten();
    let mut loses = false;
    for config in handlers.chain([&mut life.main]) {
        share(config);
        loses |= without_tracing(&mut config.capabilities);
        // There are no other users in the pod's namespace: as without a pod, this is a name for the caller.
        if ids == Ids::Own && matches!(config.user, User::Ids { .. }) {
            config.user_namespace = UserNamespace::Own;
        }
    }
    for report in life.reports.iter_mut().filter(|report| loses && report.name == RETAIN) {
        report.disposition = Disposition::Adjusted;
        report.detail +=
            "; not with CAP_SYS_PTRACE, as in a pod that is power over what is outside";
    }
}

/// What is the pod's is shared by its apps.
fn share(config: &mut SandboxConfig) {
    for shared in [&mut config.network, &mut config.processes, &mut config.ipc, &mut config.uts] {
        *shared = Isolation::Undefined;
    }
    config.hostname = None;
}

/// Whether there was something to take.
fn without_tracing(capabilities: &mut KeptCapabilities) -> bool {
    let Ok(tracing) = Capability::named(TRACING) else { return false };
    let KeptCapabilities::Only(kept) = capabilities else { return false };
    let had_it = kept.remove(&tracing);
    if kept.is_empty() {
        *capabilities = KeptCapabilities::Nothing;
    }
    had_it
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_traces_the_first_command() {
        let named = |name| Capability::named(name).unwrap();
        let mut both =
            KeptCapabilities::Only([named(TRACING), named("CAP_CHOWN")].into_iter().collect());
        assert!(without_tracing(&mut both));
        assert_eq!(both, KeptCapabilities::Only([named("CAP_CHOWN")].into_iter().collect()));
        assert!(!without_tracing(&mut both));
        let mut one = KeptCapabilities::Only([named(TRACING)].into_iter().collect());
        assert!(without_tracing(&mut one));
        assert_eq!(one, KeptCapabilities::Nothing);
    }
}
