//! The uncompressed bytes of a file, made on a thread of its own.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::decode::decode;
use super::digest::Hasher;
use super::source::Source;
use super::{Algorithm, Compression, Digest, Error};

/// Bytes of one buffer, and how many there are between the two threads.
const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 8;

/// Hears how many bytes of the file have been read so far. Called on another thread, some times for each
/// MiB. An error ends the reading ([`Error::Read`]).
pub type Progress = Box<dyn FnMut(u64) -> io::Result<()> + Send>;

/// What is to be found out about a stream while it is read. By default nothing, and no byte is too many.
#[derive(Default)]
pub struct StreamOptions {
    /// Make the digest of the file as it is.
    pub raw_digest: Option<Algorithm>,
    /// Make the digest of the uncompressed bytes.
    pub digest: Option<Algorithm>,
    /// Who hears how far it is.
    pub progress: Option<Progress>,
    /// The most uncompressed bytes; more are an error. Padding and headers of an archive are among
    /// them, so this is more than the limit for its files.
    pub max_bytes: Option<u64>,
}

/// What a stream was, at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Bytes of the file.
    pub raw_bytes: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Digest of the file, if it was asked for.
    pub raw_digest: Option<Digest>,
    /// Digest of the uncompressed bytes, if it was asked for.
    pub digest: Option<Digest>,
}

/// The uncompressed bytes of a file. Reading, decompressing and hashing go on on a thread of its own,
/// which ends with the file, or soon after this is dropped: it isn't waited for, as it
/// may hang in reading a pipe. A file that is not compressed is given as it is.
///
/// Its [`io::Error`]s hold an [`Error`], which [`super::Entries`] takes back out.
pub struct Stream {
    compression: Compression,
    filled: Option<Receiver<Vec<u8>>>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    start: usize,
    worker: Worker,
}

enum Worker {
    Running(JoinHandle<Result<Totals, Error>>),
    /// It has ended well.
    Ended(Totals),
    /// It has ended with an error, which was given on.
    Failed,
}

impl Stream {
    /// Reads as much of `file` as tells how it is compressed, and starts the thread for the rest.
    pub fn new<R: Read + Send + 'static>(file: R, options: StreamOptions) -> Result<Self, Error> {
        let mut source = Source::new(file, options.raw_digest, options.progress);
        let compression = Compression::of(source.peek(Compression::PEEK)?);
        let (to_reader, filled) = sync_channel(BUFFERS);
        let (empty, from_reader) = sync_channel(BUFFERS);
        let mut output = Output {
            hasher: options.digest.map(Hasher::new),
            bytes: 0,
            limit: options.max_bytes.unwrap_or(u64::MAX),
            made: 1,
            to_reader,
            from_reader,
        };
        let work = move || {
            decode(&mut source, compression, vec![0; BUFFER], |filled| output.pass(filled))?;
            let (raw_bytes, raw_digest) = source.finish();
            let digest = output.hasher.map(Hasher::finish);
            Ok(Totals { raw_bytes, bytes: output.bytes, raw_digest, digest })
        };
        let worker = thread::Builder::new().name("decompress".into()).spawn(work);
        Ok(Self {
            compression,
            filled: Some(filled),
            empty,
            current: Vec::new(),
            start: 0,
            worker: Worker::Running(worker.map_err(Error::Thread)?),
        })
    }

    /// How the file is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Reads to the end, and says what there was. Padding after the end of an archive counts for its
    /// digest as well.
    pub fn finish(mut self) -> Result<Totals, Error> {
        loop {
            let count = self.fill_buf().map_err(Error::from_io)?.len();
            if count == 0 {
                break;
            }
            self.consume(count);
        }
        match &self.worker {
            Worker::Ended(totals) => Ok(totals.clone()),
            // Its error has been given on before; this is for who goes on after that.
            _ => Err(Error::Thread(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn join(&mut self) -> Result<(), Error> {
        let Worker::Running(worker) = std::mem::replace(&mut self.worker, Worker::Failed) else {
            return Ok(());
        };
        self.filled = None;
        let panicked = |_| Err(Error::Thread(io::Error::other("it panicked")));
        self.worker = Worker::Ended(worker.join().unwrap_or_else(panicked)?);
        Ok(())
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start >= self.current.len() {
            let used = std::mem::take(&mut self.current);
            self.start = 0;
            if used.capacity() > 0 {
                // The other side may have ended; then nobody needs it.
                let _ = self.empty.try_send(used);
            }
            match self.filled.as_ref().map(Receiver::recv) {
                Some(Ok(filled)) => self.current = filled,
                Some(Err(_)) => self.join().map_err(io::Error::other)?,
                None => {}
            }
        }
        Ok(self.current.get(self.start..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// The thread's end of the two channels.
struct Output {
    hasher: Option<Hasher>,
    bytes: u64,
    limit: u64,
    made: usize,
    to_reader: SyncSender<Vec<u8>>,
    from_reader: Receiver<Vec<u8>>,
}

impl Output {
    fn pass(&mut self, filled: Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
        self.bytes += filled.len() as u64;
        if self.bytes > self.limit {
            return Err(Error::TooLong { limit: self.limit });
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&filled);
        }
        if self.to_reader.send(filled).is_err() {
            return Ok(None);
        }
        if let Ok(empty) = self.from_reader.try_recv() {
            return Ok(Some(empty));
        }
        if self.made < BUFFERS {
            self.made += 1;
            return Ok(Some(vec![0; BUFFER]));
        }
        Ok(self.from_reader.recv().ok())
    }
}
