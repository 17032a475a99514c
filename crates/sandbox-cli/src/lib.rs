//! The command `run-sandbox`: runs a command partly isolated from the host.
//!
//! ```text
//! flags + config file --resolve--> SandboxConfig --Launcher--> exit code
//! ```
//!
//! One way through: [`flags`](command) takes the command line apart and knows no system;
//! `resolve` merges it with the configuration file and the preset into a
//! [`SandboxConfig`](sandbox_core::SandboxConfig); `render` has all the words; `exit` all the exit
//! codes; `report` says which of `render`'s words or `event`'s lines of JSON are told to whom. The
//! backends, and what their names mean, are those of the crate `sandboxlib`.

mod capabilities;
mod config_file;
mod config_source;
mod descriptors;
mod doctor;
mod env_flag;
mod error;
mod event;
mod exit;
mod failure;
#[cfg(test)]
mod fake;
mod flags;
#[cfg(fuzzing)]
pub mod fuzzing;
mod image;
mod misuse;
mod mount_flags;
mod preset;
mod quantity;
mod render;
mod report;
mod resolve;
mod run;
mod seccomp;
mod status;
mod time;

pub use run::run;

/// The command line's grammar and help, for making manual pages and completions from.
pub fn command() -> clap::Command {
    <flags::Flags as clap::CommandFactory>::command()
}

/// The same of `run-sandbox pod`.
pub fn pod_command() -> clap::Command {
    image::pod_command()
}
