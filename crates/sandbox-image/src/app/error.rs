//! Why an app cannot be run as its image says.

use std::io;
use std::path::PathBuf;

use sandbox_core::{ConfigError, InsidePath};

/// Why an app cannot be run as its image and the caller say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// There is nothing to run.
    #[error("{process} of {app}: the image names no command: give one")]
    NoCommand {
        /// The app.
        app: String,
        /// Which of its processes.
        process: &'static str,
    },
    /// A user or group that the image does not have.
    #[error("{field} {value:?} is not in the image's {file}: {}", known(names))]
    UnknownAccount {
        /// `user` or `group`.
        field: &'static str,
        /// The name.
        value: String,
        /// Where it was looked for.
        file: InsidePath,
        /// Some that there are.
        names: Vec<String>,
    },
    /// A number that is no user's or group's.
    #[error("{field} {value:?} is out of range: ids go from 0 to 4294967294")]
    IdOutOfRange {
        /// `user`, `group` or `supplementaryGIDs`.
        field: &'static str,
        /// The number.
        value: String,
    },
    /// A file whose owner was meant is not in the image.
    #[error(
        "{field} {value:?}: the image has no such file, whose owner could be taken: give a \
         name or a number"
    )]
    NoFileOfOwner {
        /// `user` or `group`.
        field: &'static str,
        /// The path.
        value: String,
    },
    /// Something in the unpacked root cannot be looked at or made.
    #[error("cannot use {path} in the image: {source}")]
    Inside {
        /// The path inside.
        path: InsidePath,
        /// Why.
        source: io::Error,
    },
    /// The working directory is not there.
    #[error("workingDirectory {path} is not in the image: make it, or give another one")]
    NoWorkingDirectory {
        /// The path inside.
        path: InsidePath,
    },
    /// The working directory is something else.
    #[error("workingDirectory {path} is no directory in the image: give another one")]
    WorkingDirectoryIsFile {
        /// The path inside.
        path: InsidePath,
    },
    /// Mount points for which there is no volume: all of them.
    #[error("mountPoints {} of {app} have no volume: give {}", names.join(", "), volume_flags(names))]
    Unfulfilled {
        /// The app.
        app: String,
        /// The names of the mount points.
        names: Vec<String>,
    },
    /// A volume that nothing asks for.
    #[error("volume {name:?}: {app} has no mount point of this name: {}", known(names))]
    NoMountPoint {
        /// The volume.
        name: String,
        /// The app.
        app: String,
        /// The mount points that it has.
        names: Vec<String>,
    },
    /// Two volumes of one name.
    #[error("volume {name:?} is given twice: give one for each name")]
    DuplicateVolume {
        /// The name.
        name: String,
    },
    /// Volumes that would cover each other.
    #[error(
        "mountPoints {first:?} on {first_path} and {second:?} on {second_path} overlap: each \
         needs a place of its own"
    )]
    Overlap {
        /// One mount point.
        first: String,
        /// Where it is, without links.
        first_path: InsidePath,
        /// The other one.
        second: String,
        /// Where that is.
        second_path: InsidePath,
    },
    /// What a volume shows cannot be used.
    #[error("volume {name:?}: cannot use {}: {source}", path.display())]
    VolumeSource {
        /// The volume.
        name: String,
        /// The path on the host. It is never made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What a volume shows is, or is reached through, a symbolic link.
    #[error(
        "volume {name:?}: {} passes through the symbolic link {}: give the path that it leads to, or \
         allow links",
        path.display(),
        link.display()
    )]
    VolumeThroughLink {
        /// The volume.
        name: String,
        /// The path on the host.
        path: PathBuf,
        /// The link.
        link: PathBuf,
    },
    /// The directory of an empty volume cannot be made.
    #[error("volume {name:?}: cannot make an empty directory for it: {source}")]
    EmptyVolume {
        /// The volume.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be mounted on a directory, nor a directory on a file that others share.
    #[error("volume {name:?}: {} on {target}: one is a directory, the other is not", path.display())]
    VolumeKind {
        /// The volume.
        name: String,
        /// The path on the host.
        path: PathBuf,
        /// The place inside.
        target: InsidePath,
    },
    /// The value of an isolator cannot be understood.
    #[error("isolator {name}: {value:?} is not valid: {expected}")]
    Isolator {
        /// Its name.
        name: String,
        /// The part of its value.
        value: String,
        /// What would work.
        expected: &'static str,
    },
    /// Isolators that exclude each other.
    #[error("isolators {first} and {second} cannot both be given: keep one")]
    IsolatorConflict {
        /// One.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
    /// Isolators that nothing enforces here, where each has to be: all of them.
    #[error("isolators that are not enforced here: {}: run without --strict", isolators.join("; "))]
    IgnoredIsolators {
        /// Each with the reason.
        isolators: Vec<String>,
    },
    /// What a handler changes would be gone before the next process starts.
    #[error(
        "{process} of {app} needs files that last from one process to the next: a \
         temporary overlay has none"
    )]
    HandlerOnTemporaryFiles {
        /// The app.
        app: String,
        /// The handler.
        process: &'static str,
    },
    /// Sockets that cannot be made.
    #[error("port {name:?}: {value:?} is not valid: {expected}")]
    Port {
        /// The port's name.
        name: String,
        /// The part of it.
        value: String,
        /// What would work.
        expected: &'static str,
    },
    /// A value that no sandbox can have.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// How many names a message has at most.
const MOST_NAMES: usize = 8;

fn known(names: &[String]) -> String {
    match names {
        [] => "there are none".to_owned(),
        names if names.len() > MOST_NAMES => {
            let some: Vec<_> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
            format!("there are {}, ...", some.join(", "))
        }
        names => format!("there are {}", names.join(", ")),
    }
}

fn volume_flags(names: &[String]) -> String {
    let flags: Vec<_> = names.iter().map(|name| format!("--volume {name}=PATH")).collect();
    flags.join(" ")
}
