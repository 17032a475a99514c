//! A plan: the ordered list of what will be done, as a pure value.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::absent::Missing;
use crate::capability::BackendName;
use crate::command::{CommandLine, Environment, Input, Output};
use crate::feature::Setting;
use crate::limits::Limits;
use crate::mount::{MountFlag, OverlayUpper, Recursion};
use crate::negotiate::{Downgrade, Granted};
use crate::path::InsidePath;
use crate::privileges::{Capability, KeptCapabilities};
use crate::process::{First, ListenPid, Session};
use crate::seccomp::SeccompProgram;
use crate::time_out::TimeOut;

/// Everything that will be done for one sandbox, in order, before the command runs.
///
/// A plan is printed by `--explain`, compared in tests, and carried out by `sandbox_sys::spawn`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The backend that made it.
    pub backend: BackendName,
    /// The namespaces that the child is created in.
    pub namespaces: Vec<Namespace>,
    /// What holds the child and all that comes of it, before its first step.
    pub limits: Limits,
    /// What the child does, in order.
    pub steps: Vec<Step>,
    /// What is executed at the end.
    pub exec: Exec,
    /// How long that may take.
    pub time_out: Option<TimeOut>,
    /// What the caller should know: how a granted setting is met in a way that could surprise.
    pub notes: Vec<Note>,
    /// What was stepped down on the way here.
    pub downgrades: Vec<Downgrade>,
}

/// The kinds of Linux namespaces (namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Namespace {
    /// user_namespaces(7)
    User,
    /// mount_namespaces(7)
    Mount,
    /// pid_namespaces(7)
    Pid,
    /// network_namespaces(7)
    Network,
    /// ipc_namespaces(7)
    Ipc,
    /// uts_namespaces(7)
    Uts,
    /// cgroup_namespaces(7)
    Cgroup,
}

/// One operation of the child. Each is one thing that the kernel is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Names the caller's ids in the new user namespace.
    MapIds {
        /// The user inside, and the one outside that it stands for.
        uid: IdMap,
        /// The same for the group.
        gid: IdMap,
    },
    /// Cuts the propagation of mounts, both ways, recursively.
    PrivateMounts,
    /// Takes a copy of a directory, with the mounts below it, as the new root.
    RootTree(PathBuf),
    /// Takes a directory as it is as the new root, without a mount of its own.
    RootDirectory(PathBuf),
    /// Takes an empty tmpfs as the new root.
    RootEmpty,
    /// Makes a directory in the new root, with its parents, where it is missing; it is removed again
    /// at the end.
    MakeDirectory(InsidePath),
    /// Makes an empty file in the new root, with its parents, where it is missing; it is removed again
    /// at the end.
    MakeFile(InsidePath),
    /// Makes a mount target of the kind that the source is, where it is missing.
    MakeTarget {
        /// The target.
        target: InsidePath,
        /// The host path that decides between a directory and a file.
        like: PathBuf,
        /// What it means that this path does not exist.
        missing: Missing,
    },
    /// Makes a mount target of the kind that a descriptor's file is, where it is missing.
    MakeTargetFor {
        /// The target.
        target: InsidePath,
        /// One of the caller's descriptors.
        descriptor: i32,
    },
    /// Makes a directory, with its parents, where it is missing, for good.
    CreateDirectory {
        /// The directory.
        target: InsidePath,
        /// Its permission bits; its parents have 0755.
        mode: u32,
    },
    /// Makes or overwrites a file, with its parents, for good.
    CreateFile {
        /// The file.
        target: InsidePath,
        /// What is in it.
        content: Vec<u8>,
        /// Its permission bits, where it is made.
        mode: u32,
    },
    /// Makes a symbolic link, with its parents, for good, where the same one is not there already.
    Symlink {
        /// The link.
        at: InsidePath,
        /// Its content.
        to: PathBuf,
    },
    /// Changes permission bits.
    ChangeMode {
        /// Of what.
        target: InsidePath,
        /// The bits.
        mode: u32,
    },
    /// Binds a file in memory.
    BindData {
        /// The target.
        target: InsidePath,
        /// What is in it.
        content: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// Restrictions.
        flags: Vec<MountFlag>,
    },
    /// Binds what a descriptor refers to.
    BindDescriptor {
        /// One of the caller's descriptors.
        descriptor: i32,
        /// The target.
        target: InsidePath,
        /// Whether the mounts below come along.
        recursion: Recursion,
        /// Restrictions.
        flags: Vec<MountFlag>,
    },
    /// Binds a host path.
    Bind {
        /// The host path.
        source: PathBuf,
        /// The target.
        target: InsidePath,
        /// Whether the mounts below come along.
        recursion: Recursion,
        /// Restrictions.
        flags: Vec<MountFlag>,
        /// What it means that the source does not exist.
        missing: Missing,
    },
    /// Binds the terminal that one of the command's three streams is, the first that is one; where none
    /// is, `/dev/null`. The host's own console counts as none.
    BindConsole(InsidePath),
    /// Mounts a new file system.
    Mount {
        /// What.
        filesystem: NewFilesystem,
        /// The target.
        target: InsidePath,
        /// Restrictions.
        flags: Vec<MountFlag>,
    },
    /// Restricts the mount that is at a path, and not those below it.
    RestrictInPlace {
        /// The path.
        target: InsidePath,
        /// Restrictions.
        flags: Vec<MountFlag>,
    },
    /// Restricts what is at a path, mounting it onto itself first.
    Restrict {
        /// The path.
        target: InsidePath,
        /// Whether the mounts below it come along.
        recursion: Recursion,
        /// Restrictions.
        flags: Vec<MountFlag>,
        /// What a missing path means.
        missing: Missing,
    },
    /// Hides what is at a path: an empty read-only directory or `/dev/null` takes its place.
    Mask(InsidePath),
    /// Keeps hold of a path that will stay writable.
    HoldWritable(InsidePath),
    /// Makes sure that a path exists.
    Find(InsidePath),
    /// Makes every mount of the new root read-only, with one system call.
    ReadOnly,
    /// Mounts a held path back over its read-only self.
    ReleaseWritable(InsidePath),
    /// Makes one mount of the plan's own, on which nothing is restricted, writable again.
    Reopen(InsidePath),
    /// Makes the new root the root, and detaches the old one.
    PivotRoot,
    /// Makes the new root the root, by chroot(2).
    Chroot,
    /// Brings the loopback interface up.
    LoopbackUp,
    /// Sets the host name, and clears the domain name.
    SetHostname(String),
    /// Changes the working directory.
    ChangeDirectory(InsidePath),
    /// Changes to the directory that the caller is in, by its path.
    KeepDirectory,
    /// Changes to the first of some directories that there is.
    FirstDirectory(Vec<InsidePath>),
    /// Waits until a byte can be read from one of the caller's descriptors, or its end.
    Await(i32),
    /// Takes a shared lock on a file and holds it as long as the sandbox lives.
    Lock(InsidePath),
    /// No further user namespaces can be made from this one on (`user.max_user_namespaces`).
    LastUserNamespace,
    /// Becomes a user and a group, with supplementary groups.
    SetIds {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// All of its supplementary groups.
        groups: Vec<u32>,
    },
    /// Gives up all capabilities, in every set, for good.
    DropCapabilities,
    /// Gives up all capabilities but these, which every program of the command's has.
    KeepCapabilities(Vec<Capability>),
    /// No program can give privileges any more (`PR_SET_NO_NEW_PRIVS`).
    NoNewPrivileges,
    /// Refuses to push input into the session's terminal (`TIOCSTI`, `TIOCLINUX`), by a seccomp filter;
    /// there is nothing to refuse where the session has none.
    BlockTerminalInput,
    /// Refuses what builds never need, by a seccomp filter, but for what these capabilities are for.
    BuildProfile(KeptCapabilities),
}

