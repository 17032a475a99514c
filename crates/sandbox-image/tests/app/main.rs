//! Apps in real sandboxes, of a busybox tree, as whoever runs the tests.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod run;

mod files;
mod isolators;
mod users;
