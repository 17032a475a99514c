//! What a caller does while a sandbox is being set up.

use std::fmt;
use std::io;

use crate::signals::HeldSignals;

/// What a caller does while a sandbox is being set up: for [`spawn_observed`](crate::spawn_observed) and
/// [`Launcher::start_observed`](crate::Launcher::start_observed).
pub struct SetUp<'a> {
    /// Told of the process that holds the sandbox ([`SandboxChild::pid`](crate::SandboxChild::pid)) as soon
    /// as there is one: its namespaces are there, its ids may not be mapped yet. On an error the sandbox is
    /// not wanted any more: it is taken down again, with a command that has begun meanwhile. One that must
    /// not begin before waits at a gate ([`Gates`](sandbox_core::Gates)).
    pub created: &'a mut dyn FnMut(u32) -> io::Result<()>,
    /// Signals that take down a sandbox that is still being set up, because it may wait for long. Default:
    /// none; they wait until the command runs.
    pub signals: Option<&'a HeldSignals>,
}

impl<'a> SetUp<'a> {
    /// Without signals.
    pub fn unwatched(created: &'a mut dyn FnMut(u32) -> io::Result<()>) -> Self {
        Self { created, signals: None }
    }
}

impl fmt::Debug for SetUp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetUp").field("signals", &self.signals).finish_non_exhaustive()
    }
}
