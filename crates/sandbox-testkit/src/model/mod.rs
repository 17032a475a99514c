//! A model of what plans do: a fake host, a fake mount table, and what was asked, reckoned by itself.
//!
//! [`check`] replays a plan, step by step, over a mount table that knows stacking, locked mounts, links
//! and who is mounted on whom; and settles from the configuration alone what each path in the sandbox
//! shows, whether it can be written, and with which restrictions. Both have to come to the same, or both
//! have to find that it cannot be done. Beside that, [`check`] holds the order of steps against rules that
//! every plan follows.
//!
//! It runs nothing, and needs no privileges. It does not know: permissions and owners, what is in files,
//! propagation (all is private), and what the kernel may refuse for other reasons than those of its
//! manual pages on mounts.

mod asked;
mod extra;
mod files;
mod host;
mod laws;
mod names;
mod protected;
mod replay;
mod table;
mod view;

use std::collections::BTreeSet;
use std::fmt;

use sandbox_core::{HostFacts, MountFlag, Plan, SandboxConfig};

pub use host::{Host, HostMount, Kind, Node, Tree};

/// Why something cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// ENOENT
    #[error("there is no such file")]
    Missing,
    /// ENOTDIR
    #[error("one is a directory, the other is not")]
    NotADirectory,
    /// ELOOP
    #[error("too many links")]
    Loop,
    /// EEXIST
    #[error("it exists")]
    Exists,
    /// EROFS
    #[error("it is read-only")]
    ReadOnly,
    /// EACCES, of kernel files
    #[error("names cannot be made there")]
    Fixed,
    /// EISDIR
    #[error("it is a directory")]
    Directory,
    /// EINVAL
    #[error("it is no mount, or mounts below are locked, or it is the root")]
    Invalid,
    /// EBUSY
    #[error("another mount is there")]
    Busy,
    /// It hides the link that its own name leads by, so that what is put in it is put elsewhere: nothing is
    /// promised of a minimal `/dev` there.
    #[error("it hides its own name")]
    Covered,
    /// A host path is used after the root was changed.
    #[error("the host is out of reach")]
    HostGone,
    /// A step has nothing to work on: there is no root yet, or nothing is held.
    #[error("a step before it is missing")]
    Unprepared,
}

/// What is seen at a path of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The name of the file system.
    pub tree: String,
    /// The path in it.
    pub path: String,
    /// What it is.
    pub node: Node,
    /// Whether it can be written, as far as mounts decide it; of a device they do not.
    pub write: Write,
    /// The other restrictions.
    pub flags: BTreeSet<MountFlag>,
}

/// Whether something can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// It can.
    Yes,
    /// It cannot.
    No,
    /// It is a device: mounts say nothing of it.
    Device,
}

/// What a plan and a configuration came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Both show the same.
    Same {
        /// At so many paths.
        paths: usize,
        /// At so many of these less can be written than was asked, as it is only where a mount is below
        /// a writable one by another name, which a link leads by.
        narrower: usize,
    },
    /// Both cannot be done.
    Impossible(Fault),
}

/// How a plan is not what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// A rule that every plan follows is broken.
    #[error("{0}")]
    Law(&'static str),
    /// The plan fails where what was asked can be done.
    #[error("step {step} fails: {fault}; what was asked can be done")]
    Fails {
        /// The step's place in the plan; the number of steps where the end is meant.
        step: usize,
        /// Why.
        fault: Fault,
    },
    /// The plan succeeds where what was asked cannot be done.
    #[error("the plan succeeds; what was asked cannot be done: {0}")]
    Succeeds(Fault),
    /// A path is not as it was asked.
    #[error("{path:?} is {}, and should be {}", shown(plan.as_deref()), shown(asked.as_deref()))]
    Differs {
        /// The path inside.
        path: String,
        /// What the plan leads to.
        plan: Option<Box<Seen>>,
        /// What was asked.
        asked: Option<Box<Seen>>,
    },
}

fn shown(seen: Option<&Seen>) -> String {
    seen.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tree, path, node, write, flags } = self;
        write!(f, "{path:?} of {tree} ({node:?}, writable: {write:?}, {flags:?})")
    }
}

/// Replays a plan on a host and holds the end against the configuration that it was made for.
///
/// # Errors
/// The first difference.
pub fn check(
    plan: &Plan,
    config: &SandboxConfig,
    facts: &HostFacts,
    host: &Host,
) -> Result<Agreement, Wrong> {
    laws::check(plan, config, facts)?;
    let asked = asked::asked(plan.backend, config, facts, host);
    match (replay::replay(plan, host), asked) {
        (Ok(end), Ok(asked)) => view::compare(&end, &asked),
        (Err(_), Err(fault)) => Ok(Agreement::Impossible(fault)),
        (Ok(_), Err(Fault::Covered)) => Ok(Agreement::Impossible(Fault::Covered)),
        // A writable mount that was covered by another name, through a link: refused, if late.
        (Err((_, Fault::Busy)), Ok(asked)) if asked.has_other_names() => {
            Ok(Agreement::Impossible(Fault::Busy))
        }
        (Err((step, fault)), Ok(_)) => Err(Wrong::Fails { step, fault }),
        (Ok(_), Err(fault)) => Err(Wrong::Succeeds(fault)),
    }
}
