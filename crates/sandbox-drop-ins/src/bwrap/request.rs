//! What the command line asks for, in its order and before anything was opened.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::RawFd;

use sandbox_core::{Capability, Hostname, InsidePath, Mount};

use super::options::Word;

/// Everything that was asked for.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The options without operands that are in force; `--unshare-all` and `--share-net` are resolved.
    pub(super) switches: BTreeSet<Word>,
    /// Options of which the last counts, and that were given more than once.
    pub(super) repeated: Vec<&'static str>,
    pub(super) command: Vec<OsString>,
    pub(super) argv0: Option<OsString>,
    pub(super) operations: Vec<Operation>,
    pub(super) variables: Vec<Variable>,
    pub(super) capabilities: Vec<CapabilityChange>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) hostname: Option<Hostname>,
    pub(super) chdir: Option<InsidePath>,
    pub(super) locks: Vec<InsidePath>,
    pub(super) filters: Vec<RawFd>,
    pub(super) passed: BTreeSet<RawFd>,
    /// Those of `--userns`, `--userns2`, `--pidns`.
    pub(super) join: Join,
    pub(super) sync: Option<RawFd>,
    pub(super) block: Option<RawFd>,
    pub(super) userns_block: Option<RawFd>,
    pub(super) info: Option<RawFd>,
    pub(super) json_status: Option<RawFd>,
}

/// Namespaces that exist, and are entered.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Join {
    pub(super) user: Option<RawFd>,
    pub(super) user_after: Option<RawFd>,
    pub(super) processes: Option<RawFd>,
}

/// A mount, or what is made in its place.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) mount: Mount,
    /// The option and the descriptor that the content is read from.
    pub(super) content: Option<(&'static str, RawFd)>,
}

/// What is done to the environment.
#[derive(Debug)]
pub(super) enum Variable {
    Clear,
    Set(OsString, OsString),
    Unset(OsString),
}

/// What is done to the capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CapabilityChange {
    Add(Capability),
    Drop(Capability),
    AddAll,
    DropAll,
}

impl Request {
    /// Whether an option without operands was given.
    pub(super) fn has(&self, switch: Word) -> bool {
        self.switches.contains(&switch)
    }

    /// Whether the sandbox gets a user namespace of its own, if that is possible.
    pub(super) fn unshares_user(&self) -> bool {
        self.has(Word::UnshareUser) || self.has(Word::UnshareUserTry)
    }
}
