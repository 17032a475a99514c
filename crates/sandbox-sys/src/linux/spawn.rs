//! Starts a sandbox, and hears whether it could be set up.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::prctl::set_dumpable;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use sandbox_core::{First, Limits, Namespace, Plan, Session, Step};

use super::act::Rights;
use super::calls::{Calls, Known};
use super::cgroup::{self, Cgroups, Memory, Refused};
use super::child::{
    ENTER_CGROUP, EXECUTE, FILTER_COMMAND, FIND_CHILDREN, OWN_CGROUPS, Order, START_INIT, STREAMS,
};
use super::handle::{self, Handle};
use super::hear::{Ears, Heard, Unheard};
use super::image::own_from;
use super::init_file::InitFile;
use super::process::{Control, Process, Scope};
use super::program::{Descriptors, Program};
use super::protocol::{FILTER, INIT, LIMIT, NEW_SESSION, OWN_PID_NAMESPACE, Record};
use super::stack::Borrowed;
use super::undo::Leftovers;
use super::{clone, compile, why};
use crate::descriptors::{above_streams, at_least, callers_stream, fill_streams};
use crate::end::Life;
use crate::error::SpawnError;
use crate::set_up::SetUp;
use crate::streams::Streams;
use crate::words;

/// Carries out a plan up to the point where the command runs.
///
/// `set_up` is told of the child's PID as soon as there is one.
pub(crate) fn spawn(
    plan: &Plan,
    streams: &Streams,
    set_up: &mut SetUp<'_>,
) -> Result<Process, SpawnError> {
    let (first, limits) = (plan.exec.first, &plan.limits);
    let mut cgroups = Cgroups::make(limits, first, Memory::Later).map_err(unlimited)?;
    cgroups
        .stay_from(own_from(&plan.exec))
        .map_err(|source| SpawnError::host("keep what limits the command's memory open", source))?;
    let words = if first == First::Init { cgroups.words() } else { Vec::new() };
    let program = compile::program(plan, words)?;
    let descriptors = streams.command.each_ref().map(|fd| fd.as_ref().map(AsRawFd::as_raw_fd));
    let session = match plan.exec.session {
        Session::Callers => 0,
        Session::New => NEW_SESSION,
    };
    run(&program, &plan.namespaces, cgroups, descriptors, session, set_up)
        .map_err(|failure| explain(failure, plan))
}

/// The error where there is no cgroup for the limits.
fn unlimited(refused: Refused) -> SpawnError {
    let hint = Some(cgroup::why_not(&refused).to_string());
    let action = "make a cgroup for the limits".to_owned();
    SpawnError::Host { action, hint, source: refused.source() }
}

/// Tries steps out, in a child that ends after them.
pub(super) fn attempt(namespaces: &[Namespace], steps: &[Step]) -> Result<(), Failure> {
    let program = compile::steps(steps).map_err(|error| Failure::Step {
        index: 0,
        errno: error.os_error().and_then(io::Error::raw_os_error).unwrap_or(libc::EINVAL),
    })?;
    let cgroups = Cgroups::default();
    run(&program, namespaces, cgroups, [None; 3], 0, &mut SetUp::unwatched(&mut |_| Ok(())))
        .map(drop)
}

/// Tries limits out, with a child that enters and ends.
pub(super) fn attempt_limits(limits: &Limits) -> Result<(), Refused> {
    let cgroups = Cgroups::make(limits, First::Init, Memory::AtOnce)?;
    let nothing = compile::steps(&[]).map_err(|_| Refused::Unknown(io::ErrorKind::Other.into()))?;
    let mut untold = |_| Ok(());
    let mut set_up = SetUp::unwatched(&mut untold);
    let entered = run(&nothing, &[], cgroups, [None; 3], 0, &mut set_up);
    entered.map(drop).map_err(|failure| {
        let source = match failure {
            Failure::Child { errno, .. } | Failure::Clone { errno } => {
                io::Error::from_raw_os_error(errno)
            }
            Failure::Caller { source, .. } => source,
            _ => io::ErrorKind::Other.into(),
        };
        let (action, path) = ("enter a cgroup of its own below", "/sys/fs/cgroup".into());
        Refused::Kernel { action, path, source }
    })
}

