//! Runs a command partly isolated from the host: every backend of sandboxlib in one crate, behind the
//! API of the Python library that it succeeds.
//!
//! ```
//! use sandboxlib::{Config, Isolation, executor_for_platform};
//!
//! let executor = executor_for_platform()?.executor;
//! let config = Config::new(["sh", "-c", "echo $GREETING; exit 3"])
//!     .env([("GREETING", "hello"), ("PATH", "/bin:/usr/bin")])
//!     .network(Isolation::Isolated);
//! let config = executor.degrade_config_for_capabilities(&config)?.config;
//! let finished = executor.run_sandbox(&config)?;
//! assert_eq!(finished.out.as_deref(), Some(&b"hello\n"[..]));
//! assert_eq!(finished.exit, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | in Python | here |
//! |---|---|
//! | `executor_for_platform()` | [`executor_for_platform`], whose warning is part of what it returns |
//! | `get_executor(name)` | [`get_executor`] |
//! | `executor.run_sandbox(command, ...)` | [`Executor::run_sandbox`] of a [`Config`] |
//! | `executor.run_sandbox_with_redirection(...)` | [`Executor::run_sandbox_with_redirection`] |
//! | `executor.degrade_config_for_capabilities(...)` | [`Executor::degrade_config_for_capabilities`] |
//! | `executor.CAPABILITIES` | [`Executor::capabilities`] |
//! | `validate_extra_mounts(...)` | [`validate_extra_mounts`] |
//! | `CAPTURE`, `STDOUT`, `None`, a file | [`Stream`] |
//!
//! What the original does not have (a process namespace, a host name, standard input, limits of what
//! is captured) is in [`SandboxConfig`]: take one from [`Executor::sandbox_config`], or build one, and
//! start it with [`Executor::launcher`]. `sandbox-core` and `sandbox-sys` are re-exported, so this is
//! the only crate to depend on; a program that wants one backend only depends on `sandbox-luc` or
//! `sandbox-chroot`.
//!
//! It does not warn, log or print, and changes nothing in the calling process.

mod config;
mod error;
mod executor;
mod extra_mounts;
mod finished;
mod platform;
mod stream;
mod words;

pub use config::{Config, WritablePaths};
pub use error::{Error, UnknownExecutor};
pub use executor::{BACKENDS, Degraded, Executor, get_executor};
pub use extra_mounts::{InvalidMountEntry, MountEntry, validate_extra_mounts};
pub use finished::Finished;
pub use platform::{InvalidBackendVariable, PlatformExecutor, executor_for_platform};
pub use sandbox_chroot::Chroot;
pub use sandbox_core::*;
pub use sandbox_luc::LinuxUserChroot;
pub use sandbox_sys::{
    HeldSignals, Launcher, RunError, SandboxChild, SandboxHandle, SpawnError, WaitError, assume,
    probe, spawn,
};
pub use stream::Stream;
pub use words::Words;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
