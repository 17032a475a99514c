//! What sandbox-core promises whatever it is given: its laws, as properties and by example.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod environment;
mod formats;
mod fstab;
mod mistakes;
mod negotiation;
mod paths;
mod selection;
mod strategies;
