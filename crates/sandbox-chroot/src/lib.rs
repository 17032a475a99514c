//! The `chroot` backend of sandboxlib: another root directory, on any POSIX system, for root.
//!
//! ```no_run
//! use sandbox_chroot::SandboxConfig;
//!
//! let config = SandboxConfig::builder(["make", "check"]).root("/srv/tree").cwd("/build").build()?;
//! let outcome = sandbox_chroot::run(&config)?;
//! assert!(outcome.status.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate is pure: it turns what was granted into a plan. What carries the plan out is
//! `sandbox-sys`; both it and `sandbox-core` are re-exported here.
//!
//! It does not isolate the network, processes, IPC or the host name: a configuration that requires
//! that is refused, or stepped down where the caller allows it.

mod backend;
mod capabilities;
mod plan;

pub use backend::Chroot;
pub use sandbox_core::*;
pub use sandbox_sys::{
    HeldSignals, Launcher, RunError, SandboxChild, SandboxHandle, SpawnError, WaitError, assume,
    probe, spawn,
};

/// Runs a command to its end with this backend, under [`Policy::Require`].
///
/// # Errors
/// The configuration cannot be met here, a step of the set-up failed, or the command cannot be
/// executed. How the command itself ends is in the outcome.
pub fn run(config: &SandboxConfig) -> Result<Outcome, RunError> {
    Launcher::new(&[&Chroot]).preference(Preference::Any).run(config)
}

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
