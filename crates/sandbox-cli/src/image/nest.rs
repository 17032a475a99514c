//! `run-sandbox` once more, in a sandbox of its own: where more than one user id is needed without
//! privilege, and as the first process of a pod.
//!
//! What runs in it finds the host's files, is user 0 with all capabilities over the new namespaces, and
//! makes its sandboxes like a caller that is root.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use sandbox_core::{
    CgroupView, CommandLine, Environment, Hostname, Input, Isolation, KeptCapabilities, Output,
    SandboxConfig, Seccomp, Standing, TimeOut, User, UserNamespace,
};
use sandbox_sys::{HeldSignals, SandboxChild, SetUp};

use super::flags::{ImageFlags, Owners};
use super::subordinate::{Ranges, SubordinateError};
use crate::error::CliError;
use crate::run::launch_linux;

/// Tells the one inside that it is that.
pub(super) const INSIDE: &str = "SANDBOXLIB_INSIDE";

/// Which ids there are inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// The caller's, who is root.
    Callers,
    /// The caller's own as 0, and no others.
    Own,
    /// The caller's own as 0, and its subordinate ones.
    Subordinate(Ranges),
}

/// Whether the new sandbox is a pod.
#[derive(Debug, Clone)]
pub(super) enum Shared {
    /// Nothing is isolated but the ids.
    Nothing,
    /// Processes, IPC, network and host name are those of the pod.
    Pod(Hostname),
}

impl Ids {
    /// Those of a caller who can do without a user namespace, or not.
    pub(super) fn of_caller() -> Self {
        match sandbox_sys::assume().standing {
            Standing::Privileged => Self::Callers,
            Standing::Unprivileged => Self::Own,
        }
    }
}

/// Starts the same command once more, where it is to have subordinate ids and has not.
pub(super) fn as_subordinate(
    flags: &ImageFlags,
    words: &[OsString],
    descriptors: BTreeSet<i32>,
    held: &HeldSignals,
) -> Result<Option<SandboxChild>, CliError> {
    let can_be_all = sandbox_sys::assume().standing == Standing::Privileged;
    if flags.owners != Some(Owners::Subordinate) || can_be_all {
        return Ok(None);
    }
    let ids = Ids::Subordinate(Ranges::of_caller()?);
    // Time is kept by the one inside.
    start(words.iter().cloned(), descriptors, ids, Shared::Nothing, None, held).map(Some)
}

/// Whether this process is the one inside.
pub(super) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Starts this program with other words, and with these of its descriptors.
pub(super) fn start(
    words: impl IntoIterator<Item = OsString>,
    descriptors: BTreeSet<i32>,
    ids: Ids,
    shared: Shared,
    time_out: Option<TimeOut>,
    held: &HeldSignals,
) -> Result<SandboxChild, CliError> {
    let program = env::current_exe().map_err(CliError::Myself)?;
    let words = [program.into_os_string()].into_iter().chain(words);
    let mut config = SandboxConfig::new(CommandLine::new(words)?);
    (config.stdin, config.stdout) = (Input::Inherit, Output::Inherit);
    config.stderr = Output::Inherit;
    config.capabilities = KeptCapabilities::All;
    // What runs in it has filters of its own.
    config.seccomp = Seccomp::None;
    config.process.descriptors = descriptors;
    config.time_out = time_out;
    config.env.set.insert(INSIDE.into(), "1".into());
    if let Shared::Pod(name) = shared {
        // Its environment may be seen by apps that keep capabilities of the host's root.
        config.env = Environment::exactly([(INSIDE, "1")]);
        (config.processes, config.ipc) = (Isolation::Isolated, Isolation::Isolated);
        (config.network, config.hostname) = (Isolation::Isolated, Some(name));
        // Its apps have limits of their own.
        config.process.cgroup_view = CgroupView::Callers;
    }
    match ids {
        Ids::Callers => start_gated(&config, held, &mut |_| Ok(())),
        Ids::Own => {
            (config.user, config.user_namespace) = (User::Root, UserNamespace::Own);
            start_gated(&config, held, &mut |_| Ok(()))
        }
        Ids::Subordinate(ranges) => {
            (config.user, config.user_namespace) = (User::Root, UserNamespace::Own);
            let (gate, open) = io::pipe()?;
            config.process.gates.ids_mapped = Some(gate.as_raw_fd());
            start_gated(&config, held, &mut |pid| {
                ranges.map(pid)?;
                Ok((&open).write_all(b"1")?)
            })
        }
    }
}

/// What `created` says is an error is told in its own words.
fn start_gated(
    config: &SandboxConfig,
    held: &HeldSignals,
    created: &mut dyn FnMut(u32) -> Result<(), Problem>,
) -> Result<SandboxChild, CliError> {
    let mut told = Ok(());
    let mut created = |pid| {
        told = created(pid);
        if told.is_ok() { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    };
    let mut set_up = SetUp { created: &mut created, signals: Some(held) };
    let started = launch_linux(config, &mut set_up);
    match told {
        Err(Problem::Ids(error)) => Err(error.into()),
        Err(Problem::Gate(error)) => Err(error.into()),
        Ok(()) => started,
    }
}

/// What can be wrong while the sandbox waits at its gate.
enum Problem {
    Ids(SubordinateError),
    Gate(io::Error),
}

impl From<SubordinateError> for Problem {
    fn from(error: SubordinateError) -> Self {
        Self::Ids(error)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Gate(error)
    }
}
