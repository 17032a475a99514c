//! Where a fault is put: a process by its role, a system call, and which one of its kind.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;
use syscalls::Sysno;

/// A process, by who has started it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Role {
    path: String,
    pub(super) kind: Kind,
}

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The program that was started.
    Caller,
    /// A thread of it.
    Thread,
    /// Between clone and exec.
    Child,
    /// After its exec.
    Init,
    /// The init's child, before it executes the command.
    Start,
}

impl Role {
    pub(super) fn caller() -> Self {
        Self { path: "caller".to_owned(), kind: Kind::Caller }
    }

    pub(super) fn is_caller(&self) -> bool {
        self.kind == Kind::Caller
    }

    pub(super) fn thread(&self) -> Self {
        Self { path: format!("{}/thread", self.path), kind: Kind::Thread }
    }

    pub(super) fn child(&self, nth: u32) -> Self {
        let kind = if self.kind == Kind::Init { Kind::Start } else { Kind::Child };
        Self { path: format!("{}/{nth}", self.path), kind }
    }

    pub(super) fn init(&self) -> Self {
        Self { path: format!("{}:init", self.path), kind: Kind::Init }
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Thread => "thread",
            Self::Child => "child",
            Self::Init => "init",
            Self::Start => "start",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Site {
    pub(super) role: Role,
    number: u64,
    /// Of calls that are many in one: which one.
    pub(super) detail: Option<u64>,
    /// From 1, among those of the same call and detail in this process.
    pub(super) nth: u32,
}

impl Site {
    pub(super) fn new(role: Role, number: u64, words: [u64; 3]) -> Self {
        let mut site = Self { role, number, detail: None, nth: 0 };
        site.detail = match site.call() {
            "prctl" => Some(words[0]),
            // Without its flags, "private" and "by the real-time clock".
            "futex" => Some(words[1] & 0x7f),
            "fcntl" | "ioctl" => Some(words[1] & 0xffff_ffff),
            _ => None,
        };
        site
    }

    /// The name of the call alone.
    pub(super) fn call(&self) -> &'static str {
        let number = usize::try_from(self.number).unwrap_or(usize::MAX);
        Sysno::new(number).map_or("unknown", |call| call.name())
    }

    /// The same, as `explained.txt` has it: `prctl:4`.
    pub(super) fn name(&self) -> String {
        match self.detail {
            Some(detail) => format!("{}:{detail}", self.call()),
            None => self.call().to_owned(),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} #{}", self.role.path, self.name(), self.nth)
    }
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) site: Site,
    /// What the kernel answered, unless the process ended in it.
    pub(super) result: Option<i64>,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// The call is not made, and this is its answer.
    Errno(i32),
    /// SIGKILL, for the process whose call it is.
    Kill,
    /// SIGKILL for the caller, before the call goes on.
    KillCaller,
    /// The call is made later, while all others go on.
    Delay(Duration),
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(number) => write!(f, "{:?}", Errno::from_raw(*number)),
            Self::Kill => f.write_str("kill"),
            Self::KillCaller => f.write_str("kill-caller"),
            Self::Delay(_) => f.write_str("delay"),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) site: Site,
    pub(super) means: Means,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.site, self.means)
    }
}
