//! The engine for POSIX systems without an engine of their own: fork(2), chroot(2), exec.
//!
//! ```text
//! caller: mount(8), one by one --fork--> child: chroot, ids, streams --exec--> command
//!    ^                                      |                                     |
//!    '--- pipe: (step, errno) --------------'       a thread: waitid(2) ----------'
//! ```
//!
//! It knows the steps that the chroot backend plans where there are no namespaces. Mounts are made in
//! the host's mount table, before the child exists, and undone in reverse order. What it cannot give,
//! other than the Linux engine: a command outlives a caller that is killed, and descendants that leave
//! the command's session outlive the command.
//!
//! On Linux it is compiled for its own tests, which need no foreign machine.
#![cfg_attr(native_engine, allow(dead_code, unused_imports, reason = "tests alone use it here"))]

mod child;
mod mounts;
mod probe;
mod process;
mod program;
mod spawn;

#[cfg(test)]
mod tests;

pub(crate) use probe::{assume, probe};
pub(crate) use process::{Control, Process};
pub(crate) use spawn::spawn;
