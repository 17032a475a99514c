//! Places for images: what is removed and what is left, by whom, and after a process was killed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of it is tests")]

mod cache;
mod child;
mod crash;
mod remove;
mod run;
