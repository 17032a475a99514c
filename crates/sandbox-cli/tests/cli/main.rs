//! `run-sandbox` from outside: every test starts the real command on a real tree, as root (where the
//! tests run as root) and as a plain user.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod bad_input;
mod build;
mod exit_codes;
mod fixture;
mod machine;
mod mounts;
mod original;
mod policy;
mod stopped;
mod streams;
mod terminal;
mod undrained;
