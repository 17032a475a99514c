//! The reader of `--status-fd` is whom the sandbox is for: where it goes away, the sandbox ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox_sys::SandboxHandle;

/// Kills the sandbox once nobody can read what is written to `fd` any more: all copies of the other
/// end of a pipe or socket are closed, or it was shut down. A file is always read.
pub(crate) fn kill_without_reader(fd: OwnedFd, sandbox: SandboxHandle) -> io::Result<()> {
    let watch = move || {
        if wait_for_hangup(&fd).is_ok() {
            // Whoever waits for the sandbox sees how it went.
            let _ = sandbox.kill();
        }
    };
    // It lives as long as the process, which waits for the sandbox, not for this.
    thread::Builder::new().stack_size(64 << 10).spawn(watch).map(drop)
}

fn wait_for_hangup(fd: &impl AsFd) -> nix::Result<()> {
    // Hang-ups and errors are reported whether or not they are asked for, poll(2).
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::empty())];
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}
