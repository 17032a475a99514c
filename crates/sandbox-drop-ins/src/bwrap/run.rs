//! From the words of the command line to an exit status.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::unistd::{Pid, getgid, getppid, getuid};
use sandbox_core::{Backend, Filesystem, Preference};
use sandbox_sys::{HeldSignals, Launcher, RunError, SetUp, SpawnError, WaitError, inherited};

use super::args::{Action, parse};
use super::capabilities::Own;
use super::configure::{Caller, check, configure, policy};
use super::descriptor::read_all;
use super::environment::Callers;
use super::error::BwrapError;
use super::join;
use super::options::{VERSION, Word, help};
use super::request::Request;
use super::status::{Gate, Listeners};
use crate::setuid;

static BACKENDS: [&dyn Backend; 1] = [&sandbox_luc::LinuxUserChroot];

/// Every failure of ours.
const FAILED: u8 = 1;
/// Somebody killed the sandbox, which nothing but SIGKILL can do.
const KILLED: u8 = 128 + 9;

/// Runs `bwrap` with these words, the program's name first.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parent = getppid();
    let mut request = Request::default();
    let action = setuid::give_up_privileges().map_err(BwrapError::from);
    let action = action
        .and_then(|()| parse(words.into_iter().skip(1).collect(), &mut request, &mut read_all));
    let voice = Voice::of(&request);
    let done = match action {
        Ok(Action::Help) => print(&help()),
        Ok(Action::Version) => print(&format!("bubblewrap {VERSION}\n")),
        Ok(Action::Run) if request.command.is_empty() => {
            let _ = io::stderr().write_all(help().as_bytes());
            Ok(FAILED)
        }
        Ok(Action::Run) => start(request, parent, voice),
        Err(error) => Err(error),
    };
    let code = done.unwrap_or_else(|error| {
        voice.say(Level::Error, &error.to_string());
        match error {
            BwrapError::Wait(WaitError::Killed) => KILLED,
            _ => FAILED,
        }
    });
    code.into()
}

fn start(request: Request, parent: Pid, voice: Voice) -> Result<u8, BwrapError> {
    for option in &request.repeated {
        let text = format!("{option} is given more than once: the last one counts");
        voice.say(Level::Warning, &text);
    }
    let caller = caller(&request)?;
    check(&request, &caller)?;
    if request.has(Word::DieWithParent) {
        die_with(parent)?;
    }
    let mut listeners = Listeners::of(&request)?;
    let waits = request.block.is_some() || request.userns_block.is_some();
    let asserts = request.has(Word::AssertUsernsDisabled) && !request.has(Word::DisableUserns);
    let (join, policy, kept) = (request.join, policy(&request), kept_open(&request));
    let mut config = configure(request, &caller, &mut read_all)?;
    // What has been read is closed: its number may be another file's by now.
    check_open(&kept)?;
    join::enter(join)?;
    if asserts {
        join::assert_last()?;
    }
    let held = HeldSignals::hold().map_err(BwrapError::Signals)?;
    // A command that ends at once would be gone before its namespaces are looked at.
    let gate = if waits { None } else { listeners.gate()? };
    config.process.gates.start = config.process.gates.start.or(gate.as_ref().map(Gate::number));
    let mut told = Ok(());
    let mut created = |pid| {
        told = listeners.created(pid, &held);
        if told.is_ok() {
            told = gate.as_ref().map_or(Ok(()), Gate::open);
        }
        // Any error will do: it is told of in the words of the other one.
        if told.is_ok() { Ok(()) } else { Err(ErrorKind::Interrupted.into()) }
    };
    // What it waits for may never come: until then, what asks it to end ends it.
    let mut set_up = SetUp { created: &mut created, signals: waits.then_some(&held) };
    let launcher = Launcher::new(&BACKENDS).preference(Preference::Any).policy(policy);
    let started = launcher.start_observed(&config, &mut set_up);
    told?;
    let child = match started {
        Err(RunError::Spawn(SpawnError::Interrupted { signal, .. })) => {
            return Ok(end_by(signal, held));
        }
        started => started?,
    };
    let code = child.wait_passing_on(&held)?.status.shell_code();
    listeners.ended(code, &held);
    Ok(code)
}

