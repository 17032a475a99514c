//! What the caller and the sandbox's init say to each other.
//!
//! Init's command line:
//!
//! ```text
//! sandbox-init PARAMETERS CANDIDATE... FILTER... LIMIT... COMMAND-ARGV...
//! ```
//!
//! where the candidates are the absolute paths to try as the command's program, in order, and the filters
//! are seccomp programs for the command, in hexadecimal: a word can hold no NUL. A limit is a descriptor, a
//! `:`, and what init writes to it before it starts the command.
//! Init's environment is the command's. Afterwards they talk over a `SOCK_SEQPACKET` socket:
//! init sends a [`Record`], the caller sends a [`Message`].
//!
//! This file uses `core` only: the library and the init program both compile it.
#![allow(dead_code, reason = "each side encodes what the other one decodes")]

use core::ffi::CStr;

/// argv\[0] of init, and the name that ps(1) shows.
pub(crate) const INIT_NAME: &CStr = c"sandbox-init";

/// Where PARAMETERS, and the first CANDIDATE, stand in init's argv.
pub(crate) const ARGV_PARAMETERS: usize = 1;
pub(crate) const ARGV_CANDIDATES: usize = 2;

/// The command gets a session of its own: setsid(2).
pub(crate) const NEW_SESSION: i32 = 1 << 0;
/// Init is PID 1 of a PID namespace: when it exits, the kernel kills all the others.
pub(crate) const OWN_PID_NAMESPACE: i32 = 1 << 1;

/// The command finds its PID in its environment: [`LISTEN_PID`].
pub(crate) const TELL_PID: i32 = 1 << 2;

/// The PARAMETERS argument: decimal numbers in this order, separated by `:`.
///
/// File descriptors 0 to 2 are always the command's, so none of init's own may be among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Init's end of the socket pair.
    pub(crate) socket: i32,
    /// A pidfd of the caller; before Linux 5.4 a pipe that has the caller at its other end; or -1.
    pub(crate) caller_pidfd: i32,
    /// Init's `/proc/self/task/TID/children`, or -1. Used without a PID namespace only.
    pub(crate) children: i32,
    /// [`NEW_SESSION`], [`OWN_PID_NAMESPACE`], [`TELL_PID`].
    pub(crate) flags: i32,
    /// How many CANDIDATEs there are.
    pub(crate) candidates: i32,
    /// How many FILTERs there are.
    pub(crate) filters: i32,
    /// How many LIMITs there are.
    pub(crate) limits: i32,
    /// No descriptor that is open has a higher number than this.
    pub(crate) last: i32,
    /// The `step` of [`Record::Failed`] when no candidate could be executed.
    pub(crate) exec_step: i32,
}

impl Parameters {
    /// Room for nine times `-2147483648` and a separator or the final NUL.
    pub(crate) const MAX_LEN: usize = 9 * 12;

    /// Writes the argument at the end of `buffer`, without allocating: it may be a forked child
    /// that does this.
    pub(crate) fn encode<'a>(&self, buffer: &'a mut [u8; Self::MAX_LEN]) -> &'a CStr {
        let Self {
            socket,
            caller_pidfd,
            children,
            flags,
            candidates,
            filters,
            limits,
            last,
            exec_step,
        } = *self;
        let mut text = Backwards { start: buffer.len(), buffer };
        let mut end = 0;
        for number in
            [exec_step, last, limits, filters, candidates, flags, children, caller_pidfd, socket]
        {
            text.prepend(end);
            end = b':';
            text.prepend_decimal(number);
        }
        CStr::from_bytes_until_nul(text.into_bytes()).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        let mut fields = text.split(|&byte| byte == b':').map(decimal);
        let mut next = || fields.next().flatten();
        let parameters = Self {
            socket: next()?,
            caller_pidfd: next()?,
            children: next()?,
            flags: next()?,
            candidates: next()?,
            filters: next()?,
            limits: next()?,
            last: next()?,
            exec_step: next()?,
        };
        fields.next().is_none().then_some(parameters)
    }
}

/// A text that is written from its end, without allocating. What does not fit is left out: init has no code
/// for panics.
struct Backwards<'a> {
    buffer: &'a mut [u8],
    start: usize,
}

impl<'a> Backwards<'a> {
    fn prepend(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.buffer.get_mut(self.start) {
            *place = byte;
        }
    }

    fn prepend_decimal(&mut self, number: i32) {
        let mut rest = number.unsigned_abs();
        loop {
            self.prepend(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.prepend(b'-');
        }
    }

    fn into_bytes(self) -> &'a [u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

/// How the variable begins that says which process the command is; in init's environment nothing follows.
pub(crate) const LISTEN_PID: &[u8] = b"LISTEN_PID=";

/// Room for that variable: a number of ten digits, and the NUL.
pub(crate) type ListenPidWord = [u8; LISTEN_PID.len() + 11];

/// The variable, whole, with its NUL. Plain digits: who reads them may take a leading zero for octal, and a blank for a
/// mistake.
pub(crate) fn listen_pid(pid: i32, word: &mut ListenPidWord) -> &[u8] {
    let mut text = Backwards { start: word.len(), buffer: word };
    text.prepend(0);
    text.prepend_decimal(pid);
    LISTEN_PID.iter().rev().for_each(|byte| text.prepend(*byte));
    text.into_bytes()
}

/// Reads a LIMIT: the descriptor, and what to write.
pub(crate) fn limit(text: &[u8]) -> Option<(i32, &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (descriptor, value) = text.split_at_checked(colon)?;
    Some((decimal(descriptor)?, value.get(1..)?))
}

/// Reads a decimal number, by hand: `str::parse` would bring Unicode tables into init.
fn decimal(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(sign * i32::from(digit - b'0')),
        _ => None,
    })
}

