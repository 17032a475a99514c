//! OCI images: made by hand and by other tools, and unpacked as these do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod build;
mod hand;
mod saved;
mod tools;
mod tree;
mod wrong;
