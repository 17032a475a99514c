//! A running sandbox.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox_core::{
    BackendName, Captured, Downgrade, Ending, Note, Outcome, Plan, Session, Status, TimeOut,
};

use crate::end::End;
use crate::engine::{self, Control, Process};
use crate::error::{SpawnError, WaitError};
use crate::set_up::SetUp;
use crate::signals::{Held, HeldSignals, Sender, terminal_is_raw};
use crate::stop::{Due, Insistence, Stop};
use crate::streams::{Collector, Flow, Streams};

/// Carries out a plan and starts its command.
///
/// When this returns, the command has been executed.
///
/// # Errors
/// The step that failed, or why the command cannot be executed. Nothing is left behind then.
pub fn spawn(plan: &Plan) -> Result<SandboxChild, SpawnError> {
    spawn_observed(plan, &mut SetUp::unwatched(&mut |_| Ok(())))
}

/// The same, with what the caller does meanwhile.
///
/// # Errors
/// As for [`spawn`], and what `set_up` says.
pub fn spawn_observed(plan: &Plan, set_up: &mut SetUp<'_>) -> Result<SandboxChild, SpawnError> {
    let started = Instant::now();
    let streams = Streams::open(&plan.exec)?;
    let process = engine::spawn(plan, &streams, set_up)?;
    let Streams { stdin, stdout, stderr, .. } = streams;
    Ok(SandboxChild {
        stdin,
        process,
        outputs: [stdout, stderr],
        started,
        running_since: Instant::now(),
        time_out: plan.time_out,
        backend: plan.backend,
        session: plan.exec.session,
        downgrades: plan.downgrades.clone(),
        notes: plan.notes.clone(),
        ignored_variable: None,
    })
}

/// Signals and kills a sandbox, from any thread, while another one waits for it. It can be cloned, and keeps nothing
/// alive: dropping it does nothing, dropping the [`SandboxChild`] kills. Once the sandbox has ended, nothing happens.
///
/// ```no_run
/// # fn of(child: sandbox_sys::SandboxChild) -> Result<(), sandbox_sys::WaitError> {
/// use std::time::Duration;
///
/// let handle = child.handle();
/// std::thread::spawn(move || {
///     std::thread::sleep(Duration::from_secs(60));
///     handle.signal(15)?; // It is asked,
///     std::thread::sleep(Duration::from_secs(5));
///     handle.kill() // and where it has not ended by then, killed.
/// });
/// let outcome = child.wait()?;
/// println!("the command {}: {}", outcome.ending, outcome.status);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SandboxHandle {
    control: Arc<Control>,
}

impl SandboxHandle {
    /// Sends a signal (1 to 64) to the command.
    pub fn signal(&self, signal: i32) -> Result<(), WaitError> {
        let sent = self.control.signal(signal);
        sent.map_err(|error| WaitError::host("send a signal to the command", error))
    }

    /// Kills the command and everything else in the sandbox.
    ///
    /// Where the sandbox has processes of its own, nothing can escape this. Without, descendants of
    /// the command are killed as they are found, by the sandbox's init; a command that kills its init,
    /// which is of the same user, can leave some behind, unless it has limits: then all of it is in a cgroup.
    pub fn kill(&self) -> Result<(), WaitError> {
        self.control.kill().map_err(|error| WaitError::host("kill the sandbox", error))
    }
}

/// A descriptor that becomes readable (poll(2)) when the sandbox has ended. Output that is captured has
/// to be read meanwhile, which [`wait`](SandboxChild::wait) does: a full pipe stops the command.
impl AsFd for SandboxChild {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.news()
    }
}

/// A sandbox whose command has been started.
///
/// Dropping it kills what is in it, as [`kill`](SandboxHandle::kill) does: a sandbox does not outlive its handle.
#[derive(Debug)]
pub struct SandboxChild {
    /// The command's standard input, where it is [`Input::Piped`](sandbox_core::Input::Piped). Its end
    /// comes when this and every copy is closed: one that another thread has forked, too.
    pub stdin: Option<File>,
    process: Process,
    outputs: [Option<Collector>; 2],
    started: Instant,
    /// Its command has been executed shortly before.
    running_since: Instant,
    time_out: Option<TimeOut>,
    backend: BackendName,
    session: Session,
    downgrades: Vec<Downgrade>,
    notes: Vec<Note>,
    pub(crate) ignored_variable: Option<String>,
}

