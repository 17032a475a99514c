//! What the user is told of an app beside its output.

use std::fmt;

use sandbox_core::InsidePath;

/// What became of one isolator. The specification wants the user to be told of each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsolatorReport {
    /// Its name in the manifest.
    pub name: String,
    /// What became of it.
    pub disposition: Disposition,
    /// How, or why not, in one clause.
    pub detail: String,
}

impl IsolatorReport {
    /// What became of an isolator.
    pub fn new(
        name: impl Into<String>,
        disposition: Disposition,
        detail: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), disposition, detail: detail.into() }
    }
}

/// What became of an isolator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Disposition {
    /// It holds as it says.
    Enforced,
    /// It holds with a difference, which the detail tells.
    Adjusted,
    /// It does not hold.
    Ignored,
    /// It is in the sandbox's limits; whether these can be set is found out by who makes the sandbox, and
    /// replaces this by one of the others.
    Undecided,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Enforced => "enforced",
            Self::Adjusted => "adjusted",
            Self::Ignored => "ignored",
            Self::Undecided => "undecided",
        })
    }
}

impl fmt::Display for IsolatorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.name, self.disposition, self.detail)
    }
}

/// Something that works, though perhaps not as somebody thought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A volume hides what the image has at its place.
    Masked {
        /// The volume.
        name: String,
        /// Its place.
        path: InsidePath,
    },
    /// A file of the image had to give way to a volume.
    Replaced {
        /// The volume.
        name: String,
        /// Its place.
        path: InsidePath,
    },
    /// A variable of the image is not taken, as the specification fixes its value.
    VariableFixed {
        /// Its name.
        name: String,
        /// The value that it has.
        value: String,
    },
    /// A caller without privilege has one user only, so that all files are the app's.
    OneUser {
        /// The user that the app is.
        uid: u32,
    },
    /// The image wants capabilities beyond the usual ones, from a caller that has them on the host.
    PowerOverHost {
        /// Their names.
        capabilities: Vec<String>,
    },
    /// A caller without privilege cannot give groups.
    GroupsNotGiven {
        /// Those that the app should be in.
        groups: Vec<u32>,
    },
    /// The user is the owner of a file, which the caller could not keep when the image was unpacked.
    OwnerNotKept {
        /// The file.
        path: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masked { name, path } => {
                write!(f, "volume {name:?} hides the files that the image has in {path}")
            }
            Self::Replaced { name, path } => {
                write!(f, "volume {name:?} takes the place of the file {path} of the image")
            }
            Self::VariableFixed { name, value } => write!(
                f,
                "the image's {name} is not taken: it is {value:?} in every app; --env {name}=VALUE \
                 sets another one"
            ),
            Self::OneUser { uid } => write!(
                f,
                "without privilege there is one user: user {uid} in the sandbox is the caller, who \
                 owns every file of the image, those of other users as well"
            ),
            Self::PowerOverHost { capabilities } => write!(
                f,
                "the image keeps {}, which may give it power over the host: trust it, or run it as \
                 a user",
                capabilities.join(" ")
            ),
            Self::GroupsNotGiven { groups } => {
                let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
                let groups = groups.join(", ");
                write!(f, "without privilege the app is not in its supplementary groups {groups}")
            }
            Self::OwnerNotKept { path } => write!(
                f,
                "the user is the owner of {path}, which is the caller: without privilege no other \
                 owner could be kept"
            ),
        }
    }
}