/// Where it failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Before there was a child.
    Caller { action: &'static str, source: io::Error },
    /// The child could not be created.
    Clone { errno: i32 },
    /// In a step of the plan.
    Step { index: usize, errno: i32 },
    /// In the child, beyond the plan.
    Child { action: &'static str, errno: i32 },
    /// The command could not be executed.
    Exec { errno: i32 },
    /// Somebody killed the child.
    Killed,
    /// The caller's own word.
    NotWanted { source: io::Error },
    /// A signal came that the caller had held back.
    Signal { signal: i32 },
}

fn run(
    program: &Program,
    namespaces: &[Namespace],
    cgroups: Cgroups,
    streams: [Option<i32>; 3],
    init_flags: i32,
    set_up: &mut SetUp<'_>,
) -> Result<Process, Failure> {
    let caller = |action| move |source| Failure::Caller { action, source };
    let streams_open = (0..3).all(|number| callers_stream(number).is_some());
    let _fillers =
        if streams_open { Vec::new() } else { fill_streams().map_err(caller("open /dev/null"))? };
    let connecting = || caller("make a socket for the sandbox's init");
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(io::Error::from)
            .map_err(connecting())?;
    let own_from = program.exec.as_ref().map_or(0, |image| image.own_from);
    let ours = above_streams(ours).map_err(connecting())?;
    let theirs =
        above_streams(theirs).and_then(|fd| at_least(own_from, fd)).map_err(connecting())?;
    let calls = Calls::known();
    let myself = own_handle(calls).and_then(|fd| at_least(own_from, fd));
    let myself = myself.map_err(caller("get a pidfd of this process"))?;
    let stack = Borrowed::new().map_err(caller("allocate a stack"))?;
    let own_pids = namespaces.contains(&Namespace::Pid);
    let entry = cgroups.entry(namespaces).map_err(caller("open the cgroup for the limits"))?;
    let order = Order {
        program,
        entry: &entry,
        descriptors: Descriptors {
            streams,
            socket: theirs.as_raw_fd(),
            caller: myself.as_raw_fd(),
        },
        calls,
        init_flags: init_flags | if own_pids { OWN_PID_NAMESPACE } else { 0 },
        rights: Rights::of(namespaces),
        // Without it, the child makes its own, and reports what goes wrong.
        init: program.exec.is_some().then(InitFile::kept).and_then(Result::ok),
    };
    let dumpable = Dumpable::keep();
    let in_our_memory = AtomicI32::new(1);
    // SAFETY: `hear` returns only when the child has executed or is gone.
    #[allow(unsafe_code, reason = "starts the child in our memory")]
    let started = unsafe { clone::start(&order, &entry.namespaces, &stack, &in_our_memory) };
    let (pid, pidfd) = started
        .map_err(|error| Failure::Clone { errno: error.raw_os_error().unwrap_or(libc::EINVAL) })?;
    drop(theirs);
    let (handle, said, myself) = Handle::of(pid, pidfd, &ours, myself);
    // The child runs in our memory: a panic has to wait for its end.
    let (wanted, panic) =
        match catch_unwind(AssertUnwindSafe(|| (set_up.created)(pid.unsigned_abs()))) {
            Ok(wanted) => (wanted, None),
            Err(panic) => (Err(io::ErrorKind::Other.into()), Some(panic)),
        };
    let scope = if own_pids { Scope::Namespace } else { Scope::Descendants };
    let mut leftovers = Leftovers::default();
    let first = program.exec.as_ref().map_or(First::Init, |image| image.first);
    let ears = Ears {
        socket: &ours,
        handle: &handle,
        said,
        in_our_memory: &in_our_memory,
        scope,
        signals: set_up.signals,
    };
    let heard = ears.hear(wanted, |record, passed| leftovers.add(program, record, passed));
    drop(dumpable);
    let control = Arc::new(Control { handle, socket: ours, scope, first, killed: false.into() });
    let mut process = Process {
        pid,
        control,
        leftovers,
        cgroups,
        out_of_memory: 0,
        life: Life::Running,
        end: None,
    };
    match heard {
        Ok(Heard::Said(Record::Started { .. })) => {
            process.cgroups.memory_is_limited();
            Ok(process)
        }
        Ok(Heard::Executed) => limit_memory(process),
        Err(reason) => {
            // For what could not be held there has to be a descriptor now.
            drop(myself);
            let _ = process.control.kill().and_then(|()| process.end().map(drop).or(Ok(())));
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
            Err(Failure::of(reason))
        }
        Ok(heard) => {
            let failure = match heard {
                Heard::Said(Record::Failed { step, errno, detail }) => {
                    Some(failed(step, errno, detail))
                }
                _ if program.exec.is_none() => None,
                _ => Some(Failure::Killed),
            };
            // Only a child that has failed, or was never to execute, gets here: it exits by itself.
            let _ = process.end();
            match failure {
                // It was its init already that had not enough.
                Some(Failure::Killed) if process.out_of_memory > 0 => {
                    Err(Failure::Child { action: LIMITING, errno: libc::ENOMEM })
                }
                failure => failure.map_or(Ok(process), Err),
            }
        }
    }
}

/// Of a command without an init.
fn limit_memory(mut process: Process) -> Result<Process, Failure> {
    let Err(source) = process.cgroups.limit_memory() else { return Ok(process) };
    let _ = process.control.kill().and_then(|()| process.end().map(drop).or(Ok(())));
    Err(Failure::Caller { action: LIMITING, source })
}

impl Failure {
    fn of(reason: Unheard) -> Self {
        match reason {
            Unheard::NotKept(source) => {
                let action = "keep a descriptor for the mount points that are to be removed again";
                Self::Caller { action, source }
            }
            Unheard::NotWanted(source) => Self::NotWanted { source },
            Unheard::Signal(signal) => Self::Signal { signal },
        }
    }
}

const STARTING_INIT: &str = "start the sandbox's init";
const LIMITING: &str = "limit the command's memory";
const FILTERING: &str = "install the command's seccomp filters";

fn failed(step: u32, errno: i32, detail: u32) -> Failure {
    match step {
        FILTER_COMMAND => Failure::Child { action: FILTERING, errno },
        EXECUTE if detail == LIMIT => Failure::Child { action: LIMITING, errno },
        EXECUTE if detail == FILTER => Failure::Child { action: FILTERING, errno },
        EXECUTE if detail == INIT => Failure::Child { action: STARTING_INIT, errno },
        STREAMS => Failure::Child { action: "set up the command's streams", errno },
        FIND_CHILDREN => Failure::Child { action: "find the command's descendants", errno },
        ENTER_CGROUP => Failure::Child { action: "enter the cgroup for the limits", errno },
        OWN_CGROUPS => Failure::Child { action: "make a cgroup namespace", errno },
        START_INIT => Failure::Child { action: STARTING_INIT, errno },
        EXECUTE => Failure::Exec { errno },
        step => Failure::Step { index: step as usize, errno },
    }
}

fn explain(failure: Failure, plan: &Plan) -> SpawnError {
    let os = io::Error::from_raw_os_error;
    match failure {
        Failure::Caller { action, source } => SpawnError::host(action, source),
        Failure::Clone { errno } => {
            let names: Vec<_> = plan.namespaces.iter().map(ToString::to_string).collect();
            let action = match names.as_slice() {
                [] => "create a child".to_owned(),
                names => format!("create a child in new namespaces ({})", names.join(", ")),
            };
            let hint = why::clone_hint(errno, &plan.namespaces);
            SpawnError::Host { action, hint, source: os(errno) }
        }
        Failure::Step { index, errno } => match plan.steps.get(index) {
            Some(step) => SpawnError::Step {
                step: Box::new(step.clone()),
                hint: why::step_hint(step, errno),
                source: os(errno),
            },
            None => SpawnError::host("carry out the plan", os(errno)),
        },
        Failure::Child { action, errno } => SpawnError::Host {
            action: action.to_owned(),
            hint: why::child_hint(errno),
            source: os(errno),
        },
        Failure::Exec { errno } => SpawnError::Exec {
            program: plan.exec.command.program().to_owned(),
            hint: words::exec_hint(errno),
            source: os(errno),
        },
        Failure::Killed => SpawnError::Killed,
        Failure::NotWanted { source } => SpawnError::NotWanted { source },
        Failure::Signal { signal } => SpawnError::Interrupted { signal },
    }
}

/// What the sandbox's init notices the caller's end by. Where there are no pidfds, it is the child that makes it;
/// then this is something to hold in the place of a child that has ended before.
fn own_handle(calls: Calls) -> io::Result<OwnedFd> {
    match calls.pidfd {
        Known::Yes => pidfd(std::process::id()),
        Known::No => handle::hung_up(),
    }
}

/// A pidfd: of this process, by which the init notices the caller's end, or of one that is to be killed.
#[allow(unsafe_code, reason = "pidfd_open(2) has no wrapper in libc")]
pub(super) fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: no pointers; the result is checked before it is owned.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just made it, for us.
        Ok(fd) if fd >= 0 => above_streams(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps this process as traceable as it was: that is an attribute of its memory, which the child
/// shares and which the kernel takes away when the child changes its ids (`PR_SET_DUMPABLE`, prctl(2)).
struct Dumpable;

/// How many children share our memory now, and what the attribute was before the first of them.
static SHARED: Mutex<(usize, bool)> = Mutex::new((0, false));

/// Not the wrapper of a library: those know yes and no, and `fs.suid_dumpable` can make it "by root".
#[allow(unsafe_code, reason = "prctl(2)")]
pub(super) fn is_dumpable() -> bool {
    // SAFETY: takes no pointer.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE) == 1 }
}

impl Dumpable {
    fn keep() -> Self {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.0 == 0 {
            shared.1 = is_dumpable();
        }
        shared.0 += 1;
        Self
    }
}

impl Drop for Dumpable {
    fn drop(&mut self) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.0 -= 1;
        if shared.0 == 0 && shared.1 && !is_dumpable() {
            let _ = set_dumpable(true);
        }
    }
}
