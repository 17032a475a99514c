//! `linux-user-chroot` from outside: every test starts the real command on a real tree, as root (where
//! the tests run as root) and as a plain user, who has no set-user-ID bit to help.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod bad_input;
mod ends;
mod escapes;
mod fixture;
mod isolation;
mod messages;
mod mounts;
mod order;
mod privileges;
mod process;
