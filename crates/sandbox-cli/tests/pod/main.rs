//! `run-sandbox pod`, by the App Container validator and on its own, as root and as a plain user.
#![allow(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

mod apps;
mod bundle;
mod ends;
#[path = "../cli/fixture.rs"]
#[allow(dead_code, reason = "shared with another suite")]
mod fixture;
mod images;
mod refused;
mod safety;
mod sockets;
mod validator;
