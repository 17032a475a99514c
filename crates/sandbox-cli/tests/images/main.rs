//! `run-sandbox IMAGE` from outside, as root and as a plain user: images are made, run, and nothing of them
//! is left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values, given as they are")]

#[path = "../cli/fixture.rs"]
#[allow(dead_code, reason = "shared with another suite")]
mod fixture;

mod archive;
mod world;

mod aci;
mod bad_input;
mod cache;
mod files;
mod isolators;
mod oci;
mod progress;
mod signals;
mod trees;
