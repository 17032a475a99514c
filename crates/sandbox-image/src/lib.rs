//! Images: App Container images, OCI images and bundles, tar archives and directory trees.
//!
//! ```text
//! file --archive--> entries --unpack--> a tree in a private directory (place)
//!   |                                                   |
//!   '--aci, oci: manifests--> App --app--> SandboxConfig for each of its processes
//! ```
//!
//! Bytes of an image are never trusted: what is read is bounded, and what is written stays below the
//! directory that it is for, by descriptors and openat2(2).

pub mod aci;
pub mod app;
pub mod archive;
pub mod load;
pub mod oci;
pub mod place;
pub mod pod;
mod seccomp;
pub mod unpack;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
