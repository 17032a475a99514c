//! What the fuzz targets call (`fuzz/`); only there with `--cfg fuzzing`.

use std::ffi::OsStr;

use sandbox_core::Mount;

use crate::config_file::ConfigFile;
use crate::config_source::Source;
use crate::{mount_flags, quantity};

/// Reads a configuration file; says whether it is one.
pub fn config_file(bytes: &[u8]) -> bool {
    ConfigFile::parse(&Source::Stdin, bytes).is_ok()
}

/// What each option that mounts something makes of a value.
pub fn mount_flags(value: &OsStr) -> Vec<Mount> {
    mount_flags::of_each_form(value)
}

/// An amount of memory, of processor time and of processes; and what is shown of the first.
pub fn quantities(text: &str) -> (Option<u64>, Option<u32>, Option<u32>, String) {
    let bytes = quantity::bytes(text).ok();
    let shown = quantity::shown(bytes.unwrap_or_default());
    (bytes, quantity::thousandths(text).ok(), quantity::count(text).ok(), shown)
}
