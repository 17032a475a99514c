//! What is asked for: the whole configuration of one sandbox, as plain data.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::command::{CommandLine, Environment, Input, Output};
use crate::error::{ConfigError, Field};
use crate::hostname::Hostname;
use crate::limits::Limits;
use crate::mount::Mount;
use crate::os_text::{OsText, has_nul};
use crate::path::InsidePath;
use crate::privileges::KeptCapabilities;
use crate::process::ProcessSettings;
use crate::seccomp::Seccomp;
use crate::time_out::TimeOut;

/// Everything that is asked of a sandbox. Made by [`SandboxConfig::builder`] or read from a file; the
/// names are the same in Rust, TOML and JSON (there with `-`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct SandboxConfig {
    /// The program and its arguments.
    pub command: CommandLine,
    /// The working directory inside the sandbox. Default: `/` where a root is given; the caller's own
    /// where the root is the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<InsidePath>,
    /// The environment. Default: the caller's.
    #[serde(default)]
    pub env: Environment,
    /// What the sandbox sees as `/`. Default: the host's.
    #[serde(default)]
    pub root: Root,
    /// What can be written, applied after `extra_mounts`. Default: everything, as far as permissions go.
    #[serde(default)]
    pub writable: Writable,
    /// Whether mounts made inside stay inside. Default: undefined.
    #[serde(default)]
    pub mounts: Isolation,
    /// What is mounted inside, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_mounts: Vec<Mount>,
    /// Whether the sandbox has a network stack of its own, with nothing but loopback. Default: undefined.
    #[serde(default)]
    pub network: Isolation,
    /// Whether the loopback interface of an isolated network is up. Default: it is.
    #[serde(default)]
    pub loopback: Loopback,
    /// Whether the sandbox sees only its own processes. Default: undefined.
    #[serde(default)]
    pub processes: Isolation,
    /// Whether System V and POSIX IPC objects are the sandbox's own. Default: undefined.
    #[serde(default)]
    pub ipc: Isolation,
    /// The host name inside. Default: undefined, so the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Hostname>,
    /// Whether the host's and domain's names are the sandbox's own; a `hostname` makes them so.
    /// Default: undefined.
    #[serde(default)]
    pub uts: Isolation,
    /// Whether the sandbox sees only its own cgroup and what is below it. Default: undefined; with
    /// isolated `processes` it is so where the kernel can do it.
    #[serde(default)]
    pub cgroup: Isolation,
    /// Who the command runs as. Default: the caller.
    #[serde(default)]
    pub user: User,
    /// The supplementary groups of the command, with nothing of the caller's. Default: none where the
    /// user changes; else the caller's. Without privilege they cannot be changed (user_namespaces(7)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// Whether the sandbox has a user namespace of its own. Default: where it is needed.
    #[serde(default)]
    pub user_namespace: UserNamespace,
    /// Which capabilities the command keeps. Default: none.
    #[serde(default)]
    pub capabilities: KeptCapabilities,
    /// Which system calls the command is refused. Default: those that builds never need.
    #[serde(default)]
    pub seccomp: Seccomp,
    /// How much of the host's resources it may use. Default: as much as the caller.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// How long the command may take. Default: as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_out: Option<TimeOut>,
    /// What kind of process the command is.
    #[serde(default, skip_serializing_if = "ProcessSettings::is_default")]
    pub process: ProcessSettings,
    /// Standard input. Default: null.
    #[serde(default)]
    pub stdin: Input,
    /// Standard output. Default: captured.
    #[serde(default)]
    pub stdout: Output,
    /// Standard error. Default: captured.
    #[serde(default)]
    pub stderr: Output,
}

/// What the sandbox sees as its root directory.
///
/// In a file: `"host"`, `"empty"`, or the path of a directory (`"./host"` for one of that name).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "OsText", into = "OsText")]
#[non_exhaustive]
pub enum Root {
    /// The host's root: no isolation of files but what `writable` and `extra_mounts` give.
    #[default]
    Host,
    /// A directory of the host.
    Directory(PathBuf),
    /// Nothing but what `extra_mounts` put there (a tmpfs).
    Empty,
}

impl From<OsText> for Root {
    fn from(text: OsText) -> Self {
        match text.0.to_str() {
            Some("host") => Self::Host,
            Some("empty") => Self::Empty,
            _ => Self::Directory(text.0.into()),
        }
    }
}

impl From<Root> for OsText {
    fn from(root: Root) -> Self {
        Self(match root {
            Root::Host => "host".into(),
            Root::Empty => "empty".into(),
            Root::Directory(path) if path == Path::new("host") || path == Path::new("empty") => {
                Path::new(".").join(path).into()
            }
            Root::Directory(path) => path.into(),
        })
    }
}

/// Whether something is the sandbox's own. `Undefined` means that no attempt is made either way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Isolation {
    /// Whatever the backend does anyway.
    #[default]
    Undefined,
    /// The sandbox's own, apart from the host's.
    Isolated,
}

/// The loopback interface of a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loopback {
    /// It is up, with 127.0.0.1 and ::1.
    #[default]
    Up,
    /// It is there, and down: nothing can be connected to.
    Down,
}

