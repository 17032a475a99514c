//! Why there is no plan of a pod.

use std::path::PathBuf;

use sandbox_core::InsidePath;

/// Why a pod cannot be as it is asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PodError {
    /// There is nothing to run.
    #[error("apps: a pod has at least one app")]
    NoApps,
    /// What should name an app is no AC Name.
    #[error(
        "apps: `{name}`, of image {image:?}, is no name for an app: it has to be lower-case letters and \
         digits, with single `-` between them"
    )]
    AppName {
        /// The name.
        name: String,
        /// The name of the app's image.
        image: String,
    },
    /// Two apps have one name.
    #[error("apps: two are called {name:?}; a pod manifest can name them differently")]
    SameApp {
        /// The name.
        name: String,
    },
    /// What should be the ID of an image is none.
    #[error("apps: {app}: image: {id:?} is no image ID, which is `sha512-` and 128 digits 0-9a-f")]
    ImageId {
        /// The app.
        app: String,
        /// The ID.
        id: String,
    },
    /// What should name a volume is no AC Name.
    #[error(
        "volumes: {name:?} is no name for a volume: it has to be lower-case letters and digits, with \
         single `-` between them"
    )]
    VolumeName {
        /// The name.
        name: String,
    },
    /// Two volumes have one name.
    #[error("volumes: two are called {name:?}; each name is given once")]
    SameVolume {
        /// The name.
        name: String,
    },
    /// A directory of the host has no absolute path, or one that JSON has no form for.
    #[error("volumes: {volume}: source {path:?} has to be an absolute path, and text")]
    Source {
        /// The volume.
        volume: String,
        /// The path.
        path: PathBuf,
    },
    /// A mount names a volume that the pod hasn't.
    #[error(
        "apps: {app}: mounts: {path}: the pod has no volume {volume:?}; its `volumes` would name it"
    )]
    NoVolume {
        /// The app.
        app: String,
        /// The volume.
        volume: String,
        /// Where it should go.
        path: InsidePath,
    },
    /// Nothing is given for a mount point.
    #[error(
        "apps: {app}: mountPoints: {mount_point}: no volume for {path}; one called {mount_point:?} would be"
    )]
    Unfulfilled {
        /// The app.
        app: String,
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
        app: String,
        /// The path of one.
        outer: InsidePath,
        /// The path of the other, the same or below.
        inner: InsidePath,
    },
    /// A manifest has no form for a path.
    #[error("apps: {app}: mounts: {path}: a manifest can't have a path that isn't text")]
    Path {
        /// The app.
        app: String,
        /// The path.
        path: InsidePath,
    },
    /// The manifest couldn't be written.
    #[error("the pod's manifest: {0}")]
    Manifest(#[from] serde_json::Error),
}
