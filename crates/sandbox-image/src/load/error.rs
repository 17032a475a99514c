//! Why an image cannot be loaded.

use std::io;
use std::path::{Path, PathBuf};

use super::Kind;
use super::input::Stopped;
use crate::aci::ManifestError;
use crate::aci::dependencies::DependencyError;
use crate::aci::layout::LayoutError;
use crate::aci::platform::PlatformError;
use crate::aci::types::ImageId;
use crate::archive::{self, Digest};
use crate::oci::OciError;
use crate::place::PlaceError;
use crate::unpack;

/// Why an image cannot be loaded. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened or read.
    #[error("image {}: {source}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// What comes from a pipe cannot be kept for as long as it is needed.
    #[error("image {}: cannot copy it to the directory for temporary files: {source}", .path.display())]
    Copy {
        /// Where it comes from.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A pipe gives more than is ever unpacked.
    #[error("image {}: it is longer than {limit} bytes: a larger --max-unpacked-size takes more", .path.display())]
    CopyTooLong {
        /// Where it comes from.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// The archive is damaged, or goes beyond a limit.
    #[error("image {}: {source}", .path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<archive::Error>,
    },
    /// An empty file, or an archive of nothing.
    #[error("image {}: it is empty: an archive of a tree or of an image is wanted", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be unpacked.
    #[error("image {}: {source}", .path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or with the place.
        source: Box<unpack::Error>,
    },
    /// It has not the layout of an App Container image.
    #[error("image {}: {source}", .path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<LayoutError>,
    },
    /// Its manifest is not valid.
    #[error("image {}: manifest: {source}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<ManifestError>,
    },
    /// The manifest is longer than any is.
    #[error("image {}: manifest: {size} bytes, where {} are the most", .path.display(), crate::aci::MAX_MANIFEST)]
    ManifestTooLong {
        /// The file.
        path: PathBuf,
        /// Its length, in bytes.
        size: u64,
    },
    /// It is for another platform.
    #[error("image {}: {source}", .path.display())]
    Platform {
        /// The file.
        path: PathBuf,
        /// Which.
        source: Box<PlatformError>,
    },
    /// What it depends on cannot be had.
    #[error(transparent)]
    Dependency(Box<DependencyError>),
    /// No image has the ID that a pod asks for.
    #[error("no image with the ID {id} is in {}: say where with --image-path", listed(places))]
    NoImage {
        /// The ID.
        id: ImageId,
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// It was changed between two readings.
    #[error("image {}: it was changed while it was read: run it again once nobody writes to it", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It is another image than was asked for.
    #[error("image {}: its ID is {found}, not {wanted}: it is another image, or was changed", .path.display())]
    OtherImage {
        /// The file.
        path: PathBuf,
        /// The ID that was asked for.
        wanted: String,
        /// The one that it has.
        found: String,
    },
    /// An ID that images of this kind do not have.
    #[error("image {}: {wanted} cannot be the ID of the {kind}, which has {expected}", .path.display())]
    IdKind {
        /// The file.
        path: PathBuf,
        /// The ID that was asked for.
        wanted: Digest,
        /// What the image is.
        kind: Kind,
        /// What IDs it has.
        expected: &'static str,
    },
    /// A kind that is not taken here.
    #[error("image {}: a {kind} {why}", .path.display())]
    NotTaken {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: Kind,
        /// Why not, and what would work.
        why: &'static str,
    },
    /// It is no OCI image or bundle as it should be.
    #[error("image {}: {source}", .path.display())]
    Oci {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong.
        source: Box<OciError>,
    },
    /// There is no place to unpack it to.
    #[error(transparent)]
    Place(Box<PlaceError>),
    /// It was to stop.
    #[error("interrupted")]
    Interrupted,
}

impl LoadError {
    /// Of an archive's error: what it is about, unless it is that it was to stop.
    pub(crate) fn archive(path: &Path, source: archive::Error) -> Self {
        if stopped(&source) {
            Self::Interrupted
        } else {
            Self::Archive { path: path.to_owned(), source: source.into() }
        }
    }

    /// The same while unpacking.
    pub(crate) fn unpack(path: &Path, source: unpack::Error) -> Self {
        if stopped(&source) {
            Self::Interrupted
        } else {
            Self::Unpack { path: path.to_owned(), source: source.into() }
        }
    }

    /// The same of an OCI image.
    pub(crate) fn oci(path: &Path, source: OciError) -> Self {
        if stopped(&source) {
            Self::Interrupted
        } else {
            Self::Oci { path: path.to_owned(), source: source.into() }
        }
    }

    /// What the kernel said, where it was the kernel.
    pub fn os_error(&self) -> Option<i32> {
        let mut error: &dyn std::error::Error = self;
        loop {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return io.raw_os_error();
            }
            error = error.source()?;
        }
    }
}

impl From<DependencyError> for LoadError {
    fn from(error: DependencyError) -> Self {
        Self::Dependency(error.into())
    }
}

impl From<PlaceError> for LoadError {
    fn from(error: PlaceError) -> Self {
        Self::Place(error.into())
    }
}

/// Whether somebody wanted it.
fn stopped(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Stopped>() {
            return true;
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| stopped(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}

fn listed(places: &[PathBuf]) -> String {
    if places.is_empty() {
        return "any place that was named".to_owned();
    }
    places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
