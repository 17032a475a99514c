//! What is fuzzed: a function of any bytes for each target. It panics where something that always has to
//! hold does not; that the bytes are refused is fine.
//!
//! The programs in `fuzz_targets` hand these functions to libFuzzer. The tests of sandbox-image call them
//! with every file of `corpus`.

mod archives;
#[cfg(fuzzing)]
mod configs;
mod fixture;
mod manifests;
mod metadata;
mod model;
mod oci;
mod passwd;
mod whiteouts;

pub use archives::{stream, tar_entries, unpack};
#[cfg(fuzzing)]
pub use configs::{
    bwrap_args, config, kernel_and_init, linux_user_chroot_args, mounts, quantities,
};
pub use manifests::{aci_manifest, pod_manifest};
pub use metadata::metadata_request;
pub use oci::{bundle, oci_json};
pub use passwd::passwd;
pub use whiteouts::whiteouts;

/// A target: its name, which its program and its part of the corpus have as well, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All that are about images; the others reach what is private, by `--cfg fuzzing`, and are no part of the tests
/// of sandbox-image. Each run of one starts with its corpus.
pub const TARGETS: [Target; 10] = [
    ("aci_manifest", aci_manifest),
    ("pod_manifest", pod_manifest),
    ("tar_entries", tar_entries),
    ("stream", stream),
    ("unpack", unpack),
    ("whiteouts", whiteouts),
    ("oci_json", oci_json),
    ("bundle", bundle),
    ("metadata_request", metadata_request),
    ("passwd", passwd),
];

/// The others.
#[cfg(fuzzing)]
pub const OTHERS: [Target; 6] = [
    ("config", config),
    ("mounts", mounts),
    ("quantities", quantities),
    ("bwrap_args", bwrap_args),
    ("linux_user_chroot_args", linux_user_chroot_args),
    ("kernel_and_init", kernel_and_init),
];
