//! The options that are about images.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::quantity;

/// How an image is taken, and what it is given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Images (ROOT is an archive, an OCI layout or a bundle)")]
pub(crate) struct ImageFlags {
    /// COMMAND is arguments to the image's program
    #[arg(long)]
    pub(crate) args: bool,
    /// What fills a mount point; PATH may be `empty`
    #[arg(long, value_name = "NAME=PATH[,ro]")]
    pub(crate) volume: Vec<OsString>,
    /// Volumes may be behind symbolic links
    #[arg(long)]
    pub(crate) volume_symlinks: bool,
    /// Where the host listens for the image's port
    #[arg(long, value_name = "NAME=[ADDR:]PORT")]
    pub(crate) port: Vec<OsString>,
    /// Where its dependencies are (repeatable)
    #[arg(long, value_name = "DIR")]
    pub(crate) image_path: Vec<PathBuf>,
    /// Refuse another: sha512-HEX or sha256:HEX
    #[arg(long, value_name = "ID")]
    pub(crate) image_id: Option<String>,
    /// Keep what is unpacked there, and use it again
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Of files, without privilege [default: mine]
    #[arg(long, value_name = "mine|subordinate", hide_possible_values = true)]
    pub(crate) owners: Option<Owners>,
    /// Refuse to ignore what the image asks for
    #[arg(long)]
    pub(crate) strict: bool,
    /// The most that is unpacked [default: 16Gi]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(crate) max_unpacked_size: Option<u64>,
    /// How far it is: bar, json or none
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(crate) progress: Option<ProgressForm>,
}

/// Whose the files of an image are, for a caller without privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Owners {
    /// All are the caller's.
    Mine,
    /// As in the image, by the caller's subordinate ids (subuid(5)).
    Subordinate,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// A bar on standard error.
    Bar,
    /// Lines of JSON, on standard error or where events go.
    Json,
    /// Not at all.
    None,
}
