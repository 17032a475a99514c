//! Why there is no plan of a pod.

use sandbox_core::InsidePath;

use crate::aci::ManifestError;
use crate::aci::types::{AcName, ImageId};

/// Why a pod cannot be as it is asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PodError {
    /// The manifest is not what one has to be.
    #[error("the pod's manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// There is no name for the app of an image.
    #[error(
        "image {image:?}, {id}: its name has no letter or digit for an app's; a pod manifest can name it"
    )]
    AppName {
        /// The name of the image, empty where it has none.
        image: String,
        /// Its ID.
        id: ImageId,
    },
    /// An image is told by a part of its ID.
    #[error("apps: {app}: image: id: {id} is a part of an ID, which is `sha512-` and 128 digits")]
    ImageId {
        /// The app.
        app: AcName,
        /// The ID.
        id: ImageId,
    },
    /// A mount names a volume that the pod hasn't.
    #[error(
        "apps: {app}: mounts: {path}: the pod has no volume `{volume}`; its `volumes` would name it"
    )]
    NoVolume {
        /// The app.
        app: AcName,
        /// The volume.
        volume: AcName,
        /// Where it should go.
        path: InsidePath,
    },
    /// Nothing is given for a mount point.
    #[error(
        "apps: {app}: mountPoints: {mount_point:?}: no volume for {path}; one of this name would be"
    )]
    Unfulfilled {
        /// The app.
        app: AcName,
        /// The mount point's name.
        mount_point: String,
        /// Where it is.
        path: InsidePath,
    },
    /// Of two mounts, one would hide the other or a part of it.
    #[error(
        "apps: {app}: mounts: {inner} is inside {outer}; volumes go to places apart from each other"
    )]
    Overlap {
        /// The app.
        app: AcName,
        /// The path of one.
        outer: InsidePath,
        /// The path of the other, the same or below.
        inner: InsidePath,
    },
    /// The manifest couldn't be written.
    #[error("the pod's manifest: {0}")]
    Json(#[from] serde_json::Error),
}
