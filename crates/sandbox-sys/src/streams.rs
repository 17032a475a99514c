//! The command's standard streams: opening them, and collecting what comes out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use sandbox_core::{CaptureLimit, Captured, Exec, Input, Output};

use crate::descriptors::{above_streams, callers_stream, copy_of};
use crate::error::SpawnError;

/// Both sides of the three streams.
pub(crate) struct Streams {
    /// What the command gets; `None` for the caller's own.
    pub(crate) command: [Option<OwnedFd>; 3],
    /// Where the caller writes the command's input.
    pub(crate) stdin: Option<File>,
    pub(crate) stdout: Option<Collector>,
    pub(crate) stderr: Option<Collector>,
}

impl Streams {
    pub(crate) fn open(exec: &Exec) -> Result<Self, SpawnError> {
        let (input, stdin) = open_input(&exec.stdin)?;
        let (output, stdout) = open_output(&exec.stdout, 1, "stdout")?;
        let (error, stderr) = match &exec.stderr {
            Output::ToStdout => (Some(share(output.as_ref())?), None),
            other => open_output(other, 2, "stderr")?,
        };
        Ok(Self { command: [input, output, error], stdin, stdout, stderr })
    }
}

fn open_input(input: &Input) -> Result<(Option<OwnedFd>, Option<File>), SpawnError> {
    match input {
        Input::Inherit if callers_stream(0).is_some() => {
            callers_stream(0).map_or(Ok(()), |file| refuse_directory(file, "stdin"))?;
            Ok((None, None))
        }
        Input::File(path) => {
            let mut options = OpenOptions::new();
            let file = open_file(options.read(true), path, "stdin")?;
            refuse_directory(file.as_fd(), "stdin")?;
            Ok((Some(file), None))
        }
        Input::Descriptor(number) => {
            let file = copy_of(*number).map_err(|error| taking(*number, "stdin", error))?;
            refuse_directory(file.as_fd(), "stdin")?;
            Ok((Some(file), None))
        }
        Input::Piped => {
            let (reader, writer) = pipe()?;
            Ok((Some(reader), Some(writer.into())))
        }
        _ => Ok((Some(null(OpenOptions::new().read(true))?), None)),
    }
}

fn open_output(
    output: &Output,
    number: i32,
    name: &str,
) -> Result<(Option<OwnedFd>, Option<Collector>), SpawnError> {
    match output {
        Output::Inherit if callers_stream(number).is_some() => {
            callers_stream(number).map_or(Ok(()), |file| refuse_directory(file, name))?;
            Ok((None, None))
        }
        Output::Capture(limit) => {
            let (reader, writer) = pipe()?;
            fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|e| piping(e.into()))?;
            Ok((Some(writer), Some(Collector::new(reader.into(), *limit))))
        }
        Output::Descriptor(number) => {
            let file = copy_of(*number).map_err(|error| taking(*number, name, error))?;
            refuse_directory(file.as_fd(), name)?;
            Ok((Some(file), None))
        }
        Output::File(path) => {
            let mut options = OpenOptions::new();
            Ok((Some(open_file(options.append(true).create(true), path, name)?), None))
        }
        _ => Ok((Some(null(OpenOptions::new().write(true))?), None)),
    }
}

fn taking(number: i32, name: &str, error: io::Error) -> SpawnError {
    SpawnError::host(format!("take descriptor {number} for {name}"), error)
}

/// Another descriptor for where standard output goes.
fn share(output: Option<&OwnedFd>) -> Result<OwnedFd, SpawnError> {
    let copy = match (output, callers_stream(1)) {
        (Some(output), _) => output.try_clone(),
        (None, Some(stdout)) => stdout.try_clone_to_owned(),
        (None, None) => return null(OpenOptions::new().write(true)),
    };
    above(copy.map_err(piping)?)
}

/// A directory would lead out of the sandbox: `cd /proc/self/fd/0`.
fn refuse_directory(stream: BorrowedFd<'_>, name: &str) -> Result<(), SpawnError> {
    let stat = fstat(stream)
        .map_err(|errno| SpawnError::host(format!("find out what {name} is"), errno.into()))?;
    if stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits() {
        let error = io::Error::from_raw_os_error(libc::EISDIR);
        return Err(SpawnError::host(format!("give the command a directory as {name}"), error));
    }
    Ok(())
}

/// Without waiting for the other end of a FIFO; the command then waits as usual.
fn open_file(options: &mut OpenOptions, path: &Path, name: &str) -> Result<OwnedFd, SpawnError> {
    let file = options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = file.map_err(|error| opening(path, name, error))?;
    let flags = fcntl(&file, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    flags
        .and_then(|flags| fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)))
        .map_err(|errno| opening(path, name, errno.into()))?;
    above(file.into())
}

fn null(options: &OpenOptions) -> Result<OwnedFd, SpawnError> {
    let file = options.open("/dev/null");
    above(file.map_err(|error| SpawnError::host("open /dev/null", error))?.into())
}

fn pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let (reader, writer) = io::pipe().map_err(piping)?;
    Ok((above(reader.into())?, above(writer.into())?))
}

fn above(fd: OwnedFd) -> Result<OwnedFd, SpawnError> {
    above_streams(fd).map_err(piping)
}

fn piping(error: io::Error) -> SpawnError {
    SpawnError::host("make a pipe for the command's streams", error)
}

fn opening(path: &Path, name: &str, error: io::Error) -> SpawnError {
    SpawnError::host(format!("open {} for {name}", path.display()), error)
}

/// Reads one captured stream.
#[derive(Debug)]
pub(crate) struct Collector {
    pipe: File,
    limit: u64,
    captured: Captured,
    buffer: Vec<u8>,
}

/// Whether a stream may give more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Open,
    Ended,
}

impl Collector {
    fn new(pipe: File, limit: CaptureLimit) -> Self {
        let limit = match limit {
            CaptureLimit::Unlimited => u64::MAX,
            CaptureLimit::Bytes(limit) => limit,
        };
        Self { pipe, limit, captured: Captured::default(), buffer: Vec::new() }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    pub(crate) fn into_captured(self) -> Captured {
        self.captured
    }

    /// Reads what is there; never blocks.
    pub(crate) fn read(&mut self) -> io::Result<Flow> {
        // As much as a pipe holds, pipe(7).
        const ROOM: usize = 64 * 1024;
        if self.buffer.is_empty() {
            self.buffer.try_reserve_exact(ROOM).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.buffer.resize(ROOM, 0);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let flow = self.read_into(&mut buffer);
        self.buffer = buffer;
        flow
    }

    fn read_into(&mut self, buffer: &mut [u8]) -> io::Result<Flow> {
        loop {
            match self.pipe.read(buffer) {
                Ok(0) => return Ok(Flow::Ended),
                Ok(count) => self.keep(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flow::Open),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A caller that has no memory for all of it is not ended: it is an error.
    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.limit.saturating_sub(self.captured.bytes.len() as u64);
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.captured.bytes.try_reserve(kept).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.captured.bytes.extend_from_slice(&bytes[..kept]);
        self.captured.dropped += (bytes.len() - kept) as u64;
        Ok(())
    }
}