/// As any program ends by a signal that it has no handler for.
fn end_by(signal: i32, held: HeldSignals) -> u8 {
    drop(held);
    let _ = Signal::try_from(signal).map_err(io::Error::from).and_then(|signal| Ok(raise(signal)?));
    u8::try_from(128 + signal).unwrap_or(FAILED)
}

/// What is to be waited for, kept, bound or passed on, each with its option.
fn kept_open(request: &Request) -> Vec<(&'static str, i32)> {
    let bound =
        request.operations.iter().filter_map(|operation| match operation.mount.filesystem {
            Filesystem::BindDescriptor { descriptor, .. } => Some(("--bind-fd", descriptor)),
            _ => None,
        });
    let passed = request.passed.iter().map(|number| ("--pass-fd", *number));
    let kept = [
        ("--sync-fd", request.sync),
        ("--block-fd", request.block),
        ("--userns-block-fd", request.userns_block),
    ];
    let kept = kept.into_iter().filter_map(|(option, number)| Some((option, number?)));
    kept.chain(passed).chain(bound).collect()
}

/// All of it has to be there.
fn check_open(kept: &[(&'static str, i32)]) -> Result<(), BwrapError> {
    kept.iter().try_for_each(|&(option, number)| {
        let open = inherited(number).map(drop);
        open.map_err(|source| BwrapError::Descriptor { option, number, source })
    })
}

/// The sandbox ends with this process; now this process ends with its parent.
fn die_with(parent: Pid) -> Result<(), BwrapError> {
    set_pdeathsig(Signal::SIGKILL).map_err(|errno| BwrapError::Parent(errno.into()))?;
    if getppid() == parent { Ok(()) } else { Err(BwrapError::Parent(ended())) }
}

fn ended() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "the parent has ended already")
}

fn caller(request: &Request) -> Result<Caller, BwrapError> {
    let (uid, gid) = (getuid(), getgid());
    let status = match (uid.is_root(), request.capabilities.is_empty()) {
        (false, _) => None,
        // Which ones it has does not matter.
        (true, true) => Some(String::new()),
        (true, false) => Some(fs::read_to_string("/proc/self/status").map_err(BwrapError::Status)?),
    };
    let root = status.map(|status| Own(setuid::capabilities(&status, "CapEff:")));
    let here = env::current_dir().ok();
    let environment = Callers { home: env::var_os("HOME"), pwd: env::var_os("PWD"), here };
    Ok(Caller { uid: uid.as_raw(), gid: gid.as_raw(), root, environment, terminal: terminal() })
}

/// The terminal that standard output is, as it is called on the host.
fn terminal() -> Option<PathBuf> {
    let is_terminal = io::stdout().is_terminal();
    is_terminal.then(|| fs::read_link("/proc/self/fd/1").ok()).flatten()
}

/// To standard output. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> Result<u8, BwrapError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(BwrapError::Output(error)),
        _ => Ok(0),
    }
}

/// How bad it is, as syslog(3) counts.
#[derive(Clone, Copy)]
enum Level {
    Error = 3,
    Warning = 4,
}

/// How diagnostics are written.
#[derive(Clone, Copy)]
enum Voice {
    Plain,
    /// With `--level-prefix`.
    Prefixed,
}

impl Voice {
    fn of(request: &Request) -> Self {
        if request.has(Word::LevelPrefix) { Self::Prefixed } else { Self::Plain }
    }

    /// To standard error, in one piece. Where that is closed there is nobody to tell.
    fn say(self, level: Level, text: &str) {
        let prefix = match self {
            Self::Plain => String::new(),
            Self::Prefixed => format!("<{}>", level as u8),
        };
        let lines = text.lines().map(|line| format!("{prefix}bwrap: {line}\n"));
        let _ = io::stderr().write_all(lines.collect::<String>().as_bytes());
    }
}
