//! The pure part of sandboxlib: what is asked for, what can be given, and what will be done.
//!
//! ```text
//! SandboxConfig --negotiate--> Granted --Backend::plan--> Plan --sandbox_sys::spawn--> Outcome
//! ```
//!
//! Everything here is a value. This crate does not read files, start processes or call the kernel:
//! `sandbox-sys` probes the host into a [`HostFacts`] and carries out a [`Plan`], and a backend crate
//! (`sandbox-luc`, `sandbox-chroot`) turns what was granted into that plan.
//!
//! It does not: know any backend, decide silently (every [`Downgrade`] is reported), or accept a
//! configuration that was not negotiated ([`Granted`] has no other constructor).
#![forbid(unsafe_code)]

mod absent;
mod backend;
mod builder;
mod capability;
mod command;
mod config;
mod device;
mod error;
mod explain;
mod facts;
mod feature;
mod fstab;
mod hostname;
mod ids;
mod limits;
mod mount;
mod negotiate;
mod os_text;
mod outcome;
mod path;
mod plan;
mod privileges;
mod process;
mod protect;
mod seccomp;
mod time_out;

pub use absent::{Missing, MountPoint};
pub use backend::{
    BACKEND_VARIABLE, Backend, PlanError, Preference, SelectError, Selection, select,
};
pub use builder::SandboxConfigBuilder;
pub use capability::{BackendName, Capabilities, Obstacle, Support, WhyNot};
pub use command::{CaptureLimit, CommandLine, Environment, Inherit, Input, Output};
pub use config::{Isolation, Loopback, Root, SandboxConfig, User, UserNamespace, Writable};
pub use device::{Console, minimal_dev};
pub use error::{ConfigError, Field, Unmet, Unsupported};
pub use facts::{Ability, HostFacts, Platform, Standing};
pub use feature::{Feature, Setting};
pub use hostname::Hostname;
pub use ids::set_ids;
pub use limits::Limits;
pub use mount::{Filesystem, Mount, MountFlag, OverlayUpper, Recursion};
pub use negotiate::{Downgrade, Granted, Policy, negotiate};
pub use outcome::{Captured, Ending, Outcome, Status, Usage};
pub use path::InsidePath;
pub use plan::{Exec, IdMap, Namespace, NewFilesystem, Note, OverlayMarks, Plan, Step};
pub use privileges::{Capability, KeptCapabilities};
pub use process::{CgroupView, FIRST_LISTEN_FD, First, Gates, ListenPid, ProcessSettings, Session};
pub use protect::protect_host;
pub use seccomp::{Seccomp, SeccompProgram, build_profile};
pub use time_out::TimeOut;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