/// One id inside and the id outside that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdMap {
    /// In the sandbox.
    pub inside: u32,
    /// In the caller's user namespace.
    pub outside: u32,
}

/// File systems that a plan mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewFilesystem {
    /// proc(5)
    Proc,
    /// tmpfs(5)
    Tmpfs {
        /// At most so many bytes.
        size: Option<u64>,
        /// The permission bits of its root.
        mode: u32,
    },
    /// devpts, with an instance of its own.
    Devpts,
    /// sysfs(5)
    Sysfs,
    /// mq_overview(7)
    Mqueue,
    /// overlayfs
    Overlay {
        /// The layers, the uppermost first.
        lower: Vec<PathBuf>,
        /// Where changes go.
        upper: Option<OverlayUpper>,
        /// Where the overlay keeps its own marks.
        marks: OverlayMarks,
    },
    /// overlayfs, with changes in memory.
    TemporaryOverlay {
        /// The layers, the uppermost first.
        lower: Vec<PathBuf>,
        /// Where the overlay keeps its own marks.
        marks: OverlayMarks,
    },
}

/// Where overlayfs keeps whiteouts' and opaque directories' extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverlayMarks {
    /// `trusted.overlay.*`, which only the privileged can read.
    Trusted,
    /// `user.overlay.*` (the option `userxattr`), for everybody else.
    User,
}

/// The command, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exec {
    /// The command line.
    pub command: CommandLine,
    /// What the program is told as its name, where it is not the first word.
    pub argv0: Option<OsString>,
    /// Its environment.
    pub env: Environment,
    /// Standard input.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// The session that it belongs to.
    pub session: Session,
    /// What is the sandbox's first process.
    pub first: First,
    /// The caller's descriptors that the command gets, by the same numbers.
    pub descriptors: Vec<i32>,
    /// The caller's descriptors that the command gets as 3, 4, and so on.
    pub listen_fds: Vec<i32>,
    /// Whether its environment says which process it is.
    pub listen_pid: ListenPid,
    /// Filters of system calls.
    pub seccomp: Vec<SeccompProgram>,
}

/// Something about how a setting is met that the caller should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The setting.
    pub setting: Setting,
    /// What, in one sentence.
    pub text: String,
}

impl Note {
    /// A note.
    pub fn new(setting: Setting, text: impl Into<String>) -> Self {
        Self { setting, text: text.into() }
    }
}

impl Plan {
    /// The plan that only executes the command of a granted configuration.
    pub fn new(granted: &Granted) -> Self {
        let config = granted.config();
        let exec = Exec {
            command: config.command.clone(),
            env: config.env.clone(),
            stdin: config.stdin.clone(),
            stdout: config.stdout.clone(),
            stderr: config.stderr.clone(),
            argv0: config.process.argv0.clone(),
            session: config.process.session,
            first: config.process.first,
            descriptors: config.process.descriptors.iter().copied().collect(),
            listen_fds: config.process.listen_fds.clone(),
            listen_pid: config.process.listen_pid,
            seccomp: config.seccomp.programs().to_vec(),
        };
        Self {
            backend: granted.backend(),
            namespaces: Vec::new(),
            limits: config.limits,
            steps: Vec::new(),
            exec,
            time_out: config.time_out,
            notes: Vec::new(),
            downgrades: granted.downgrades().to_vec(),
        }
    }
}
