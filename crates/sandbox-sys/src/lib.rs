//! The one crate of sandboxlib that acts: it probes the host and carries out plans.
//!
//! [`Launcher`] is the way in for most: it chooses a backend, negotiates, plans and starts.
//! [`probe`] and [`spawn`] are its parts. All `unsafe` code of sandboxlib is here, in few modules,
//! each of which says at its top what it relies on.
//!
//! It does not decide what isolation to give: that is settled, and in the plan, before it starts.
#![deny(unsafe_code)]

mod descriptors;
mod end;
mod error;
mod launcher;
#[cfg(native_engine)]
mod linux;
#[cfg(any(test, not(native_engine)))]
mod posix;
mod sandbox;
mod set_up;
mod signals;
mod stop;
mod streams;
mod words;

use std::sync::OnceLock;

use sandbox_core::HostFacts;

#[cfg(native_engine)]
use linux as engine;
#[cfg(not(native_engine))]
use posix as engine;

/// What the fuzz targets call.
#[cfg(all(fuzzing, native_engine))]
pub mod fuzzing {
    pub use crate::linux::fuzzing::{kernel_tables, protocol};
}

pub use descriptors::{inherited, started_with};
pub use error::{RunError, SpawnError, WaitError};
pub use launcher::Launcher;
pub use sandbox::{SandboxChild, SandboxHandle, spawn, spawn_observed};
pub use set_up::SetUp;
pub use signals::HeldSignals;

/// What this process can do on this host, found by trying it, once.
///
/// On Linux this takes some milliseconds: about fifteen children are created.
///
/// What is found holds for the process: a limit that passes is not noticed. [`Launcher::start`] tries
/// what it was asked for first, whatever was found.
///
/// # Errors
/// File descriptors, processes or memory have run out. That is not kept: the next call tries again.
pub fn probe() -> Result<&'static HostFacts, SpawnError> {
    static FACTS: OnceLock<HostFacts> = OnceLock::new();
    match FACTS.get() {
        Some(facts) => Ok(facts),
        None => engine::probe().map(|facts| FACTS.get_or_init(|| facts)),
    }
}

/// What can be known without trying: what is not known to fail is taken to work.
pub fn assume() -> HostFacts {
    engine::assume()
}

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
