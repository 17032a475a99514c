//! The `linux-user-chroot` backend of sandboxlib: Linux namespaces, as any user, with no setuid helper.
//!
//! ```
//! use sandbox_luc::{Isolation, SandboxConfig};
//!
//! let config = SandboxConfig::builder(["/bin/sh", "-c", "echo hello from $(id -u)"])
//!     .network(Isolation::Isolated)
//!     .processes(Isolation::Isolated)
//!     .build()?;
//! let outcome = sandbox_luc::run(&config)?;
//! assert!(outcome.status.success());
//! assert!(outcome.stdout.bytes.starts_with(b"hello from "));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate is pure: it turns what was granted into a plan. What carries the plan out is
//! `sandbox-sys`; both it and `sandbox-core` are re-exported here.

mod backend;
mod capabilities;
mod cover;
mod made;
mod plan;

pub use backend::LinuxUserChroot;
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
    Launcher::new(&[&LinuxUserChroot]).preference(Preference::Any).run(config)
}
