//! Runs a program with ptrace(2) on all of its processes, and makes one of their system calls fail.
//!
//! strace(1) can inject errors too, but counts calls for each process alike: it cannot say "the third
//! openat of the init". This follows every child, also one that shares its parent's memory, until it
//! executes the command, and knows each by its role: who started it, as which of its children, and
//! whether it is the sandbox's init by now.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::site::{Fault, Means, Role, Seen, Site};
use super::watchdog::Watchdog;
use crate::Result;

/// close(2) of x86_64.
const CLOSE: u64 = 3;
/// For a whole run, from the start to the end of the first process.
const BOUND: Duration = Duration::from_secs(10);
/// For the others to end after it. What cannot be ended, an init tries for 5 s.
const GRACE: Duration = Duration::from_secs(2);

/// What became of a run.
#[derive(Debug)]
pub(super) struct Traced {
    /// How the first process ended.
    pub(super) end: WaitStatus,
    /// Every call of the set-up, in order.
    pub(super) calls: Vec<Seen>,
    /// Whether the call that was to fail was met.
    pub(super) met: bool,
    /// What did not end in time.
    pub(super) hung: Vec<String>,
    /// What lived on for too long after the first process had ended.
    pub(super) outlived: Vec<String>,
}

impl Traced {
    /// The PID of the first process.
    pub(super) fn caller(&self) -> i32 {
        self.end.pid().map_or(0, Pid::as_raw)
    }
}

/// A process, or a thread.
struct Tracee {
    role: Role,
    children: u32,
    counts: HashMap<(u64, Option<u64>), u32>,
    /// Between its entry and its exit from a call.
    inside: Option<Call>,
    /// What it is to get in the place of the kernel's answer.
    answer: Option<i32>,
    part: Part,
}

/// A call that a process is in.
#[derive(Clone, Copy)]
enum Call {
    /// By its place among those that count.
    Recorded(usize),
    Other,
}

/// How far the first process is.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Part {
    /// What traces is still at work in it.
    Starting,
    /// The dynamic linker, libc and the language's runtime.
    Runtime,
    /// `main`.
    Main,
}

struct Tracer<'a> {
    fault: Option<&'a Fault>,
    root: Pid,
    tracees: HashMap<Pid, Tracee>,
    /// Stopped before their parent's call returned.
    early: Vec<Pid>,
    calls: Vec<Seen>,
    met: bool,
    end: Option<WaitStatus>,
    /// One that is held at its call, and until when.
    held: Option<(Pid, Instant)>,
}

/// Runs a command that begins with [`super::start`].
pub(super) fn trace(
    command: &mut Command,
    fault: Option<&Fault>,
    watchdog: &Watchdog,
) -> Result<Traced> {
    let child: Child = command.spawn()?;
    let root = Pid::from_raw(i32::try_from(child.id())?);
    waitpid(root, Some(WaitPidFlag::__WALL))?;
    let options = Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC;
    ptrace::setoptions(root, options)?;
    let first = Tracee::new(Role::caller(), Part::Starting);
    let mut tracer = Tracer {
        fault,
        root,
        tracees: HashMap::from([(root, first)]),
        early: Vec::new(),
        calls: Vec::new(),
        met: false,
        end: None,
        held: None,
    };
    watchdog.expect_end_of(root, BOUND);
    go_on(root, None);
    tracer.run(watchdog)?;
    let (hung, outlived) = watchdog.rest();
    let end = tracer.end.ok_or("the first process has no end")?;
    Ok(Traced { end, calls: tracer.calls, met: tracer.met, hung, outlived })
}

/// One that was killed meanwhile is not an error: its end is reported yet.
fn go_on(pid: Pid, signal: Option<Signal>) {
    let _ = ptrace::syscall(pid, signal);
}

impl Tracee {
    fn new(role: Role, part: Part) -> Self {
        let (counts, inside, answer) = (HashMap::new(), None, None);
        Self { role, children: 0, counts, inside, answer, part }
    }
}

