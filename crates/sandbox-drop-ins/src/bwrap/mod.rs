//! `bwrap`: the command line of bubblewrap.
//!
//! ```text
//! words --args--> Request --configure--> SandboxConfig --Launcher--> exit status
//! ```
//!
//! `options` is the one list of options, from which the help is made; `args` takes words apart and
//! opens nothing; `configure` reads what is to be read and makes the configuration; `run` starts it,
//! and tells those who asked about it (`status`).

mod args;
mod capabilities;
mod configure;
mod descriptor;
mod environment;
mod error;
#[cfg(fuzzing)]
mod fuzzing;
mod join;
mod mounts;
mod numbers;
mod options;
mod request;
mod run;
mod status;

#[cfg(fuzzing)]
pub(crate) use fuzzing::configured;
pub use run::run;
