//! What kind of process the command is: its name, its session, what it is given and waits for.

use std::collections::BTreeSet;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::config::{Isolation, SandboxConfig};
use crate::error::ConfigError;
use crate::os_text::{self, has_nul};
use crate::path::InsidePath;

/// The number that the first of [`ProcessSettings::listen_fds`] has inside (`SD_LISTEN_FDS_START`).
pub const FIRST_LISTEN_FD: i32 = 3;

/// Settings that programs in the place of another sandbox tool need, and others rarely.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProcessSettings {
    /// What the program is told as its name. Default: the first word of the command.
    #[serde(with = "os_text::option", skip_serializing_if = "Option::is_none")]
    pub argv0: Option<OsString>,
    /// Where no `cwd` is given: the first of these that exists, else `/`. Where the environment has a
    /// `PWD`, it names that directory. Default: as `cwd` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cwd_candidates: Vec<InsidePath>,
    /// The session. Default: the caller's.
    pub session: Session,
    /// The sandbox's first process. Default: an init.
    pub first: First,
    /// Descriptors of the caller's that the command gets, beside its three streams, by the same
    /// numbers. Default: none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub descriptors: BTreeSet<i32>,
    /// Descriptors of the caller's that the command gets as 3, 4, and so on, in this order, as a service
    /// manager gives listening sockets (sd_listen_fds(3)). `LISTEN_FDS` is the environment's to say.
    /// Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listen_fds: Vec<i32>,
    /// Whether the variable `LISTEN_PID` says which process the command is. Default: no.
    pub listen_pid: ListenPid,
    /// What a sandbox with processes of its own sees of cgroups. Default: nothing above its own.
    pub cgroup_view: CgroupView,
    /// What the set-up waits for. Default: nothing.
    pub gates: Gates,
    /// Files on which a shared lock (fcntl(2), `F_OFD_SETLK`) is held while the sandbox lives. Default:
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<InsidePath>,
}

/// The session of the command (setsid(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Session {
    /// The caller's: terminals and job control work as without a sandbox.
    #[default]
    Callers,
    /// One of its own, without a controlling terminal.
    New,
}

/// What `LISTEN_PID` is (sd_listen_fds(3)): a command that is given listening sockets takes them as its own
/// where it has its PID there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenPid {
    /// What the environment says of it, if anything.
    #[default]
    AsGiven,
    /// The command's PID, as the command sees it, whatever the environment says.
    Own,
}

/// What a sandbox with isolated processes sees of cgroups, where its cgroup is not isolated by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupView {
    /// Its own, as where it stands on the host is no business of it.
    #[default]
    Own,
    /// What the caller sees, and what of `/sys` the caller can change: for a command that is trusted to make
    /// sandboxes with limits itself.
    Callers,
}

/// The first process of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// An init, which reaps, passes signals on and ends the rest; the command is its child.
    #[default]
    Init,
    /// The command itself, which is PID 1 then (pid_namespaces(7)): signals that it has no handler
    /// for do nothing, and it has to reap. For isolated processes only. It ends with the thread
    /// that has started it.
    Command,
}

/// Descriptors of the caller's from which a byte, or their end, can be read when the set-up may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Gates {
    /// Somebody else maps the ids of the new user namespace, and this says when it is done. Without
    /// it the caller's ids are mapped by the sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids_mapped: Option<i32>,
    /// The command may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<i32>,
}

impl ProcessSettings {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether any POSIX system can start such a process.
    pub(crate) fn is_plain(&self) -> bool {
        self.first == First::Init
            && self.descriptors.is_empty()
            && self.listen_fds.is_empty()
            && self.listen_pid == ListenPid::AsGiven
            && self.cgroup_view == CgroupView::Own
            && self.gates == Gates::default()
            && self.locks.is_empty()
            && self.cwd_candidates.is_empty()
    }

    pub(crate) fn validate(&self, config: &SandboxConfig) -> Result<(), ConfigError> {
        if let Some(argv0) = self.argv0.as_ref().filter(|argv0| has_nul(argv0)) {
            let (field, value) = ("process.argv0".into(), argv0.clone());
            return Err(ConfigError::Nul { field, value });
        }
        let invalid = |field: &'static str, value: String, expected: &str| {
            let (value, expected) = (value.into(), expected.to_owned());
            Err(ConfigError::Invalid { field: field.into(), value, expected })
        };
        if self.first == First::Command && config.processes != Isolation::Isolated {
            let expected = "the command can be the first of isolated processes only";
            return invalid("process.first", "command".to_owned(), expected);
        }
        let gates = [self.gates.ids_mapped, self.gates.start];
        if let Some(number) = gates.into_iter().flatten().find(|number| *number < 0) {
            return invalid("process.gates", number.to_string(), "give an open descriptor");
        }
        if let Some(number) = self.descriptors.iter().find(|number| **number < 3) {
            let expected = "give numbers from 3 on: the first three are the streams";
            return invalid("process.descriptors", number.to_string(), expected);
        }
        if let Some(number) = self.listen_fds.iter().find(|number| **number < 0) {
            return invalid("process.listen-fds", number.to_string(), "give open descriptors");
        }
        for (inside, number) in (FIRST_LISTEN_FD..).zip(&self.listen_fds) {
            if self.descriptors.contains(&inside) {
                let expected = format!(
                    "process.descriptors has {inside}, too, which the command can have for one only"
                );
                let value = format!("{number}, as {inside}");
                return invalid("process.listen-fds", value, &expected);
            }
        }
        Ok(())
    }
}
