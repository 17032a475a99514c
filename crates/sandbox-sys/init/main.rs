//! The sandbox's init: the parent of the command that runs in a sandbox.
//!
//! It starts the command, reaps orphans, passes signals on, and when the command has ended or the
//! caller has died, sees to it that no process is left behind. In a PID namespace it is PID 1.
//!
//! It is a program of its own, without libc, so that it shares no memory with the caller and needs
//! hardly any itself. The build script compiles it, and the library embeds it. The protocol is
//! described in `protocol.rs`.
#![no_std]
#![no_main]
#![no_builtins]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers are wider than the ints that the kernel takes and gives"
)]

mod command;
mod memory;
mod numbers;
#[path = "../src/linux/protocol.rs"]
mod protocol;
#[path = "../src/linux/raw.rs"]
mod raw;
mod start;
mod supervisor;
mod sys;

use core::ffi::c_char;

use command::{Command, Failure};
use protocol::{ARGV_CANDIDATES, ARGV_PARAMETERS, NEW_SESSION, OWN_PID_NAMESPACE, TELL_PID};
use protocol::{INIT_NAME, Parameters, Record};
use supervisor::Supervisor;

/// `argv` includes the NULL at its end.
fn run(argv: &[*const c_char], envp: *mut *const c_char) -> ! {
    match prepare(argv, envp) {
        Some((parameters, command)) => supervise(parameters, &command),
        None => sys::exit(1),
    }
}

/// Reads the arguments. `None` when they are not as `protocol.rs` says.
fn prepare(
    argv: &[*const c_char],
    envp: *mut *const c_char,
) -> Option<(Parameters, Command<'_>)> {
    let &text = argv.get(ARGV_PARAMETERS).filter(|text| !text.is_null())?;
    // SAFETY: an element of argv, and not its NULL.
    let parameters = Parameters::decode(unsafe { start::bytes(text) })?;
    let count = usize::try_from(parameters.candidates).ok()?;
    let (candidates, argv) = argv.get(ARGV_CANDIDATES..)?.split_at_checked(count)?;
    let (filters, argv) = argv.split_at_checked(usize::try_from(parameters.filters).ok()?)?;
    let (limits, argv) = argv.split_at_checked(usize::try_from(parameters.limits).ok()?)?;
    // What is left is the command's argv, at least its NULL.
    let argv = argv.first()?;
    let own_pid_namespace = parameters.flags & OWN_PID_NAMESPACE != 0;
    let command = Command {
        candidates,
        filters,
        limits,
        argv,
        envp,
        new_session: parameters.flags & NEW_SESSION != 0,
        tell_pid: parameters.flags & TELL_PID != 0,
        dies_with: (!own_pid_namespace).then(sys::getpid),
    };
    Some((parameters, command))
}

/// What asks a process to end: SIGHUP, SIGINT, SIGQUIT, SIGTERM.
const FOR_THE_COMMAND: [i32; 4] = [1, 2, 3, 15];

fn supervise(parameters: Parameters, command: &Command<'_>) -> ! {
    let Parameters { socket, caller_pidfd, children, flags, exec_step, .. } = parameters;
    let own_pid_namespace = flags & OWN_PID_NAMESPACE != 0;
    sys::none_is_above(parameters.last);
    // A name is for people: it may be missing.
    sys::set_name(INIT_NAME);
    let prepared = make_ready(own_pid_namespace, [socket, caller_pidfd, children]);
    // The caller says nothing before it is told of the command: it does not want it any more.
    if let [true] = sys::poll([socket], Some(0)) {
        sys::exit(1)
    }
    let started = prepared.map_err(Failure::of_init).and_then(|(sigchld, early)| {
        let pid = command.start()?;
        Ok((sigchld, early, pid))
    });
    match started {
        Ok((sigchld, early, pid)) => {
            for signal in FOR_THE_COMMAND {
                if early & (1 << (signal - 1)) != 0 {
                    _ = sys::kill(pid, signal);
                }
            }
            let fds = [socket, caller_pidfd, children, sigchld];
            Supervisor::new(pid, own_pid_namespace, command.new_session, fds).begin()
        }
        Err(Failure { errno, detail }) => {
            let record = Record::Failed { step: exec_step.cast_unsigned(), errno, detail };
            _ = supervisor::send(socket, record);
            _ = sys::reap();
            sys::exit(1)
        }
    }
}

/// What has to be before there is a command: without one of these it would be less isolated, or init
/// could not end what it leaves behind. Gives the descriptor that tells of a child's end, and the signals
/// that have come by now.
fn make_ready(own_pid_namespace: bool, fds: [i32; 3]) -> sys::Result<(i32, u64)> {
    // The command must be able neither to trace init nor to read its memory.
    sys::prctl(sys::PR_SET_DUMPABLE, 0)?;
    // Somebody may stop init, the command too where it sees it: stopped, it would not notice the caller's end. The
    // kernel sends this whenever the thread ends whose child init is then, at last with the caller (prctl(2)).
    sys::prctl(sys::PR_SET_PDEATHSIG, sys::SIGCONT as usize)?;
    if !own_pid_namespace {
        sys::prctl(sys::PR_SET_CHILD_SUBREAPER, 1)?;
    }
    for fd in fds.into_iter().filter(|fd| *fd >= 0) {
        sys::set_cloexec(fd)?;
    }
    // Init takes SIGCHLD from a signalfd and no other signal at all.
    sys::set_signal_mask(sys::ALL_SIGNALS)?;
    // The command inherits these two. Ignored, SIGCHLD would also leave init nothing to reap, and
    // the Rust runtime ignores SIGPIPE, which is not what the command's author expects.
    sys::set_default_action(sys::SIGCHLD)?;
    sys::set_default_action(sys::SIGPIPE)?;
    // What a terminal or the caller's shell has sent to the process group by now, init alone has.
    let early = sys::pending_signals()?;
    Ok((sys::signalfd(sys::SIGCHLD)?, early))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(1)
}
