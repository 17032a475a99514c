//! What the fuzz targets call (`fuzz/`); only there with `--cfg fuzzing`.

use std::ffi::OsString;

use sandbox_core::SandboxConfig;

use crate::{bwrap, linux_user_chroot};

/// What `bwrap` makes of its words, where each descriptor that is read holds `data`. Valid as it is, or
/// refused.
pub fn bwrap(words: Vec<OsString>, data: &[u8]) -> Option<SandboxConfig> {
    bwrap::configured(words, data)
}

/// What `linux-user-chroot` makes of its words, the program's name first.
pub fn linux_user_chroot(words: &[OsString]) -> Option<SandboxConfig> {
    linux_user_chroot::configured(words)
}
