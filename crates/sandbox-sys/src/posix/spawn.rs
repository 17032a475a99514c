//! Starts a command, and hears whether it could be set up.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::resource::{Resource, getrlimit};
use sandbox_core::Plan;

use super::child::{self, EXECUTE, Order, Report, SESSION, STREAMS};
use super::mounts::Mounts;
use super::process::{Process, reap};
use super::program::{Program, compile};
use crate::descriptors::{above_streams, fill_streams};
use crate::error::SpawnError;
use crate::set_up::SetUp;
use crate::streams::Streams;
use crate::words;

/// Carries out a plan up to the point where the command runs.
pub(crate) fn spawn(
    plan: &Plan,
    streams: &Streams,
    set_up: &mut SetUp<'_>,
) -> Result<Process, SpawnError> {
    refuse_ignored_children()?;
    let (root, program) = compile(plan)?;
    let mut mounts = Mounts::below(root);
    for (index, mounting) in &program.mounts {
        if let Err(source) = mounts.carry_out(mounting) {
            return Err(also(step_failed(plan, *index, source), mounts.undo()));
        }
    }
    let descriptors = streams.command.each_ref().map(|fd| fd.as_ref().map(AsRawFd::as_raw_fd));
    let started = start(&program, descriptors).map_err(|failure| match failure {
        Failure::Caller { action, source } => SpawnError::host(action, source),
        Failure::Child { step, errno } => explain(plan, step, io::Error::from_raw_os_error(errno)),
    });
    let pid = match started {
        Ok(pid) => pid,
        Err(error) => return Err(also(error, mounts.undo())),
    };
    let mut process = Process::watch(pid, plan.exec.session, mounts)
        .map_err(|error| SpawnError::host("start a thread that waits for the command", error))?;
    if let Err(source) = (set_up.created)(pid.unsigned_abs()) {
        let _ = process.control().kill().and_then(|()| process.end().map(drop).or(Ok(())));
        return Err(SpawnError::NotWanted { source });
    }
    Ok(process)
}

/// Tries acts out, in a child that ends after them.
pub(super) fn attempt(program: &Program) -> io::Result<()> {
    let pid = start(program, [None; 3]).map_err(|failure| match failure {
        Failure::Caller { source, .. } => source,
        Failure::Child { errno, .. } => io::Error::from_raw_os_error(errno),
    })?;
    reap(pid).map(drop)
}

enum Failure {
    /// Before there was a child.
    Caller { action: &'static str, source: io::Error },
    /// In the child.
    Child { step: u32, errno: i32 },
}

fn start(program: &Program, streams: [Option<i32>; 3]) -> Result<libc::pid_t, Failure> {
    let caller = |action| move |source| Failure::Caller { action, source };
    let _fillers = fill_streams().map_err(caller("open /dev/null"))?;
    let piping = || caller("make a pipe for the child's report");
    let (reader, writer) = io::pipe().map_err(piping())?;
    let report: OwnedFd = above_streams(writer.into()).map_err(piping())?;
    let order = Order { program, streams, report: &report, descriptors: descriptors() };
    let pid = child::start(&order).map_err(caller("create a child"))?;
    drop(report);
    match hear(reader) {
        None => Ok(pid),
        Some((step, errno)) => {
            let _ = reap(pid);
            Err(Failure::Child { step, errno })
        }
    }
}

/// The step that failed and why; nothing where exec has closed the pipe.
fn hear(mut reader: io::PipeReader) -> Option<(u32, i32)> {
    let mut report: Report = [0; 8];
    reader.read_exact(&mut report).ok()?;
    let [step, errno] = *report.as_chunks().0 else { return None };
    Some((u32::from_ne_bytes(step), i32::from_ne_bytes(errno)))
}

/// The first number that no descriptor can have, or a bound where there is none.
fn descriptors() -> i32 {
    const BOUND: i32 = 1 << 20;
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, _)| i32::try_from(soft));
    soft.map_or(BOUND, |soft| soft.unwrap_or(BOUND)).min(BOUND)
}

/// The kernel keeps no status of the children of such a process.
fn refuse_ignored_children() -> Result<(), SpawnError> {
    if children_are_ignored() {
        return Err(SpawnError::Host {
            action: "wait for a command".into(),
            hint: Some("this process ignores SIGCHLD: set it to its default action".into()),
            source: io::Error::from_raw_os_error(libc::ECHILD),
        });
    }
    Ok(())
}

#[allow(unsafe_code, reason = "asks for the action of a signal without changing it")]
fn children_are_ignored() -> bool {
    // SAFETY: no new action is given, and the old one lives through the call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) == 0
            && (action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0)
    }
}

fn step_failed(plan: &Plan, index: usize, source: io::Error) -> SpawnError {
    match plan.steps.get(index) {
        Some(step) => SpawnError::Step { step: Box::new(step.clone()), hint: None, source },
        None => SpawnError::host("carry out the plan", source),
    }
}

/// An error, with what it left on the host, where that could not be undone.
fn also(mut error: SpawnError, undone: io::Result<()>) -> SpawnError {
    if let (
        Err(left),
        SpawnError::Step { hint, .. }
        | SpawnError::Exec { hint, .. }
        | SpawnError::Host { hint, .. },
    ) = (undone, &mut error)
    {
        let before = hint.take().map(|hint| format!("{hint}; ")).unwrap_or_default();
        *hint = Some(format!("{before}{left}"));
    }
    error
}

fn explain(plan: &Plan, step: u32, source: io::Error) -> SpawnError {
    match step {
        STREAMS => SpawnError::host("set up the command's streams", source),
        SESSION => SpawnError::host("make a session for the command", source),
        EXECUTE => SpawnError::Exec {
            program: plan.exec.command.program().to_owned(),
            hint: source.raw_os_error().and_then(words::exec_hint),
            source,
        },
        step => step_failed(plan, step as usize, source),
    }
}
