//! One client: what it has sent, what it is still to be told, and how long it has for that. Nothing here
//! waits: each turn does what can be done now.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::respond::Response;
use super::wire::{self, After, CONTINUE, Message, Parsed};

/// How long a client may take for a request and for reading its answer, or be idle.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what it still sends is read and dropped after the last answer.
const LINGER: Duration = Duration::from_secs(1);
/// How much is read, or written, in one turn.
const CHUNK: usize = 16 * 1024;

/// What the loop is to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Reading,
    Writing,
}

/// Whether there is a connection after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// What is written now is the last.
    Last,
    /// A socket that is closed with bytes unread takes the answer back (RST), so these are read first.
    Lingering,
}

/// What is to be written. The body is the service's own where it can be: a client that does not read a
/// large manifest costs no memory, and no time for a copy.
#[derive(Debug, Default)]
struct Output<'a> {
    head: Vec<u8>,
    body: Cow<'a, [u8]>,
    written: usize,
}

impl<'a> Output<'a> {
    fn new(response: Response<'a>, after: After) -> Self {
        Self { head: wire::head(&response, after), body: response.body, written: 0 }
    }

    /// What comes next, with no more of a body than one turn is for.
    fn next(&self) -> [&[u8]; 2] {
        let head = self.head.get(self.written..).unwrap_or_default();
        let of_body = self.written.saturating_sub(self.head.len());
        let body = self.body.get(of_body..).unwrap_or_default();
        [head, body.get(..CHUNK).unwrap_or(body)]
    }

    fn is_written(&self) -> bool {
        self.next().iter().all(|part| part.is_empty())
    }
}

#[derive(Debug)]
pub(super) struct Connection<'a> {
    pub(super) stream: TcpStream,
    pub(super) deadline: Instant,
    input: Vec<u8>,
    output: Output<'a>,
    phase: Phase,
    continued: bool,
}

impl<'a> Connection<'a> {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            deadline: Instant::now() + PATIENCE,
            input: Vec::new(),
            output: Output::default(),
            phase: Phase::Serving,
            continued: false,
        })
    }

    pub(super) fn wants(&self) -> Wants {
        if self.output.is_written() { Wants::Reading } else { Wants::Writing }
    }

    /// Does what can be done now. `answer` is what makes answers.
    pub(super) fn turn(&mut self, answer: impl Fn(&Message<'_>) -> Response<'a>) -> Turn {
        match self.try_turn(answer) {
            Ok(turn) => turn,
            Err(error) if retried(&error) => Turn::Open,
            Err(_) => Turn::Closed,
        }
    }

    fn try_turn(&mut self, answer: impl Fn(&Message<'_>) -> Response<'a>) -> io::Result<Turn> {
        if self.output.is_written() {
            let mut chunk = [0; CHUNK];
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Ok(Turn::Closed);
            }
            if self.phase == Phase::Lingering {
                return Ok(Turn::Open);
            }
            self.input.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
        loop {
            self.flush()?;
            let waits = !self.output.is_written() || self.phase != Phase::Serving;
            if waits || !self.next_answer(&answer) {
                return Ok(Turn::Open);
            }
        }
    }

    /// Writes some of what there is to write. The rest is for the next turn: others wait for theirs.
    fn flush(&mut self) -> io::Result<()> {
        if self.output.is_written() {
            return Ok(());
        }
        let next = self.output.next().map(IoSlice::new);
        match self.stream.write_vectored(&next)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => self.output.written = self.output.written.saturating_add(written),
        }
        if !self.output.is_written() {
            return Ok(());
        }
        self.output = Output::default();
        if self.phase == Phase::Last {
            self.stream.shutdown(Shutdown::Write)?;
            self.phase = Phase::Lingering;
            self.input = Vec::new();
            self.deadline = Instant::now() + LINGER;
        }
        Ok(())
    }

    /// Puts the answer to the next request into the output. False where there is no whole request.
    fn next_answer(&mut self, answer: impl Fn(&Message<'_>) -> Response<'a>) -> bool {
        match wire::parse(&self.input) {
            Parsed::Part => return false,
            Parsed::PartToContinue if self.continued => return false,
            Parsed::PartToContinue => {
                self.continued = true;
                self.output.head = CONTINUE.to_vec();
            }
            Parsed::Whole(message) => {
                self.output = Output::new(answer(&message), message.after);
                if message.after == After::Close {
                    self.phase = Phase::Last;
                }
                let length = message.length.min(self.input.len());
                self.input.drain(..length);
                self.continued = false;
                self.deadline = Instant::now() + PATIENCE;
            }
            Parsed::Refused(status) => {
                self.output = Output::new(Response::only(status), After::Close);
                self.phase = Phase::Last;
            }
        }
        true
    }
}

fn retried(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
