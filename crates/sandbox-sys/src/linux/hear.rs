//! Hears from the child until it has executed, or is gone: until then it runs in our memory.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering::Acquire};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{Shutdown, shutdown};

use super::handle::Handle;
use super::process::{self, Received, Scope};
use super::protocol::Record;
use crate::signals::HeldSignals;

/// For a child to notice that nobody listens any more.
const SOME_TIME: Duration = Duration::from_millis(100);
/// Between two looks at whether the child has left our memory.
const A_MOMENT: Duration = Duration::from_millis(1);

/// The child, and what may end the waiting for it.
pub(super) struct Ears<'a> {
    pub(super) socket: &'a OwnedFd,
    pub(super) handle: &'a Handle,
    /// What it has said already.
    pub(super) said: Option<Record>,
    /// 0 once the child has left our memory, by executing or by ending (`CLONE_CHILD_CLEARTID`).
    pub(super) in_our_memory: &'a AtomicI32,
    /// What a SIGKILL for the init would end.
    pub(super) scope: Scope,
    /// Signals upon which the child is not wanted any more.
    pub(super) signals: Option<&'a HeldSignals>,
}

/// What the child has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Its last word.
    Said(Record),
    /// It is the command by now.
    Executed,
    /// It has ended without a word.
    Nothing,
}

/// Why it was ended.
#[derive(Debug)]
pub(super) enum Unheard {
    /// What it has made could not be kept.
    NotKept(io::Error),
    /// The caller's own word.
    NotWanted(io::Error),
    /// A signal that the caller had held back.
    Signal(i32),
}

impl Ears<'_> {
    /// Waits for the child's last word, or for its end without one.
    ///
    /// What it makes on the way is handed to `made`, whose error comes back at the end. `wanted` says
    /// whether it is wanted at all.
    pub(super) fn hear(
        &self,
        wanted: io::Result<()>,
        mut made: impl FnMut(Record, Option<OwnedFd>) -> io::Result<()>,
    ) -> Result<Heard, Unheard> {
        let mut noted = wanted.map_err(Unheard::NotWanted);
        if noted.is_err() {
            self.turn_away();
        }
        let mut executing = false;
        let mut said = self.said;
        loop {
            let signals = self.signals.filter(|_| noted.is_ok()).and_then(HeldSignals::fd);
            let mut fds = vec![self.socket.as_fd(), self.handle.as_fd()];
            fds.extend(signals);
            let time = executing.then_some(A_MOMENT);
            let time = if said.is_some() { Some(Duration::ZERO) } else { time };
            let Ok(ready) = process::wait_readable_for(&fds, time) else { continue };
            let left = executing && self.has_left();
            if ready.get(2) == Some(&true)
                && let Some(signal) = self.signals.and_then(HeldSignals::first)
            {
                noted = Err(Unheard::Signal(signal));
                self.turn_away();
            }
            let Received { record, passed, truncated } = match said.take() {
                None => process::receive_passed(self.socket).unwrap_or_default(),
                record => Received { record, ..Received::default() },
            };
            if truncated && noted.is_ok() {
                noted = Err(Unheard::NotKept(Errno::EMFILE.into()));
                self.turn_away();
            }
            match record {
                Some(record @ (Record::Made { .. } | Record::Directory | Record::Kept)) => {
                    let kept = made(record, passed).map_err(Unheard::NotKept);
                    noted = noted.and(kept);
                    continue;
                }
                Some(Record::Executing) => {
                    executing = true;
                    continue;
                }
                _ => {}
            }
            // An init ends by itself, after what it has started, which might outlive a killed one.
            if noted.is_err()
                && !process::ends_within(self.handle, SOME_TIME)
                && (self.scope == Scope::Namespace || !self.has_left())
            {
                let _ = self.handle.signal(libc::SIGKILL);
            }
            let heard = match record {
                Some(record) => Heard::Said(record),
                None if left => Heard::Executed,
                // The time is up, or a descriptor was ready that was none of the child's.
                None if noted.is_ok() && ready.iter().take(2).all(|ready| !ready) => continue,
                None if executing && noted.is_ok() && ready.get(1) == Some(&false) => continue,
                None => Heard::Nothing,
            };
            if heard == Heard::Nothing {
                // The end of file comes a little before the end of the process.
                let _ = process::wait_readable(&[self.handle.as_fd()]);
            }
            return noted.map(|()| heard);
        }
    }

    /// Whether it runs in memory of its own.
    fn has_left(&self) -> bool {
        self.in_our_memory.load(Acquire) == 0
    }

    /// What is made next is not told of any more, and so is removed by the child itself. An init sees the
    /// end of the connection, and ends.
    fn turn_away(&self) {
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }
}

impl HeldSignals {
    /// The first signal that came, whoever has sent it.
    fn first(&self) -> Option<i32> {
        self.take().first().map(|held| held.signal)
    }
}
