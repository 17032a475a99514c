//! `bwrap`, run as build tools run it: as root and as a plain user, on a tree with a static busybox.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod against_debian;
mod bad_input;
mod ends;
mod fixture;
mod options;
mod order;
mod privileges;
