//! What the caller and the image's format say of how an app is run.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use sandbox_core::{Capability, Standing};

use super::accounts::ListedGroups;
use super::isolators::{Strictness, default_capabilities};
use super::volumes::{SourceLinks, Volume};

/// In what the formats of images differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// A working directory that is not there.
    pub missing_directory: MissingDirectory,
    /// The groups of the image's `/etc/group` that list the user.
    pub listed_groups: ListedGroups,
    /// Variables that an executor has to set.
    pub variables: RequiredVariables,
    /// What an app has where no isolator says otherwise, if it is user 0.
    pub capabilities: BTreeSet<Capability>,
    /// Mount points that no volume was given for.
    pub missing_volumes: MissingVolumes,
}

impl Rules {
    /// Those of the App Container specification.
    pub fn app_container() -> Self {
        Self {
            missing_directory: MissingDirectory::Fails,
            listed_groups: ListedGroups::Ignored,
            variables: RequiredVariables::Fixed,
            capabilities: default_capabilities(),
            missing_volumes: MissingVolumes::Fail,
        }
    }

    /// Those that users of OCI images are used to.
    pub fn oci() -> Self {
        Self {
            missing_directory: MissingDirectory::Made,
            listed_groups: ListedGroups::Added,
            variables: RequiredVariables::Defaults,
            capabilities: default_capabilities(),
            missing_volumes: MissingVolumes::OwnFiles,
        }
    }
}

/// What becomes of a mount point that no volume was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingVolumes {
    /// It is an error (ace.md, "Volume Setup").
    #[default]
    Fail,
    /// It is a directory of the run's own files, with what the image has there, and can be written to.
    OwnFiles,
}

/// What it means that a working directory is not in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingDirectory {
    /// The app is not run.
    #[default]
    Fails,
    /// It is made, 0755 and user 0's.
    Made,
}

/// Variables that an executor has to set: `PATH`, `AC_APP_NAME`, `AC_METADATA_URL`, `container`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequiredVariables {
    /// All of them, whatever the image says (ace.md, "Execution Environment": they MUST be set).
    #[default]
    Fixed,
    /// `PATH` and `container`, where the image does not set them.
    Defaults,
}

/// Whether an app can change its own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RootAccess {
    /// As permissions allow.
    #[default]
    ReadWrite,
    /// It cannot, but for volumes and `/dev`.
    ReadOnly,
}

/// Makes the directory of an empty volume, by the volume's name. What it gives for a name is the same
/// for each app of a pod.
pub type EmptyVolumes<'a> = &'a dyn Fn(&str) -> io::Result<PathBuf>;

/// How an app is run.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options<'a> {
    /// Those of the image's format.
    pub rules: Rules,
    /// What is run in place of the image's command. Default: that one.
    pub command: Option<Vec<OsString>>,
    /// Variables that win over all others. Default: none.
    pub env: Vec<(OsString, OsString)>,
    /// The caller's `TERM`, where the app has a terminal. Default: it has none.
    pub term: Option<OsString>,
    /// Where the metadata service is. Default: there is none.
    pub metadata_url: Option<String>,
    /// The host name, made valid. Default: the app's name.
    pub hostname: Option<String>,
    /// What fulfils the mount points.
    pub volumes: Vec<Volume>,
    /// What it means that a volume's source is reached through a symbolic link.
    pub source_links: SourceLinks,
    /// Where the directories of empty volumes come from. Default: there are none.
    pub empty_volumes: EmptyVolumes<'a>,
    /// Whether the app can change its own files.
    pub root_access: RootAccess,
    /// Whether it runs where an isolator is ignored.
    pub strictness: Strictness,
    /// Whether the caller can be other users. Default: it cannot.
    pub standing: Standing,
}

impl Options<'_> {
    /// As the image says, without volumes.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            command: None,
            env: Vec::new(),
            term: None,
            metadata_url: None,
            hostname: None,
            volumes: Vec::new(),
            source_links: SourceLinks::Refused,
            empty_volumes: &|_| Err(io::ErrorKind::Unsupported.into()),
            root_access: RootAccess::ReadWrite,
            strictness: Strictness::Lenient,
            standing: Standing::Unprivileged,
        }
    }
}
