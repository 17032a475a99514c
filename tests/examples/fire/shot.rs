//! One sandbox, and what happens to it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sandbox_sys::{RunError, SetUp, SpawnError, WaitError};
use sandboxlib::{
    Filesystem, First, Isolation, Launcher, Limits, Mount, Preference, ProcessSettings,
    SandboxChild, SandboxConfig, Status,
};

use crate::Result;
use crate::order::Order;
use crate::random::Random;

/// What kind of sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another root, and nothing else.
    Plain,
    /// Namespaces of its own, and file systems.
    Isolated,
    /// Mount points that have to be made in the tree.
    Targets,
    /// The command is PID 1.
    First,
    /// Cgroups.
    Limited,
}

pub(crate) const KINDS: [Kind; 5] =
    [Kind::Plain, Kind::Isolated, Kind::Targets, Kind::First, Kind::Limited];

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Nothing,
    KillInit,
    StopInit,
    StopAndKillInit,
    KillCommand,
    StopCommand,
    TimeOut,
    Drop,
}

/// The tree of callers that are killed.
pub(crate) const MORTAL: &str = "mortal";

const EVENTS: [Event; 14] = [
    Event::Nothing,
    Event::Nothing,
    Event::Nothing,
    Event::Nothing,
    Event::Nothing,
    Event::Nothing,
    Event::Nothing,
    Event::KillInit,
    Event::StopInit,
    Event::StopAndKillInit,
    Event::KillCommand,
    Event::StopCommand,
    Event::TimeOut,
    Event::Drop,
];

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Ran,
    Killed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Ran { "ran" } else { "killed" })
    }
}

/// So many numbers make all pairs of mount points that there are.
pub(crate) const TARGETS: u64 = 12;

pub(crate) fn config(order: &Order, kind: Kind, words: &str, number: u64) -> Result<SandboxConfig> {
    let tmpfs = Filesystem::Tmpfs { size: None, mode: None };
    let words = ["/bin/probe"].into_iter().chain(words.split(' '));
    let config = SandboxConfig::builder(words).root(order.root());
    let config = match kind {
        Kind::Plain => config,
        Kind::Targets => config
            .mount(Mount::new(format!("/made/{}/here", number % 4), tmpfs.clone())?)
            .mount(Mount::new(format!("/made/{}/there", number % 3), tmpfs)?),
        Kind::Limited => {
            let mut limits = Limits::default();
            limits.processes = Some(64);
            config.limits(limits)
        }
        Kind::First => {
            let mut settings = ProcessSettings::default();
            settings.first = First::Command;
            config.processes(Isolation::Isolated).process(settings)
        }
        Kind::Isolated => config
            .mounts(Isolation::Isolated)
            .network(Isolation::Isolated)
            .processes(Isolation::Isolated)
            .ipc(Isolation::Isolated)
            .hostname("fire")
            .mount(Mount::new("/proc", Filesystem::Proc)?)
            .mount(Mount::new("/dev", Filesystem::Dev)?)
            .mount(Mount::new("/tmp", tmpfs)?),
    };
    Ok(config.build()?)
}

/// Which kinds there are here, or why not one.
pub(crate) fn kinds(order: &Order) -> Result<Vec<Kind>> {
    let backends = [order.backend];
    let launcher = Launcher::new(&backends).preference(Preference::Any);
    let mut kinds = Vec::new();
    let mut refused = None;
    for kind in KINDS {
        match launcher.plan(&config(order, kind, "exit 0", 0)?) {
            Ok(_) => kinds.push(kind),
            Err(error) => refused = refused.or(Some(error.to_string())),
        }
    }
    match refused {
        Some(reason) if kinds.is_empty() => Err(format!("cannot run here: {reason}").into()),
        _ => Ok(kinds),
    }
}

/// What a sandbox of the library came to; an error where that is not what may happen.
pub(crate) fn by_library(order: &Order, kinds: &[Kind], random: &mut Random) -> Result<String> {
    let kind = random.one_of(kinds).ok_or("no kind")?;
    let mut event = random.one_of(&EVENTS).ok_or("no event")?;
    let code = u8::try_from(random.below(100))?;
    let one_process = kind != Kind::Isolated;
    let words = match random.below(3) {
        0 => format!("exit {code}"),
        1 => format!("sleep {} , exit {code}", random.below(15)),
        // Without processes of its own, what an init leaves that is killed can live on: it is not promised.
        _ if one_process && matches!(event, Event::KillInit | Event::StopAndKillInit) => {
            format!("sleep 5 , exit {code}")
        }
        // A PID 1 cannot be stopped from within; its descendants end with it.
        _ => format!("daemon /work/beat , exit {code}"),
    };
    // A process that is two in one: an init that is the command is ended by what ends a command.
    if kind == Kind::First && event == Event::KillCommand {
        event = Event::KillInit;
    }
    let config = config(order, kind, &words, random.next())?;
    let (early, late) = (random.moment(), random.moment());
    let ended = start_and_disturb(order, &config, event, early, late);
    let end = judge(event, code, ended)
        .map_err(|error| format!("{kind:?}, {event:?} after {early:?}, `{words}`: {error}"))?;
    Ok(format!("library {kind:?} {event:?} {end}"))
}

