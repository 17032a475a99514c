//! Processes: which ones a command sees, and what becomes of those that it leaves behind.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox_core::{
    Environment, Feature, Filesystem, Isolation, Mount, SandboxConfig, SandboxConfigBuilder, Status,
};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{SECRET_PARTS, World};

const ISOLATED: &[Need] = &[Need::Has(Feature::ProcessesIsolated)];
const WITH_PROC: &[Need] = &[Need::Has(Feature::ProcessesIsolated), Need::Has(Feature::MountProc)];

pub(super) const CASES: &[Case] = &[
    Case::new("processes/undefined", &[Need::Has(Feature::ProcessesUndefined)], undefined),
    Case::new("processes/only-its-own-in-proc", WITH_PROC, own_in_proc).control(host_in_proc),
    Case::new(
        "processes/hosts-proc-is-hidden",
        &[Need::Has(Feature::ProcessesIsolated), Need::Has(Feature::RootHost)],
        hosts_proc,
    )
    .control(host_in_proc),
    Case::new("processes/host-cannot-be-signalled", ISOLATED, cannot_signal).control(can_signal),
    Case::new("processes/orphan-ends-with-it", ISOLATED, orphan_ends).control(orphan_lives),
    Case::new("processes/daemon-ends-with-it", ISOLATED, daemon_ends).control(daemon_lives),
    Case::new("processes/undefined-orphan-ends-with-it", &[], undefined_orphan)
        .control(orphan_lives),
    Case::new("processes/undefined-daemon-ends-with-it", &[], undefined_daemon)
        .control(daemon_lives),
    Case::new("processes/orphans-are-reaped", WITH_PROC, reaped),
    Case::new("processes/signals-keep-their-effect", ISOLATED, signals),
    Case::new("processes/pid-1-knows-nothing", WITH_PROC, pid_1).control(caller_knows),
    Case::new("processes/pid-1-cannot-be-killed", ISOLATED, cannot_kill_pid_1),
];

/// Without a proc being asked for, the host's root has the host's.
fn hosts_proc(w: &World<'_>) -> Check {
    let probe = w.probe_path().display().to_string();
    let pids = w.says(isolated(SandboxConfig::builder([&*probe, "pids"])))?;
    same("processes", pids.split(' ').count(), 2)
}

fn isolated(config: SandboxConfigBuilder) -> SandboxConfigBuilder {
    config.processes(Isolation::Isolated)
}

fn with_proc(config: SandboxConfigBuilder) -> Check<SandboxConfigBuilder> {
    Ok(isolated(config).mount(Mount::new("/proc", Filesystem::Proc)?))
}

fn undefined(w: &World<'_>) -> Check {
    let pid: u32 = w.says(w.probe("pid").processes(Isolation::Undefined))?.parse()?;
    ensure!(pid > 0, "it has no number");
    Ok(())
}

fn own_in_proc(w: &World<'_>) -> Check {
    let said = w.says(with_proc(w.probe("pid , pids"))?)?;
    let (pid, pids) = said.split_once('\n').ok_or(Failure::wrong("one line"))?;
    let pids: Vec<_> = pids.split(' ').collect();
    // PID 1 and the command.
    ensure!(pids.len() <= 2 && pids.contains(&pid), "{pid} sees {pids:?}");
    Ok(())
}

fn host_in_proc(w: &World<'_>) -> Check {
    let pids = w.host_says("pids")?;
    ensure!(pids.split(' ').count() > 2, "the host shows only {pids}");
    Ok(())
}

/// Asks, from inside, whether a process of the host's can be signalled.
fn signal_host(w: &World<'_>, processes: Isolation) -> Check<String> {
    let mut sleeper = w.host("sleep 30000").spawn()?;
    let said = w.says(w.probe(&format!("kill {} 0", sleeper.id())).processes(processes));
    sleeper.kill()?;
    sleeper.wait()?;
    said
}

fn cannot_signal(w: &World<'_>) -> Check {
    same("kill", signal_host(w, Isolation::Isolated)?, "ESRCH")
}

fn can_signal(w: &World<'_>) -> Check {
    same("kill", signal_host(w, Isolation::Undefined)?, "ok")
}

/// How many times a process has written to its heartbeat file.
fn beats(w: &World<'_>, file: &str) -> u64 {
    w.path(file).metadata().map_or(0, |file| file.len())
}

