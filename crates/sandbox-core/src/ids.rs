//! Who a command becomes where the caller may become anybody.

use crate::config::{SandboxConfig, User};
use crate::facts::HostFacts;
use crate::plan::Step;

/// The step that makes the command another user, or gives it other groups, by the caller's own
/// privileges; none where it stays what the caller is.
pub fn set_ids(config: &SandboxConfig, host: &HostFacts) -> Option<Step> {
    let (uid, gid) = match config.user {
        User::Root => (0, 0),
        User::Ids { uid, gid } => (uid, gid),
        User::Same => (host.uid, host.gid),
    };
    let stays = match config.user {
        User::Ids { .. } => false,
        _ => uid == host.uid && config.groups.is_empty(),
    };
    (!stays).then(|| Step::SetIds { uid, gid, groups: config.groups.clone() })
}