/// Nothing where the handle was dropped.
fn start_and_disturb(
    order: &Order,
    config: &SandboxConfig,
    event: Event,
    early: Duration,
    late: Duration,
) -> std::result::Result<Option<Status>, RunError> {
    let backends = [order.backend];
    let launcher = Launcher::new(&backends).preference(Preference::Any);
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        scope.spawn(move || {
            while let Ok(init) = told.recv() {
                sleep(early);
                shoot(event, &init, late);
            }
        });
        // What is stopped before it is an init, and not continued as this caller is killed, stays so.
        let at_once = if order.tree == MORTAL {
            event == Event::KillInit
        } else {
            matches!(event, Event::KillInit | Event::StopInit | Event::StopAndKillInit)
        };
        let mut created = |pid: u32| -> io::Result<()> {
            if at_once {
                // Nobody has waited for it, so that the number is its own.
                let _ = tell.send(open(pid)?);
            }
            Ok(())
        };
        let started = launcher.start_observed(config, &mut SetUp::unwatched(&mut created));
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                drop(tell);
                return Err(error);
            }
        };
        if !at_once
            && matches!(event, Event::StopInit | Event::StopAndKillInit)
            && let Ok(init) = open(child.pid())
        {
            let _ = tell.send(init);
        }
        drop(tell);
        match event {
            Event::Drop => {
                sleep(early);
                drop(child);
                return Ok(None);
            }
            Event::TimeOut => {
                let handle = child.handle();
                scope.spawn(move || {
                    sleep(early);
                    handle.kill()
                });
            }
            Event::KillCommand | Event::StopCommand => {
                sleep(early.min(Duration::from_millis(3)));
                if let Some(command) = command_of(&child) {
                    shoot(event, &command, late);
                }
            }
            _ => {}
        }
        Ok(Some(child.wait()?.status))
    })
}

fn judge(
    event: Event,
    code: u8,
    ended: std::result::Result<Option<Status>, RunError>,
) -> Result<End> {
    let killed = matches!(
        event,
        Event::KillInit | Event::StopAndKillInit | Event::KillCommand | Event::TimeOut
    );
    match ended {
        Ok(None) => Ok(End::Killed),
        Ok(Some(Status::Exited(status))) if status == code => Ok(End::Ran),
        Ok(Some(Status::Signaled(9))) if killed => Ok(End::Killed),
        Err(RunError::Spawn(SpawnError::Killed) | RunError::Wait(WaitError::Killed)) if killed => {
            Ok(End::Killed)
        }
        Ok(Some(status)) => Err(format!("ended with {status}").into()),
        Err(error) => Err(format!("{error} ({error:?})").into()),
    }
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn shoot(event: Event, process: &OwnedFd, later: Duration) {
    // One that has ended already is none that can be missed.
    let send = |signal| {
        let _ = pidfd_send_signal(process, signal);
    };
    match event {
        Event::StopInit | Event::StopCommand | Event::StopAndKillInit => {
            send(Signal::STOP);
            sleep(later);
            send(if event == Event::StopAndKillInit { Signal::KILL } else { Signal::CONT });
        }
        _ => send(Signal::KILL),
    }
}

/// The command of an init, as long as it is that for sure.
fn command_of(child: &SandboxChild) -> Option<OwnedFd> {
    let init = child.pid();
    let first = || {
        let list = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).ok()?;
        list.split(' ').next()?.parse::<u32>().ok()
    };
    let pid = first()?;
    let command = open(pid).ok()?;
    (first() == Some(pid)).then_some(command)
}

/// The same for a sandbox of the command `run-sandbox`.
pub(crate) fn by_command(order: &Order, kinds: &[Kind], random: &mut Random) -> Result<String> {
    const SIGNALS: [Option<Signal>; 8] = [
        None,
        None,
        None,
        None,
        Some(Signal::KILL),
        Some(Signal::TERM),
        Some(Signal::INT),
        Some(Signal::STOP),
    ];
    // Nobody would continue it where this caller is killed.
    let stop = |signal: &Signal| order.tree == MORTAL && *signal == Signal::STOP;
    let signal = random.one_of(&SIGNALS).flatten().filter(|signal| !stop(signal));
    let code = u8::try_from(random.below(100))?;
    let mut command = Command::new(&order.run_sandbox);
    command.args(["--backend", order.backend.name().as_str()]);
    if kinds.contains(&Kind::Isolated) && random.below(2) == 0 {
        command.args(["--processes", "isolated", "--network", "isolated", "--mounts", "isolated"]);
    }
    if kinds.contains(&Kind::Limited) && random.below(4) == 0 {
        command.args(["--processes-max", "64"]);
    }
    command.arg(order.root()).args(["--", "/bin/probe"]);
    let words = match random.below(2) {
        0 => format!("sleep {} , exit {code}", random.below(10)),
        _ => format!("daemon /work/beat , exit {code}"),
    };
    command.args(words.split(' '));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    let process = open(child.id())?;
    let (early, late) = (random.moment(), random.moment());
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            let Some(signal) = signal else { return };
            sleep(early);
            let _ = pidfd_send_signal(&process, signal);
            if signal == Signal::STOP {
                sleep(late);
                let _ = pidfd_send_signal(&process, Signal::CONT);
            }
        });
        child.wait_with_output()
    })?;
    let disturbed = signal.is_some_and(|signal| signal != Signal::STOP);
    let end = match output.status.code() {
        Some(status) if status == i32::from(code) => End::Ran,
        _ if disturbed => End::Killed,
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(
                format!("run-sandbox, {signal:?}, `{words}`: {} {said}", output.status).into()
            );
        }
    };
    Ok(format!("command {} {end}", signal.map_or(0, Signal::as_raw)))
}
