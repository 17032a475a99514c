//! Signals that reach the caller and are meant for the command.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, tcgetattr};

/// A signal that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) signal: i32,
    pub(crate) sender: Sender,
}

/// Who has sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A terminal, and so to the whole process group.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there they are not held"))]
    Terminal,
    /// A process, to this one.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there they are not held"))]
    Process,
}

/// Whether the terminal of the session is not in canonical mode (termios(3)): whoever has the foreground edits
/// lines, or has the whole screen.
pub(crate) fn terminal_is_raw() -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let terminal = open("/dev/tty", flags, Mode::empty());
    let settings = terminal.and_then(tcgetattr);
    settings.is_ok_and(|settings| !settings.local_flags.contains(LocalFlags::ICANON))
}

#[cfg(target_os = "linux")]
pub use linux::HeldSignals;
#[cfg(not(target_os = "linux"))]
pub use other::HeldSignals;

#[cfg(target_os = "linux")]
mod linux {
    use super::{Held, Sender};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};

    use nix::sys::signal::{SigSet, SigmaskHow, Signal};
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    const FORWARDED: [Signal; 6] = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ];

    /// Signals that ask this process to end, held back in this thread until this is dropped: `SIGHUP`,
    /// `SIGINT`, `SIGQUIT`, `SIGTERM`, `SIGUSR1`, `SIGUSR2`.
    ///
    /// Taken before a sandbox is started, and given to
    /// [`SandboxChild::wait_passing_on`](crate::SandboxChild::wait_passing_on), they all reach the
    /// command. Other threads should block these signals too. Linux only; elsewhere this does nothing,
    /// and the command gets what its process group gets.
    #[derive(Debug)]
    pub struct HeldSignals {
        signals: SignalFd,
        old_mask: SigSet,
    }

    impl HeldSignals {
        /// From now on.
        ///
        /// # Errors
        /// File descriptors have run out (signalfd(2)).
        pub fn hold() -> io::Result<Self> {
            let set: SigSet = FORWARDED.into_iter().collect();
            let signals =
                SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
            let old_mask = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
            Ok(Self { signals, old_mask })
        }

        /// The signals that processes have sent since the last question. What a terminal sends reaches
        /// its whole process group by itself, and is left out.
        pub fn sent(&self) -> Vec<i32> {
            let held = self.take().into_iter();
            held.filter(|held| held.sender == Sender::Process).map(|held| held.signal).collect()
        }

        /// The first signal that has come since the last question, for a caller that has no command to
        /// pass it on to.
        pub fn came(&self) -> Option<i32> {
            self.take().first().map(|held| held.signal)
        }

        #[allow(clippy::unnecessary_wraps, reason = "other platforms have none")]
        pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
            Some(self.signals.as_fd())
        }

        /// The signals that came.
        pub(crate) fn take(&self) -> Vec<Held> {
            let mut came = Vec::new();
            while let Ok(Some(info)) = self.signals.read_signal() {
                let sender = if info.ssi_code == libc::SI_KERNEL {
                    Sender::Terminal
                } else {
                    Sender::Process
                };
                let signal = i32::try_from(info.ssi_signo);
                came.extend(signal.map(|signal| Held { signal, sender }));
            }
            came
        }
    }

    impl AsFd for HeldSignals {
        /// Readable when one has come.
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.signals.as_fd()
        }
    }

    impl Drop for HeldSignals {
        fn drop(&mut self) {
            let _ = self.old_mask.thread_set_mask();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Held;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    /// Nothing: the command is in the caller's process group, and gets what it gets.
    #[derive(Debug)]
    pub struct HeldSignals {
        /// Never readable: nothing is written to the other end while this is there.
        quiet: UnixStream,
        _other_end: UnixStream,
    }

    impl HeldSignals {
        /// A descriptor that nothing comes from.
        ///
        /// # Errors
        /// File descriptors have run out (socketpair(2)).
        pub fn hold() -> io::Result<Self> {
            let (quiet, other_end) = UnixStream::pair()?;
            Ok(Self { quiet, _other_end: other_end })
        }

        /// None.
        pub fn sent(&self) -> Vec<i32> {
            Vec::new()
        }

        /// None: the process is ended by what is not held.
        pub fn came(&self) -> Option<i32> {
            None
        }

        pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
            None
        }

        pub(crate) fn take(&self) -> Vec<Held> {
            Vec::new()
        }
    }

    impl AsFd for HeldSignals {
        /// Never readable.
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.quiet.as_fd()
        }
    }
}