impl SandboxChild {
    /// The process, on the host, that holds the sandbox: its init on Linux, the command elsewhere.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The backend that made the plan.
    pub fn backend(&self) -> BackendName {
        self.backend
    }

    /// Every setting that was stepped down.
    pub fn downgrades(&self) -> &[Downgrade] {
        &self.downgrades
    }

    /// What the caller should know of how settings are met.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The value of `SANDBOXLIB_BACKEND`, where no backend has it for a name.
    pub fn ignored_variable(&self) -> Option<&str> {
        self.ignored_variable.as_deref()
    }

    /// What signals and kills the sandbox, from any thread, while another one waits for it.
    pub fn handle(&self) -> SandboxHandle {
        SandboxHandle { control: self.process.control().clone() }
    }

    /// [`SandboxHandle::signal`]
    pub fn signal(&self, signal: i32) -> Result<(), WaitError> {
        self.handle().signal(signal)
    }

    /// [`SandboxHandle::kill`]. Wait for it afterwards.
    pub fn kill(&self) -> Result<(), WaitError> {
        self.handle().kill()
    }

    /// Closes the command's standard input, reads the captured streams, and waits for the end, which a
    /// time-out ([`SandboxConfig::time_out`](sandbox_core::SandboxConfig::time_out)) may bring about:
    /// [`Outcome::ending`] tells.
    ///
    /// # Errors
    /// The sandbox was killed by somebody else, or a system call failed. It is gone then, too.
    pub fn wait(self) -> Result<Outcome, WaitError> {
        self.wait_with(None, Insistence::IsNothing)
    }

