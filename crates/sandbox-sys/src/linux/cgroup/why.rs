//! Why there can be no cgroup, and what helps.

use sandbox_core::{Obstacle, WhyNot};

use super::Refused;

const RUN_DELEGATED: &str =
    "run as root; or, where systemd manages the user's cgroups, by `systemd-run --user --scope`";

/// What a refusal says of the host.
pub(in crate::linux) fn why_not(refused: &Refused) -> WhyNot {
    match refused {
        Refused::Unknown(error) => {
            let reason = format!("this process's cgroup is not found ({error})");
            WhyNot::new(Obstacle::Disabled, reason).remedy("mount cgroups on /sys/fs/cgroup")
        }
        Refused::NoController(controller) => {
            let name = controller.name();
            let reason = format!("there is no `{name}` controller of cgroups here");
            let remedy = "mount cgroups on /sys/fs/cgroup, of a kernel that is built with it";
            WhyNot::new(Obstacle::Disabled, reason).remedy(remedy)
        }
        Refused::NotEnabled(controller, parent) => {
            let (name, parent) = (controller.name(), parent.display());
            let reason = format!("the `{name}` controller is not enabled for cgroups in {parent}");
            WhyNot::new(Obstacle::Disabled, reason).remedy(RUN_DELEGATED)
        }
        Refused::SwapNotCounted => {
            WhyNot::new(Obstacle::Disabled, "the kernel does not count what is swapped out")
                .remedy("boot with swapaccount=1, or without swap")
        }
        Refused::Kernel { action, path, source } => {
            let reason = format!("the caller cannot {action} {}: {source}", path.display());
            match source.raw_os_error() {
                Some(libc::EACCES | libc::EPERM) => {
                    WhyNot::new(Obstacle::Privilege, reason).remedy(RUN_DELEGATED)
                }
                Some(libc::EROFS) => WhyNot::new(Obstacle::Disabled, reason)
                    .remedy("run outside of the container, or mount its cgroups writable"),
                Some(libc::EINVAL) => WhyNot::new(Obstacle::Disabled, reason)
                    .remedy("give no more than the cgroup around this process has"),
                _ => WhyNot::new(Obstacle::Disabled, reason),
            }
        }
    }
}