/// Whether the process behind a heartbeat file lives.
pub(super) fn lives(w: &World<'_>, file: &str) -> bool {
    let before = beats(w, file);
    sleep(Duration::from_millis(100));
    beats(w, file) > before
}

/// Waits for a first heartbeat.
pub(super) fn wait_for_life(w: &World<'_>, file: &str) -> Check {
    for _ in 0..500 {
        if beats(w, file) > 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    Err(Failure::wrong(format!("nothing ever wrote to {file}")))
}

fn ends(w: &World<'_>, config: SandboxConfigBuilder) -> Check {
    let outcome = w.run(config)?;
    same("status", outcome.status, Status::Exited(0))?;
    ensure!(beats(w, "/work/beat") > 0, "the process never ran");
    ensure!(!lives(w, "/work/beat"), "it lives on after the sandbox");
    Ok(())
}

fn orphan_ends(w: &World<'_>) -> Check {
    ends(w, isolated(w.probe("orphan /work/beat")))
}

fn daemon_ends(w: &World<'_>) -> Check {
    ends(w, isolated(w.probe("daemon /work/beat")))
}

fn undefined_orphan(w: &World<'_>) -> Check {
    ends(w, w.probe("orphan /work/beat"))
}

fn undefined_daemon(w: &World<'_>) -> Check {
    ends(w, w.probe("daemon /work/beat"))
}

/// The same by a plain child: what it leaves behind lives on.
fn lives_on(w: &World<'_>, command: &str) -> Check {
    let beat = w.path("/work/control").display().to_string();
    let mut child = w.host(&format!("{command} {beat}")).stdout(Stdio::piped()).spawn()?;
    let pid = first_line(&mut child)?;
    child.wait()?;
    let lives = lives(w, "/work/control");
    kill(Pid::from_raw(pid.parse()?), Signal::SIGKILL)?;
    ensure!(lives, "it does not live on after a plain child");
    Ok(())
}

pub(super) fn first_line(child: &mut Child) -> Check<String> {
    let stdout = child.stdout.take().ok_or(Failure::wrong("there is no pipe"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn orphan_lives(w: &World<'_>) -> Check {
    lives_on(w, "orphan")
}

fn daemon_lives(w: &World<'_>) -> Check {
    lives_on(w, "daemon")
}

fn reaped(w: &World<'_>) -> Check {
    same("zombies", w.says(with_proc(w.probe("zombies"))?)?, "0")
}

/// The kernel keeps signals from PID 1 of a namespace; the command must not be that.
fn signals(w: &World<'_>) -> Check {
    for signal in [1, 2, 9, 15] {
        let outcome = w.run(isolated(w.probe(&format!("kill-self {signal}"))))?;
        same("status", outcome.status, Status::Signaled(signal))?;
    }
    Ok(())
}

fn reveals(pid: &str) -> String {
    let [first, second] = SECRET_PARTS;
    format!("reveals {pid} {first} {second}")
}

fn pid_1(w: &World<'_>) -> Check {
    let words = format!("{} , read /proc/1/comm , read /proc/1/cmdline", reveals("1"));
    let environment = Environment::exactly([("PATH", "/bin")]);
    let said = w.says(with_proc(w.probe(&words))?.env(environment))?;
    let mut lines = said.lines();
    same("of the caller's secret", lines.next(), Some("nothing"))?;
    let rest: String = lines.collect();
    let dir = w.dir().display().to_string();
    ensure!(!rest.contains(&dir), "PID 1 names a path of the caller's: {rest}");
    let this = std::env::current_exe()?;
    let this = this.file_name().unwrap_or_default().display().to_string();
    ensure!(!rest.contains(&this), "PID 1 names the caller's program: {rest}");
    Ok(())
}

fn caller_knows(w: &World<'_>) -> Check {
    let said = w.host_says(&reveals(&std::process::id().to_string()))?;
    ensure!(said != "nothing", "the secret cannot be found in the caller either");
    Ok(())
}

fn cannot_kill_pid_1(w: &World<'_>) -> Check {
    // The kernel delivers no signal from inside to PID 1 that it does not handle; what it answers to
    // kill(2) is permission alone. That the command goes on shows that PID 1 does.
    let said = w.says(isolated(w.probe("kill 1 9 , sleep 50 , pid")))?;
    ensure!(said.lines().count() == 2, "it did not go on: {said}");
    Ok(())
}