/// Whether the sandbox has a user namespace of its own (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UserNamespace {
    /// It has one if the caller has not the privileges to do without.
    #[default]
    Undefined,
    /// It has one, whoever the caller is.
    Own,
    /// It has one, and no further ones can be made in it.
    Last,
}

/// Which files and directories the command can write.
///
/// In a file: `"all"`, `"nothing"` or a list of paths inside the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(into = "WritableRepr")]
#[non_exhaustive]
pub enum Writable {
    /// Everything that permissions allow.
    #[default]
    All,
    /// These and what is below them; nothing else. They must exist.
    Only(Vec<InsidePath>),
    /// Nothing at all.
    Nothing,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WritableRepr {
    Word(&'static str),
    Paths(Vec<InsidePath>),
}

impl From<Writable> for WritableRepr {
    fn from(writable: Writable) -> Self {
        match writable {
            Writable::All => Self::Word("all"),
            Writable::Nothing => Self::Word("nothing"),
            Writable::Only(paths) => Self::Paths(paths),
        }
    }
}

impl<'de> Deserialize<'de> for Writable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WritableVisitor)
    }
}

struct WritableVisitor;

impl<'de> Visitor<'de> for WritableVisitor {
    type Value = Writable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`all`, `nothing` or a list of paths")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Writable, E> {
        match word {
            "all" => Ok(Writable::All),
            "nothing" => Ok(Writable::Nothing),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Writable, A::Error> {
        let mut paths = Vec::new();
        while let Some(path) = items.next_element()? {
            paths.push(path);
        }
        Ok(Writable::Only(paths))
    }
}

/// Who the command runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum User {
    /// The caller's own ids.
    #[default]
    Same,
    /// User 0 and group 0 inside. Without privilege these are the caller's own ids under other names
    /// (user_namespaces(7)).
    Root,
    /// These ids inside. With privilege they are the real ones; without, names for the caller's own.
    Ids {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
}

impl SandboxConfig {
    /// The configuration of a command with every setting at its default.
    pub fn new(command: CommandLine) -> Self {
        Self {
            command,
            cwd: None,
            env: Environment::default(),
            root: Root::default(),
            writable: Writable::default(),
            mounts: Isolation::default(),
            extra_mounts: Vec::new(),
            network: Isolation::default(),
            processes: Isolation::default(),
            ipc: Isolation::default(),
            hostname: None,
            uts: Isolation::default(),
            cgroup: Isolation::default(),
            loopback: Loopback::default(),
            user: User::default(),
            groups: Vec::new(),
            user_namespace: UserNamespace::default(),
            capabilities: KeptCapabilities::default(),
            seccomp: Seccomp::default(),
            limits: Limits::default(),
            time_out: None,
            process: ProcessSettings::default(),
            stdin: Input::default(),
            stdout: Output::default(),
            stderr: Output::default(),
        }
    }

    /// Checks what no type can hold: paths of the host, variables, mounts, and streams that fit.
    ///
    /// A builder does this; call it on a configuration that was read from a file.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.env.validate()?;
        if let User::Ids { uid, gid } = self.user {
            id(uid, "user.uid")?;
            id(gid, "user.gid")?;
        }
        self.groups.iter().try_for_each(|group| id(*group, "groups"))?;
        if !self.groups.is_empty() && self.user_namespace != UserNamespace::Undefined {
            let expected =
                "groups of the host have no names in a user namespace of the sandbox's own";
            let (value, expected) = (format!("{:?}", self.groups).into(), expected.to_owned());
            return Err(ConfigError::Invalid { field: "groups".into(), value, expected });
        }
        if let Root::Directory(path) = &self.root {
            host_path(path, "root")?;
        }
        for (index, mount) in self.extra_mounts.iter().enumerate() {
            mount.validate(&Field::new(format!("extra_mounts[{index}]")))?;
        }
        self.limits.validate()?;
        self.time_out.map_or(Ok(()), |time_out| time_out.validate())?;
        self.process.validate(self)?;
        if let Input::File(path) = &self.stdin {
            host_path(path, "stdin")?;
        }
        for (stream, field) in [(&self.stdout, "stdout"), (&self.stderr, "stderr")] {
            match stream {
                Output::File(path) => host_path(path, field)?,
                Output::ToStdout if field == "stdout" => {
                    let expected = "only stderr can go where stdout goes".to_owned();
                    let value = "to-stdout".into();
                    return Err(ConfigError::Invalid { field: field.into(), value, expected });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// `(uid_t) -1` means to the kernel that nothing is to be changed.
fn id(id: u32, field: &'static str) -> Result<(), ConfigError> {
    if id != u32::MAX {
        return Ok(());
    }
    let (value, expected) = (id.to_string().into(), "ids go from 0 to 4294967294".to_owned());
    Err(ConfigError::Invalid { field: field.into(), value, expected })
}

fn host_path(path: &Path, field: &'static str) -> Result<(), ConfigError> {
    let text: &OsStr = path.as_os_str();
    if text.is_empty() {
        return Err(ConfigError::Empty {
            field: field.into(),
            expected: "give a path of the host",
        });
    }
    if has_nul(text) {
        return Err(ConfigError::Nul { field: field.into(), value: text.to_owned() });
    }
    Ok(())
}
