//! The descriptor of `--status-fd`: events go there, and nobody waits for a reader but who has to.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox_sys::SandboxHandle;

use crate::event::Event;

/// A pipe that poll(2) says has room takes this much at once (pipe(7), `PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// Where events go.
pub(crate) struct StatusFd {
    file: File,
    /// Closed once the first event has been written, by the thread that does it.
    first: OnceCell<Receiver<Infallible>>,
}

impl StatusFd {
    /// Finds out whether it can be written to, without writing anything.
    pub(crate) fn new(mut file: File) -> io::Result<Self> {
        file.write(&[]).map(|_| Self { file, first: OnceCell::new() })
    }

    /// The same for another thread.
    pub(crate) fn copy(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, first: OnceCell::new() })
    }

    /// Writes the first event of a sandbox, and kills the sandbox once nobody can read any more: all
    /// copies of the other end of a pipe or socket are closed, or it was shut down. A file is always
    /// read.
    ///
    /// It does not wait for either, so that the sandbox is looked after meanwhile.
    pub(crate) fn begin(&self, event: &Event, sandbox: SandboxHandle) -> io::Result<()> {
        let file = self.file.try_clone()?;
        let line = event.line()?;
        let (unwritten, first) = channel();
        let watch = move || {
            // Where nobody can read, it is seen below.
            let _ = write_all(&file, &line);
            drop(unwritten);
            if wait_for(&file, PollFlags::empty()).is_ok() {
                // Whoever waits for the sandbox sees how it went.
                let _ = sandbox.kill();
            }
        };
        // It lives as long as the process, which waits for the sandbox, not for this.
        thread::Builder::new().stack_size(64 << 10).spawn(watch)?;
        // There is one sandbox, so one first event.
        let _ = self.first.set(first);
        Ok(())
    }

    /// Whether an event would have to wait for the reader.
    pub(crate) fn is_full(&self) -> bool {
        let first = self.first.get().map(Receiver::try_recv);
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        first == Some(Err(TryRecvError::Empty)) || poll(&mut fds, PollTimeout::ZERO) == Ok(0)
    }

    /// Writes an event after those before it; waits for the reader, however the file is opened. A
    /// program that does not listen any more needs no word of it.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(first) = self.first.get() {
            // Nothing ever comes: it ends.
            let _ = first.recv();
        }
        if let Ok(line) = event.line() {
            let _ = write_all(&self.file, &line);
        }
    }
}

/// The caller's `O_NONBLOCK` is not ours to change, as the open file is the caller's, too.
fn write_all(mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        wait_for(file, PollFlags::POLLOUT)?;
        match file.write(&bytes[..bytes.len().min(AT_ONCE)]) {
            Ok(count) => bytes = &bytes[count..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Or for a hang-up or an error, which are reported whether or not they are asked for, poll(2).
fn wait_for(fd: &impl AsFd, what: PollFlags) -> nix::Result<()> {
    let mut fds = [PollFd::new(fd.as_fd(), what)];
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}
