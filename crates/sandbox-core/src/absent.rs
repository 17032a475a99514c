//! What it means that something that a mount needs is not there.

use serde::{Deserialize, Serialize};

/// What it means that something does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// An error.
    #[default]
    Fails,
    /// There is nothing to do.
    IsFine,
}

impl Missing {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Fails
    }
}

/// What it means that a mount's target does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountPoint {
    /// It is made, and removed again when the sandbox has ended.
    #[default]
    Made,
    /// An error.
    Required,
}

impl MountPoint {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Made
    }
}