/// What init, or the child that sets the sandbox up, tells the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The command could not be started. Nothing follows. `detail` is [`FILTER`], [`LIMIT`] or [`INIT`]
    /// where it was these.
    Failed { step: u32, errno: i32, detail: u32 },
    /// An open file is passed along, for the caller to keep as long as the sandbox lives.
    Kept,
    /// A directory of the host is passed along, in which something was made.
    Directory,
    /// A mount point was made on the host: one of the plan's targets, or the part of it that ends at a
    /// byte; a lock on it is passed along. It is in the last directory that was passed; or, where as
    /// many components right above it as `above` says have just been made, below it by so many.
    Made { target: u32, end: u32, above: u32, inode: u64 },
    /// The child is about to become the command, without an init.
    Executing,
    /// One end of a pipe is passed along whose other end is the child's alone.
    Lifeline,
    /// The command runs. `pid` is its PID as init sees it.
    Started { pid: i32 },
    /// The command has ended, with a status as of wait(2). Nothing follows.
    Ended { status: i32, usage: Usage },
}

/// The `detail` of a command that could not be filtered.
pub(crate) const FILTER: u32 = 1;

/// The `detail` of a command whose memory could not be limited.
pub(crate) const LIMIT: u32 = 2;

/// The `detail` of a command that init could not get ready for.
pub(crate) const INIT: u32 = 3;

/// The longest FILTER, in instructions of 8 bytes (`BPF_MAXINSNS`).
pub(crate) const LONGEST_FILTER: usize = 4096;

/// The resources used by the command and by all its descendants that have been reaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    /// Of the largest process.
    pub(crate) max_rss_kib: u64,
}

impl Record {
    /// A record is a kind and four numbers, native endian, unused ones zero.
    pub(crate) const LEN: usize = 5 * size_of::<u64>();

    const FAILED: u64 = 1;
    const STARTED: u64 = 2;
    const ENDED: u64 = 3;
    const MADE: u64 = 4;
    const DIRECTORY: u64 = 5;
    const KEPT: u64 = 6;
    const EXECUTING: u64 = 7;
    const LIFELINE: u64 = 8;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let signed = |number: i32| i64::from(number).cast_unsigned();
        let numbers = match self {
            Self::Failed { step, errno, detail } => {
                [Self::FAILED, step.into(), signed(errno), detail.into(), 0]
            }
            Self::Directory => [Self::DIRECTORY, 0, 0, 0, 0],
            Self::Kept => [Self::KEPT, 0, 0, 0, 0],
            Self::Executing => [Self::EXECUTING, 0, 0, 0, 0],
            Self::Lifeline => [Self::LIFELINE, 0, 0, 0, 0],
            Self::Made { target, end, above, inode } => {
                [Self::MADE, target.into(), end.into(), above.into(), inode]
            }
            Self::Started { pid } => [Self::STARTED, signed(pid), 0, 0, 0],
            Self::Ended { status, usage: Usage { user_us, system_us, max_rss_kib } } => {
                [Self::ENDED, signed(status), user_us, system_us, max_rss_kib]
            }
        };
        let mut bytes = [0; Self::LEN];
        for (chunk, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *chunk = number.to_ne_bytes();
        }
        bytes
    }

    /// `None` when `bytes` is not exactly one record.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[kind, a, b, c, d], []) = bytes.as_chunks() else { return None };
        let [kind, a, b, c, d] = [kind, a, b, c, d].map(u64::from_ne_bytes);
        let signed = |number: u64| i32::try_from(number.cast_signed()).ok();
        let unsigned = |number: u64| u32::try_from(number).ok();
        Some(match kind {
            Self::FAILED => {
                Self::Failed { step: unsigned(a)?, errno: signed(b)?, detail: unsigned(c)? }
            }
            Self::DIRECTORY => Self::Directory,
            Self::KEPT => Self::Kept,
            Self::EXECUTING => Self::Executing,
            Self::LIFELINE => Self::Lifeline,
            Self::MADE => Self::Made {
                target: unsigned(a)?,
                end: unsigned(b)?,
                above: unsigned(c)?,
                inode: d,
            },
            Self::STARTED => Self::Started { pid: signed(a)? },
            Self::ENDED => Self::Ended {
                status: signed(a)?,
                usage: Usage { user_us: b, system_us: c, max_rss_kib: d },
            },
            _ => return None,
        })
    }
}

/// What the caller tells init: one byte. Closing the socket means [`Message::Kill`], unheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Send the command this signal.
    Signal(u8),
    /// Kill the command and all its descendants, then report how it ended.
    Kill,
}

impl Message {
    const KILL: u8 = 0xff;

    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::Signal(signal) => signal,
            Self::Kill => Self::KILL,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1..=64 => Some(Self::Signal(byte)),
            Self::KILL => Some(Self::Kill),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
