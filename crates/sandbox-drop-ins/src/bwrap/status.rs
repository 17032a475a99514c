//! What is told of the sandbox as JSON: `--info-fd` and `--json-status-fd`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, write};
use sandbox_sys::{HeldSignals, inherited};

use super::error::BwrapError;
use super::request::Request;

/// The kinds of namespaces, by their names in `/proc/PID/ns`. A user namespace is not told.
const KINDS: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

/// Those who asked to be told.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    info: Option<Listener>,
    status: Option<Listener>,
}

#[derive(Debug)]
struct Listener {
    option: &'static str,
    number: RawFd,
    file: File,
}

impl Listeners {
    /// Makes sure that both can be told.
    pub(super) fn of(request: &Request) -> Result<Self, BwrapError> {
        let open = |option, number: Option<RawFd>| {
            let open = |number| match inherited(number) {
                Ok(file) => Ok(Listener { option, number, file: file.into() }),
                Err(source) => Err(BwrapError::Descriptor { option, number, source }),
            };
            number.map(open).transpose()
        };
        let info = open("--info-fd", request.info)?;
        Ok(Self { info, status: open("--json-status-fd", request.json_status)? })
    }

    /// What holds the command back until they have been told, where there is anybody.
    pub(super) fn gate(&self) -> Result<Option<Gate>, BwrapError> {
        if self.info.is_none() && self.status.is_none() {
            return Ok(None);
        }
        let (wait, open) =
            pipe2(OFlag::O_CLOEXEC).map_err(|errno| BwrapError::Gate(errno.into()))?;
        Ok(Some(Gate { wait, open }))
    }

    /// That the sandbox exists, held by this process.
    pub(super) fn created(&mut self, pid: u32, held: &HeldSignals) -> Result<(), BwrapError> {
        if self.info.is_none() && self.status.is_none() {
            return Ok(());
        }
        let members = members(pid);
        if let Some(listener) = &mut self.info {
            listener.tell(&format!("{{\n    {}\n}}\n", members.join(",\n    ")), held)?;
        }
        if let Some(listener) = &mut self.status {
            listener.tell(&format!("{{ {} }}\n", members.join(", ")), held)?;
        }
        Ok(())
    }

    /// How the command has ended. Nobody may be there any more to hear it.
    pub(super) fn ended(mut self, code: u8, held: &HeldSignals) {
        if let Some(listener) = &mut self.status {
            let _ = listener.tell(&format!("{{ \"exit-code\": {code} }}\n"), held);
        }
    }
}

/// A pipe that a sandbox waits for.
#[derive(Debug)]
pub(super) struct Gate {
    wait: OwnedFd,
    open: OwnedFd,
}

impl Gate {
    /// The descriptor that it waits for.
    pub(super) fn number(&self) -> RawFd {
        self.wait.as_raw_fd()
    }

    /// Lets it go on.
    pub(super) fn open(&self) -> Result<(), BwrapError> {
        let written = write(&self.open, b".");
        written.map(drop).map_err(|errno| BwrapError::Gate(errno.into()))
    }
}

impl Listener {
    /// A reader that does not read is waited for, but not against what asks this program to end.
    fn tell(&mut self, text: &str, held: &HeldSignals) -> Result<(), BwrapError> {
        let (option, number) = (self.option, self.number);
        let room = room(self.file.as_fd(), held.as_fd());
        let told = room.and_then(|()| self.file.write_all(text.as_bytes()));
        told.map_err(|source| BwrapError::Descriptor { option, number, source })
    }
}

/// Waits until something can be written, which is less than a pipe takes at once (pipe(7), `PIPE_BUF`).
fn room(to: BorrowedFd<'_>, signals: BorrowedFd<'_>) -> io::Result<()> {
    let mut polled = [PollFd::new(to, PollFlags::POLLOUT), PollFd::new(signals, PollFlags::POLLIN)];
    while let Err(errno) = poll(&mut polled, PollTimeout::NONE) {
        if errno != Errno::EINTR {
            return Err(errno.into());
        }
    }
    if polled[0].any() == Some(true) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}

/// The process and its namespaces, as far as they are not this process's, too.
fn members(pid: u32) -> Vec<String> {
    let mut members = vec![format!("\"child-pid\": {pid}")];
    for kind in KINDS {
        let inode = |process: &str| namespace(process, kind).ok();
        let (theirs, ours) = (inode(&pid.to_string()), inode("self"));
        if let Some(inode) = theirs.filter(|_| theirs != ours) {
            let mut member = String::new();
            let _ = write!(member, "\"{kind}-namespace\": {inode}");
            members.push(member);
        }
    }
    members
}

fn namespace(process: &str, kind: &str) -> io::Result<u64> {
    Ok(fs::metadata(format!("/proc/{process}/ns/{kind}"))?.ino())
}
