//! Filters of system calls as data, for whatever asks for them, and what this machine makes of them.

pub(crate) mod machine;

use std::collections::BTreeMap;

/// What the sandbox's init calls when the filter is in place: it executes the command, and ends where it
/// cannot.
pub(crate) const NEEDED: [&str; 2] = ["execve", "exit_group"];
/// By which a further filter is installed.
pub(crate) const INSTALL: &str = "seccomp";

/// What happens at a call (seccomp(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Allow,
    Log,
    /// A tracer is asked; without one the call gives ENOSYS.
    Trace(u32),
    Errno(u32),
    Trap,
    KillThread,
    KillProcess,
}

/// What must hold of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Which one, from 0 to 5.
    pub(crate) index: u8,
    pub(crate) compare: Compare,
    pub(crate) value: u64,
}

/// How an argument is compared, without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Ne,
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
    /// The bits that this mask has.
    Masked(u64),
}

/// For each call by its number, what must hold of its arguments: all of one list. No list: always.
pub(crate) type Rules = BTreeMap<i64, Vec<Vec<Condition>>>;
