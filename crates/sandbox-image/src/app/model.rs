//! What an image runs: the part of its manifest that is about processes, as plain data.

use std::ffi::OsString;

use sandbox_core::InsidePath;

/// What an image runs. Made from the manifest of an App Container image or the configuration of an OCI
/// image.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct App {
    /// Its name: `AC_APP_NAME`.
    pub name: String,
    /// The program and its arguments; empty where the image names none.
    pub exec: Vec<OsString>,
    /// The user: a name of the image's `/etc/passwd`, else a number, or the `/path` of a file inside
    /// whose owner it is. Empty: user 0.
    pub user: String,
    /// The group, the same way with `/etc/group`. `None`: the user's own in `/etc/passwd`, else 0.
    pub group: Option<String>,
    /// Supplementary groups.
    pub supplementary_gids: Vec<u32>,
    /// Where its processes start.
    pub working_directory: InsidePath,
    /// Variables, in order; the later of two with the same name wins.
    pub environment: Vec<(String, OsString)>,
    /// What must exit with status 0 before the main process starts.
    pub pre_start: Option<Vec<OsString>>,
    /// What runs when the main process has ended, however it ended.
    pub post_stop: Option<Vec<OsString>>,
    /// Where volumes go.
    pub mount_points: Vec<MountPoint>,
    /// What it listens to.
    pub ports: Vec<Port>,
    /// What it is held to.
    pub isolators: Vec<Isolator>,
}

/// A place for a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// The name that a volume is given for.
    pub name: String,
    /// Where it goes.
    pub path: InsidePath,
    /// Whether it cannot be written.
    pub read_only: bool,
}

/// A port that an app listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The number of the first.
    pub port: u16,
    /// How many there are from that one on.
    pub count: u16,
    /// Whether the app is given listening sockets (sd_listen_fds(3)).
    pub socket_activated: bool,
}

/// Something that an app is held to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Isolator {
    /// The capabilities that it keeps, by their names in capabilities(7).
    CapabilitiesRetain(Vec<String>),
    /// Those of the default set that it loses.
    CapabilitiesRemove(Vec<String>),
    /// `os/linux/no-new-privileges`.
    NoNewPrivileges(bool),
    /// The only system calls that it may make.
    SeccompRetain(SeccompSet),
    /// The system calls that it may not make.
    SeccompRemove(SeccompSet),
    /// Memory, in bytes.
    Memory {
        /// What it needs.
        request: Option<u64>,
        /// The most that it gets.
        limit: Option<u64>,
    },
    /// Processor time, in thousandths of a processor.
    Cpu {
        /// What it needs.
        request: Option<u64>,
        /// The most that it gets.
        limit: Option<u64>,
    },
    /// Anything else, which is told to be ignored.
    Other {
        /// Its name.
        name: String,
        /// Its value, as the manifest has it.
        value: serde_json::Value,
    },
}

/// System calls by name, with the wildcards of the specification (`@appc.io/all`, `@appc.io/empty`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeccompSet {
    /// Names and wildcards.
    pub set: Vec<String>,
    /// What a call that is refused gives, by its name in errno(3). `None`: SIGSYS ends the process.
    pub errno: Option<String>,
}

impl App {
    /// An app that runs this, as user 0, in `/`, with nothing else.
    pub fn new(name: impl Into<String>, exec: Vec<OsString>) -> Self {
        Self {
            name: name.into(),
            exec,
            user: String::new(),
            group: None,
            supplementary_gids: Vec::new(),
            working_directory: InsidePath::root(),
            environment: Vec::new(),
            pre_start: None,
            post_stop: None,
            mount_points: Vec::new(),
            ports: Vec::new(),
            isolators: Vec::new(),
        }
    }
}
