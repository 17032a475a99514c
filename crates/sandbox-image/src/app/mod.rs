//! What an image runs, whatever its format, and the sandboxes that this means.
//!
//! [`prepare`] makes them from an [`App`] and the [`RootDirectory`] that its image was unpacked to. It
//! decides nothing about the host: a backend carries them out, or says why it cannot.

pub mod accounts;
mod environment;
mod error;
mod inside;
mod isolators;
mod lifecycle;
mod model;
mod options;
mod report;
mod seccomp;
pub mod sockets;
mod volumes;

pub use error::AppError;
pub use inside::{RootDirectory, RootSource};
pub use isolators::{Strictness, default_capabilities, refuse_ignored};
pub use lifecycle::{Lifecycle, prepare, root_of};
pub use model::{App, Isolator, MountPoint, Port, SeccompSet};
pub use options::{
    EmptyVolumes, MissingDirectory, MissingVolumes, Options, RequiredVariables, RootAccess, Rules,
};
pub use report::{Disposition, IsolatorReport, Warning};
pub use volumes::{SourceLinks, Volume, VolumeSource};