impl Tracer<'_> {
    /// Until there is no process left, traced or not: orphans become ours.
    fn run(&mut self, watchdog: &Watchdog) -> Result {
        loop {
            self.release();
            let mut flags = WaitPidFlag::__WALL;
            flags.set(WaitPidFlag::WNOHANG, self.held.is_some());
            match waitpid(Pid::from_raw(-1), Some(flags)) {
                Err(Errno::ECHILD) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(WaitStatus::StillAlive) => sleep(Duration::from_micros(200)),
                Ok(status) => self.on(status, watchdog),
            }
        }
    }

    /// Lets the one go on that was held for long enough, or until the caller was gone.
    fn release(&mut self) {
        if let Some((pid, until)) = self.held
            && (Instant::now() >= until || self.end.is_some())
        {
            self.held = None;
            go_on(pid, None);
        }
    }

    fn on(&mut self, status: WaitStatus, watchdog: &Watchdog) {
        match status {
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                self.tracees.remove(&pid);
                if pid == self.root {
                    self.end = Some(status);
                    watchdog.expect_end_of_all(GRACE);
                }
            }
            WaitStatus::PtraceSyscall(pid) => self.on_call(pid),
            WaitStatus::PtraceEvent(pid, _, event) => {
                self.on_event(pid, event);
            }
            WaitStatus::Stopped(pid, Signal::SIGSTOP) if !self.tracees.contains_key(&pid) => {
                self.early.push(pid);
            }
            WaitStatus::Stopped(pid, signal) => go_on(pid, Some(signal)),
            _ => {}
        }
    }

    fn on_event(&mut self, pid: Pid, event: i32) {
        if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 {
            return self.on_exec(pid);
        }
        if let (Ok(child), Some(parent)) = (ptrace::getevent(pid), self.tracees.get_mut(&pid)) {
            let child = Pid::from_raw(i32::try_from(child).unwrap_or_default());
            let role = if is_thread(child) {
                parent.role.thread()
            } else {
                parent.children += 1;
                parent.role.child(parent.children)
            };
            self.tracees.insert(child, Tracee::new(role, Part::Main));
            self.start_new(child);
        }
        go_on(pid, None);
    }

    /// A new one begins with a stop, which may have been seen already.
    fn start_new(&mut self, child: Pid) {
        let seen = self.early.iter().position(|early| *early == child);
        match seen {
            Some(index) => {
                self.early.swap_remove(index);
            }
            None => {
                let _ = waitpid(child, Some(WaitPidFlag::__WALL));
            }
        }
        go_on(child, None);
    }

    fn on_exec(&mut self, pid: Pid) {
        let Some(tracee) = self.tracees.get_mut(&pid) else { return go_on(pid, None) };
        if pid == self.root {
            tracee.part = Part::Runtime;
            return go_on(pid, None);
        }
        // The call that led here returns in another program.
        if let Some(Call::Recorded(index)) = tracee.inside
            && let Some(seen) = self.calls.get_mut(index)
        {
            seen.result = Some(0);
        }
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        if program.to_string_lossy().starts_with("/memfd:") {
            tracee.role = tracee.role.init();
            tracee.children = 0;
            tracee.counts.clear();
            tracee.inside = Some(Call::Other);
            go_on(pid, None);
        } else {
            // The command.
            self.tracees.remove(&pid);
            let _ = ptrace::detach(pid, None);
        }
    }

    fn on_call(&mut self, pid: Pid) {
        let Some(tracee) = self.tracees.get_mut(&pid) else { return go_on(pid, None) };
        let Ok(mut registers) = ptrace::getregs(pid) else { return go_on(pid, None) };
        if let Some(call) = tracee.inside.take() {
            if let Some(errno) = tracee.answer.take() {
                registers.rax = i64::from(-errno).cast_unsigned();
                let _ = ptrace::setregs(pid, registers);
            }
            if let Call::Recorded(index) = call
                && let Some(seen) = self.calls.get_mut(index)
            {
                seen.result = Some(registers.rax.cast_signed());
            }
            return go_on(pid, None);
        }
        let (number, words) = (registers.orig_rax, [registers.rdi, registers.rsi, registers.rdx]);
        if !tracee.counts_now(number, words) {
            tracee.inside = Some(Call::Other);
            return go_on(pid, None);
        }
        let site = tracee.site(number, words);
        tracee.inside = Some(Call::Recorded(self.calls.len()));
        let hit = self.fault.filter(|fault| !self.met && fault.site == site);
        self.calls.push(Seen { site, result: None });
        let Some(fault) = hit else { return go_on(pid, None) };
        self.met = true;
        match fault.means {
            Means::Errno(errno) => {
                // Of close(2) the descriptor is gone in any case.
                if number != CLOSE {
                    registers.orig_rax = u64::MAX;
                }
                if ptrace::setregs(pid, registers).is_ok() {
                    tracee.answer = Some(errno);
                }
                go_on(pid, None);
            }
            Means::Kill => {
                let _ = kill(group_of(pid), Signal::SIGKILL);
            }
            Means::KillCaller => {
                let _ = kill(self.root, Signal::SIGKILL);
                self.held = Some((pid, Instant::now() + Duration::from_secs(1)));
            }
            Means::Delay(time) => self.held = Some((pid, Instant::now() + time)),
        }
    }
}

impl Tracee {
    fn site(&mut self, number: u64, words: [u64; 3]) -> Site {
        let mut site = Site::new(self.role.clone(), number, words);
        let count = self.counts.entry((number, site.detail)).or_default();
        *count += 1;
        site.nth = *count;
        site
    }

    /// Whether a call is one of the program's own. What comes before `main` ends with the runtime's
    /// handler for SIGBUS, and what comes after it begins with the end of the handlers' stack.
    fn counts_now(&mut self, number: u64, words: [u64; 3]) -> bool {
        const RT_SIGACTION: u64 = 13;
        const SIGALTSTACK: u64 = 131;
        const RESTART_SYSCALL: u64 = 219;
        const SIGBUS: u64 = 7;
        match self.part {
            Part::Runtime if number == RT_SIGACTION && words[0] == SIGBUS && words[1] != 0 => {
                self.part = Part::Main;
                false
            }
            Part::Main if self.role.is_caller() && number == SIGALTSTACK => {
                self.part = Part::Starting;
                false
            }
            // The kernel goes on with a call that was interrupted.
            part => part == Part::Main && number != RESTART_SYSCALL,
        }
    }
}

fn status_of(pid: Pid, name: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn group_of(pid: Pid) -> Pid {
    status_of(pid, "Tgid:").map_or(pid, Pid::from_raw)
}

fn is_thread(pid: Pid) -> bool {
    group_of(pid) != pid
}
