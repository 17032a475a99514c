//! A plan compiled for the child: every string, number and pointer that it will hand to the kernel.
//!
//! The caller owns all of it. The child only reads, but for the atomics, which are its notes.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64};

use sandbox_core::{First, IdMap, Missing};

use super::kernel::Depth;

/// What the child does, in order, and what it executes then.
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) exec: Option<Image>,
    /// Held mounts, one for each [`Act::Hold`], filled in by the child.
    pub(super) held: Vec<AtomicI32>,
    /// The ids of mounts that will be reopened, filled in by the child.
    pub(super) ids: Vec<AtomicU64>,
}

/// One operation, and the step of the plan that it belongs to.
pub(super) struct Op {
    pub(super) step: u32,
    pub(super) act: Act,
}

/// An operation of the child.
pub(super) enum Act {
    /// Writes a file of the host's /proc.
    Write {
        path: &'static CStr,
        content: Vec<u8>,
    },
    PrivateMounts,
    /// A tmpfs is attached below where the new root comes. Files in memory are made in it; and recursive
    /// copies of the host's root leave it out, and with it all that is on it.
    Scratch,
    RootTree(CString),
    RootDirectory(CString),
    RootEmpty,
    Make(Target),
    BindDescriptor {
        descriptor: i32,
        /// Where it is. The mount that a descriptor was opened on is not of the sandbox's namespace.
        source: CString,
        target: CString,
        attributes: u64,
        depth: Depth,
    },
    TemporaryOverlay {
        data: CString,
        flags: libc::c_ulong,
        target: CString,
    },
    Bind {
        source: CString,
        target: CString,
        attributes: u64,
        depth: Depth,
        missing: Missing,
    },
    Mount {
        kind: &'static CStr,
        data: CString,
        flags: libc::c_ulong,
        target: CString,
        /// Where its id is noted, if it will be reopened.
        id: Option<usize>,
    },
    RestrictInPlace {
        target: CString,
        attributes: u64,
    },
    Restrict {
        target: CString,
        attributes: u64,
        depth: Depth,
        missing: Missing,
    },
    Mask(CString),
    Hold {
        path: CString,
        slot: usize,
    },
    Find(CString),
    ReadOnly,
    Release {
        path: CString,
        slot: usize,
    },
    Reopen {
        path: CString,
        id: Option<usize>,
    },
    PivotRoot,
    Chroot,
    Lock(CString),
    File(FileAct),
    Process(ProcessAct),
}

/// What is made because it was asked for by name.
pub(super) enum FileAct {
    Directory {
        path: CString,
        mode: u32,
    },
    File {
        path: CString,
        content: Vec<u8>,
        mode: u32,
    },
    Link {
        path: CString,
        to: CString,
    },
    Mode {
        path: CString,
        mode: u32,
    },
    /// A file in memory, bound.
    Data {
        target: CString,
        content: Vec<u8>,
        mode: u32,
        attributes: u64,
    },
}

/// What is about the process itself, once its root is settled.
pub(super) enum ProcessAct {
    LoopbackUp,
    HostName(CString),
    ChangeDirectory(CString),
    /// Each with the variable that names it.
    FirstDirectory(Vec<(CString, CString)>),
    Await(i32),
    SetIds {
        uid: u32,
        gid: u32,
        groups: Vec<u32>,
    },
    DropCapabilities,
    /// A bit for each capability, by its number.
    KeepCapabilities(u64),
    NoNewPrivileges,
    /// Is held to this filter, as is all that it starts.
    Filter(Vec<libc::sock_filter>),
}

/// A directory or an empty file that is made where it is missing.
pub(super) struct Target {
    pub(super) kind: TargetKind,
    /// Which of the plan's targets it is.
    pub(super) number: u32,
    /// Absolute, below the new root.
    pub(super) path: CString,
    /// Whether what is made may be on the host, and so has to be removed; otherwise it is in memory
    /// that ends with the sandbox.
    pub(super) on_host: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetKind {
    Directory,
    File,
}

/// What the child executes: the sandbox's init, which then executes the command; or the command.
pub(super) struct Image {
    pub(super) first: First,
    /// Pointers to `strings`, with a null pointer at the end. The child puts init's parameters in.
    pub(super) argv: Vec<AtomicPtr<libc::c_char>>,
    /// The same for the environment.
    pub(super) envp: Vec<AtomicPtr<libc::c_char>>,
    /// Which of these is `PWD`, if one is.
    pub(super) pwd: Option<usize>,
    /// Which is `LISTEN_PID`, to which a number has to be added.
    pub(super) listen_pid: Option<usize>,
    pub(super) candidates: i32,
    /// Filters for the command, as words of init's (see the protocol).
    pub(super) filters: i32,
    /// What the init writes to limit memory, as words of its.
    pub(super) limits: i32,
    /// The same for a command that is the first process: init's words are passed over.
    pub(super) programs: Vec<Vec<libc::sock_filter>>,
    /// Descriptors that the command gets, by the same numbers.
    pub(super) descriptors: Vec<i32>,
    /// Copies of those that it gets as 3, 4, and so on: no copy has such a number.
    pub(super) listen_fds: Vec<OwnedFd>,
    /// The first number after these.
    pub(super) own_from: i32,
    /// What the pointers point to: each has an allocation of its own, which does not move.
    pub(super) _strings: Vec<CString>,
}

/// The descriptors that the child is given.
pub(super) struct Descriptors {
    /// For standard input, output and error: above 2, or `None` for the caller's own.
    pub(super) streams: [Option<i32>; 3],
    pub(super) socket: i32,
    pub(super) caller: i32,
}

pub(super) fn map_line(map: IdMap) -> Vec<u8> {
    format!("{} {} 1\n", map.inside, map.outside).into_bytes()
}
