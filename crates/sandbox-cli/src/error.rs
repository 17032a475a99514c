//! What can go wrong in the command.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use sandbox_core::{ConfigError, Ending, Status};
use sandbox_image::aci::ManifestError;
use sandbox_image::app::AppError;
use sandbox_image::load::LoadError;
use sandbox_image::place::PlaceError;
use sandbox_image::pod::PodError;
use sandbox_sys::{RunError, WaitError};

use crate::config_source::Source;
use crate::image::SubordinateError;

/// A failure of `run-sandbox` itself. Each names what was given, and says what would work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("--{flag} {value:?}: {problem}")]
    Flag { flag: &'static str, value: OsString, problem: String },
    #[error("{from}: {source}")]
    ReadConfig { from: Source, source: io::Error },
    #[error("{from} holds more than {} MiB", limit >> 20)]
    LargeConfig { from: Source, limit: u64 },
    #[error("{}:{line}: {message}: `{text}`", from.name().display())]
    ParseConfig { from: Source, line: usize, message: String, text: String },
    #[error("{}:{line}:{column}: {}{message}", from.name().display(), prefix(field.as_deref()))]
    ParseJson { from: Source, line: usize, column: usize, field: Option<String>, message: String },
    #[error("--status-fd {number}: {source}")]
    StatusFd { number: i32, source: io::Error },
    #[error("cannot report to --status-fd: {0}")]
    Lifeline(io::Error),
    #[error("{name} = {value} is for programs that use the library: give {instead}")]
    Stream { name: &'static str, value: &'static str, instead: &'static str },
    #[error("{field} is descriptor {number}, which is that of --{flag}: give it another")]
    OwnDescriptor { field: String, number: i32, flag: &'static str },
    #[error("{field} is descriptor {number}: {source}")]
    NoDescriptor { field: String, number: i32, source: io::Error },
    #[error("root is missing: give ROOT (`/` is the host's), or `root` in the --config file")]
    NoRoot,
    #[error("command is missing: give it after ROOT, or as `command` in the --config file")]
    NoCommand,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("cannot find the program of this process: {0}")]
    Myself(io::Error),
    #[error(transparent)]
    Subordinate(#[from] SubordinateError),
    #[error("pod: {0}")]
    Pod(#[from] PodError),
    #[error("pod: {}: {source}", .path.display())]
    PodFile { path: PathBuf, source: io::Error },
    #[error("pod: {}: {source}", .path.display())]
    PodManifest { path: PathBuf, source: ManifestError },
    #[error("pod: {} is no App Container image: a pod has no others", .0.display())]
    PodImage(PathBuf),
    #[error(
        "port {name:?} cannot be bound at {address}: {source}: --port {name}=[ADDR:]PORT chooses another place"
    )]
    Port { name: String, address: SocketAddr, source: io::Error },
    #[error(
        "pod: app {app}: port {name:?} has socketActivated, which is for an image by itself only"
    )]
    PodPort { app: String, name: String },
    #[error("app {name}: {source}")]
    PodApp { name: String, source: Box<CliError> },
    #[error("the metadata service cannot be started: {0}")]
    Metadata(io::Error),
    #[error("the bundle asks for what is not supported: {}: run without --strict", .0.join(", "))]
    Bundle(Vec<String>),
    #[error("the image's pre-start handler ended with {0}: the image's command is not run")]
    PreStart(Status),
    #[error("the image's pre-start handler {0}: the image's command is not run")]
    PreStartStopped(Ending),
    #[error("interrupted by signal {0} before anything was run")]
    Interrupted(i32),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error("cannot hold signals for the command: {0}")]
    Signals(io::Error),
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
}

fn prefix(field: Option<&str>) -> String {
    field.map(|field| format!("{field}: ")).unwrap_or_default()
}