    /// The same, as a command line tool waits: signals that were held back since before the start, and
    /// those that come, go to the command.
    ///
    /// What a terminal sends to the whole process group reaches the command by itself, and is not
    /// sent twice.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn wait_passing_on(self, held: &HeldSignals) -> Result<Outcome, WaitError> {
        self.wait_with(Some(held), Insistence::IsNothing)
    }

    /// The same, and whoever interrupts it twice means it: the first `SIGINT` (Ctrl-C) is the command's; another
    /// one from 0.2 to 2 s after the last kills everything in the sandbox, 0.1 s later, unless it has
    /// ended by then. [`Outcome::ending`] tells.
    ///
    /// Those closer together are one: who has started this process may pass on what a terminal has sent to both.
    /// What a terminal sends does not kill while its lines are edited by a program (it is not in canonical
    /// mode, termios(3)), as at the prompts of interpreters, debuggers and shells, which have a use for Ctrl-C.
    /// What such a program ignores is killed by `SIGTERM` and by [`SandboxHandle::kill`].
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn wait_interruptible(self, held: &HeldSignals) -> Result<Outcome, WaitError> {
        self.wait_with(Some(held), Insistence::Kills)
    }

    fn wait_with(
        mut self,
        held: Option<&HeldSignals>,
        insistence: Insistence,
    ) -> Result<Outcome, WaitError> {
        drop(self.stdin.take());
        let mut stop = Stop::new(self.time_out, self.running_since, insistence);
        let End { status, usage } = self.collect(held, &mut stop)?;
        let mut outcome = Outcome::new(status, usage);
        outcome.ending = match stop.ending() {
            Ending::ByItself
                if status == Status::Signaled(libc::SIGKILL)
                    && self.process.control().was_killed() =>
            {
                Ending::Killed
            }
            ending => ending,
        };
        outcome.out_of_memory = self.process.out_of_memory();
        outcome.usage.wall = self.started.elapsed();
        let captured = |output: Option<Collector>| output.map(Collector::into_captured);
        let [stdout, stderr] = std::mem::take(&mut self.outputs).map(captured);
        outcome.stdout = stdout.unwrap_or_else(Captured::default);
        outcome.stderr = stderr.unwrap_or_else(Captured::default);
        outcome.downgrades = std::mem::take(&mut self.downgrades);
        outcome.notes = std::mem::take(&mut self.notes);
        Ok(outcome)
    }

    /// Reads both streams as they fill, so that neither blocks the command, until the sandbox ends.
    fn collect(&mut self, held: Option<&HeldSignals>, stop: &mut Stop) -> Result<End, WaitError> {
        let mut open = self.outputs.each_ref().map(Option::is_some);
        let mut ended_by = None;
        loop {
            let ready = self.poll(open, held, stop.rest(Instant::now()))?;
            for (index, output) in self.outputs.iter_mut().enumerate() {
                if ready.outputs[index] {
                    open[index] = read(output.as_mut())? == Flow::Open;
                }
            }
            if let (true, Some(held)) = (ready.signal, held) {
                for held in held.take() {
                    if held.signal == libc::SIGINT {
                        stop.interrupt(Instant::now(), held.sender);
                    }
                    if self.pass_on(held)? == Effect::Ended {
                        ended_by = Some(held.signal);
                    }
                }
            }
            if ready.ended {
                let mut end = self.process.end()?;
                // It may have ended by itself just before.
                if let (Status::Signaled(libc::SIGKILL), Some(signal)) = (end.status, ended_by) {
                    end.status = Status::Signaled(signal);
                }
                // What was written before the end is all there: a descendant that escaped may hold
                // the pipe open, and is not waited for.
                for output in &mut self.outputs {
                    read(output.as_mut())?;
                }
                return Ok(end);
            }
            self.end_in_time(stop)?;
        }
    }

    /// Does what is due to end the sandbox.
    fn end_in_time(&self, stop: &mut Stop) -> Result<(), WaitError> {
        match stop.due(Instant::now()) {
            None => Ok(()),
            // A PID 1 that does not heed it would not know of it.
            Some(Due::Ask(signal)) if self.process.heeds(signal) => {
                self.signal(signal)?;
                self.signal(libc::SIGCONT)
            }
            Some(Due::KillUnlessInteractive) if terminal_is_raw() => Ok(()),
            Some(due) => {
                stop.killed(match due {
                    Due::Ask(_) => Ending::TimedOutAndKilled,
                    Due::KillUnlessInteractive => Ending::InterruptedAndKilled,
                    Due::Kill(why) => why,
                });
                self.kill()
            }
        }
    }

    /// What a terminal sends reaches a command of the same session by itself. A PID 1 that does not heed
    /// a signal is ended by it like any other process.
    fn pass_on(&self, held: Held) -> Result<Effect, WaitError> {
        if !self.process.heeds(held.signal) {
            return self.kill().map(|()| Effect::Ended);
        }
        if held.sender == Sender::Process || self.session == Session::New {
            self.signal(held.signal)?;
        }
        Ok(Effect::LeftToIt)
    }

    fn poll(
        &self,
        open: [bool; 2],
        held: Option<&HeldSignals>,
        rest: Option<Duration>,
    ) -> Result<Ready, WaitError> {
        let mut fds: Vec<(Source, BorrowedFd<'_>)> = vec![(Source::Process, self.process.news())];
        fds.extend(held.and_then(HeldSignals::fd).map(|fd| (Source::Signal, fd)));
        for (index, output) in self.outputs.iter().enumerate().filter(|(index, _)| open[*index]) {
            fds.extend(output.as_ref().map(|output| (Source::Output(index), output.fd())));
        }
        let mut polled: Vec<_> =
            fds.iter().map(|(_, fd)| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, rest.map_or(PollTimeout::NONE, timeout)) {
            // What is due is looked at.
            Ok(0) | Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(errno) => return Err(WaitError::host("wait for the sandbox", errno)),
            Ok(_) => {}
        }
        let mut ready = Ready::default();
        for ((source, _), fd) in fds.iter().zip(&polled) {
            if fd.any().unwrap_or(true) {
                match source {
                    Source::Process => ready.ended = true,
                    Source::Signal => ready.signal = true,
                    Source::Output(index) => ready.outputs[*index] = true,
                }
            }
        }
        Ok(ready)
    }
}

/// Not less than that, as whoever waits too short waits again; and not too much for poll(2).
fn timeout(rest: Duration) -> PollTimeout {
    let rest = rest.min(Duration::from_hours(1)) + Duration::from_millis(1);
    PollTimeout::try_from(rest).unwrap_or(PollTimeout::ZERO)
}

fn read(output: Option<&mut Collector>) -> Result<Flow, WaitError> {
    let read = output.map_or(Ok(Flow::Ended), Collector::read);
    read.map_err(|error: io::Error| WaitError::host("read the command's output", error))
}

/// What a signal that was passed on has done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// What the command makes of it.
    LeftToIt,
    /// The sandbox is killed.
    Ended,
}

#[derive(Clone, Copy)]
enum Source {
    Process,
    Signal,
    Output(usize),
}

#[derive(Default)]
struct Ready {
    ended: bool,
    signal: bool,
    outputs: [bool; 2],
}
