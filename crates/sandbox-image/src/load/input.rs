//! The file that an image is in: read as often as needed, watched, and given up when it is to stop.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, Mode, OFlags, open, openat, unlinkat};
use rustix::io::retry_on_intr;

use super::LoadError;
use crate::archive::{Algorithm, Progress, Stream, StreamOptions};
use crate::place::{Mark, RunDir};
use crate::unpack;

/// How far the reading of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The file, as the caller or an image names it.
    pub name: &'a str,
    /// Bytes that have been read.
    pub bytes: u64,
    /// All there are.
    pub total: Option<u64>,
}

/// Who is told, on whatever thread reads.
pub type Watcher = Arc<Mutex<dyn FnMut(Reading<'_>) + Send>>;

/// Who watches a load, and what stops it.
#[derive(Clone, Default)]
pub struct Watch {
    /// Is told how far it is, some times for each MiB.
    pub watcher: Option<Watcher>,
    /// Once this descriptor can be read, the load ends with [`LoadError::Interrupted`].
    pub stop: Option<Arc<OwnedFd>>,
}

impl Watch {
    /// Whether it is to stop.
    pub(crate) fn stopped(&self) -> bool {
        let Some(stop) = &self.stop else { return false };
        let mut fds = [PollFd::new(stop, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
    }

    /// Waits until a pipe has something to read, or ends, or it is to stop: a read could hang for ever.
    fn wait(&self, pipe: &File) -> io::Result<()> {
        let mut fds = vec![PollFd::new(pipe, PollFlags::IN)];
        fds.extend(self.stop.as_ref().map(|stop| PollFd::new(stop, PollFlags::IN)));
        retry_on_intr(|| poll(&mut fds, None))?;
        if self.stopped() { Err(io::Error::other(Stopped)) } else { Ok(()) }
    }

    /// For one file, which is as long as this: an error once it is to stop.
    pub(crate) fn of(&self, name: &str, total: Option<u64>) -> Progress {
        let (watch, name) = (self.clone(), name.to_owned());
        Box::new(move |bytes| {
            if watch.stopped() {
                return Err(io::Error::other(Stopped));
            }
            let watcher = watch.watcher.as_ref().and_then(|watcher| watcher.lock().ok());
            if let Some(mut watcher) = watcher {
                watcher(Reading { name: &name, bytes, total });
            }
            Ok(())
        })
    }

    /// One that tells nobody.
    pub(crate) fn silent(&self) -> Self {
        Self { watcher: None, stop: self.stop.clone() }
    }
}

/// That it was to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Stopped;

/// A file that can be read several times, also at once.
pub(crate) struct Input {
    file: Arc<File>,
    path: PathBuf,
    size: u64,
    /// The most bytes that are unpacked of it.
    limit: u64,
    /// How it was before any of it was read.
    mark: Option<Mark>,
}

impl Input {
    /// Opens a file of the host. What cannot be read twice, such as a pipe, is copied first.
    pub(crate) fn open(
        path: &Path,
        run: &RunDir,
        limit: u64,
        watch: &Watch,
    ) -> Result<Self, LoadError> {
        let at = |source| LoadError::Open { path: path.to_owned(), source };
        // A pipe is opened without waiting for who writes to it: that could not be stopped.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = open(path, flags, Mode::empty()).map_err(|error| at(error.into()))?;
        let file = File::from(file);
        let metadata = file.metadata().map_err(at)?;
        if metadata.is_file() {
            return Ok(Self::of(file, path, metadata.size(), limit));
        }
        if metadata.is_dir() {
            return Err(at(io::ErrorKind::IsADirectory.into()));
        }
        Self::copied(file, path, run, limit, watch)
    }

    /// Standard input, `-`, copied to where the run is.
    pub(crate) fn stdin(run: &RunDir, limit: u64, watch: &Watch) -> Result<Self, LoadError> {
        let path = Path::new("-");
        let at = |source| LoadError::Open { path: path.to_owned(), source };
        let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(at)?;
        Self::copied(stdin.into(), path, run, limit, watch)
    }

    fn copied(
        from: File,
        path: &Path,
        run: &RunDir,
        limit: u64,
        watch: &Watch,
    ) -> Result<Self, LoadError> {
        let spool = |source| LoadError::Copy { path: path.to_owned(), source };
        let mut copy = spooled(run).map_err(spool)?;
        let mut progress = watch.of(&path.display().to_string(), None);
        let mut reader = from.take(limit.saturating_add(1));
        let mut buffer = vec![0; 1 << 16];
        let mut size = 0;
        loop {
            watch.wait(reader.get_ref()).map_err(|error| match error {
                error if error.get_ref().is_some() => LoadError::Interrupted,
                source => LoadError::Open { path: path.to_owned(), source },
            })?;
            let count = match reader.read(&mut buffer) {
                // Somebody else has read it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                read => read.map_err(|source| LoadError::Open { path: path.to_owned(), source })?,
            };
            let some = buffer.get(..count).unwrap_or_default();
            if some.is_empty() {
                return Ok(Self::of(copy, path, size, limit));
            }
            copy.write_all(some).map_err(spool)?;
            size += count as u64;
            if size > limit {
                return Err(LoadError::CopyTooLong { path: path.to_owned(), limit });
            }
            // It fails for no other reason.
            progress(size).map_err(|_| LoadError::Interrupted)?;
        }
    }

    fn of(file: File, path: &Path, size: u64, limit: u64) -> Self {
        let mark = Mark::of(&file);
        Self { file: Arc::new(file), path: path.to_owned(), size, limit, mark }
    }

    /// As it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is what is at a path.
    pub(crate) fn is_file_of(&self, path: &Path) -> bool {
        let same =
            |own: &Metadata, other: &Metadata| (own.dev(), own.ino()) == (other.dev(), other.ino());
        matches!((self.file.metadata(), path.metadata()), (Ok(own), Ok(other)) if same(&own, &other))
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// How it was before.
    pub(crate) fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// All of its bytes, from the first.
    pub(crate) fn bytes(&self) -> FromStart {
        FromStart { file: self.file.clone(), at: 0 }
    }

    /// Its bytes, uncompressed: not more than what could be unpacked, also where they are only looked at.
    pub(crate) fn stream(
        &self,
        watch: &Watch,
        digest: Option<Algorithm>,
    ) -> Result<Stream, LoadError> {
        let progress = watch.of(&self.path.display().to_string(), Some(self.size));
        // What is read over counts for no other limit, nor do zeros after the end.
        let max_bytes = Some(unpack::Budget::stream_limit(self.limit));
        let options = StreamOptions {
            digest,
            progress: Some(progress),
            max_bytes,
            ..StreamOptions::default()
        };
        Stream::new(self.bytes(), options).map_err(|error| self.failed(error))
    }

    /// What an error of the archive's is about.
    pub(crate) fn failed(&self, error: crate::archive::Error) -> LoadError {
        LoadError::archive(&self.path, error)
    }
}

/// A file's bytes at an offset of its own, whoever else reads it.
pub(crate) struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A new file without a name, which is gone when it is closed.
fn spooled(run: &RunDir) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(run, "copy", flags, Mode::RUSR | Mode::WUSR)?;
    unlinkat(run, "copy", AtFlags::empty())?;
    Ok(file.into())
}
