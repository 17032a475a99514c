//! The sandbox's life: everything in it ends with it, and with its caller.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sandbox_core::{Ending, Feature, Isolation, Limits, SandboxConfigBuilder, Status, TimeOut};

use sandbox_sys::WaitError;

use super::processes::{first_line, lives, wait_for_life};
use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const ISOLATED: &[Need] = &[Need::Has(Feature::ProcessesIsolated)];

const LIMITED: &[Need] = &[Need::Has(Feature::ProcessesLimited)];

pub(super) const CASES: &[Case] = &[
    Case::new("lifecycle/wait-waits", &[], wait_waits),
    Case::new("lifecycle/usage", &[], usage),
    Case::new("lifecycle/killed-while-somebody-waits", &[], killed_while_waiting),
    Case::new("lifecycle/signal", &[], signal),
    Case::new("lifecycle/signals-until-the-end", &[], signals_until_the_end),
    Case::new("lifecycle/time-out-asks", &[], time_out_asks).control(no_time_out),
    Case::new("lifecycle/time-out-of-a-stopped-command", &[], time_out_stopped),
    Case::new("lifecycle/time-out-kills-the-tree", ISOLATED, time_out_kills).control(no_time_out),
    Case::new("lifecycle/undefined-time-out-kills-the-tree", &[], time_out_kills_undefined)
        .control(no_time_out),
    Case::new("lifecycle/kill-ends-the-tree", ISOLATED, kill_isolated),
    Case::new("lifecycle/undefined-kill-ends-the-tree", &[], kill_undefined),
    Case::new("lifecycle/undefined-limited-ends-without-its-init", LIMITED, init_killed),
    Case::new("lifecycle/undefined-kill-ends-a-fork-bomb", LIMITED, bomb_in_cgroup)
        .control(bomb_goes_on),
    Case::new("lifecycle/undefined-kill-ends-a-users-fork-bomb", &[Need::PlainUser], bomb)
        .control(bomb_goes_on),
    Case::new("lifecycle/drop-ends-the-tree", ISOLATED, drop_isolated),
    Case::new("lifecycle/undefined-drop-ends-the-tree", &[], drop_undefined),
    Case::new("lifecycle/ends-with-its-caller", ISOLATED, caller_killed).control(plain_lives_on),
    Case::new("lifecycle/undefined-ends-with-its-caller", &[], caller_killed_undefined)
        .control(plain_lives_on),
];

pub(super) const ROLES: &[Role] = &[
    Role { name: "hold", run: hold_isolated },
    Role { name: "hold-undefined", run: hold_undefined },
    Role { name: "hold-plain", run: hold_plain },
];

const FAMILY: &str = "family /work/daemon /work/beat";

fn family(w: &World<'_>, processes: Isolation) -> SandboxConfigBuilder {
    w.probe(FAMILY).processes(processes)
}

fn wait_waits(w: &World<'_>) -> Check {
    let start = Instant::now();
    let child = w.start(w.probe("sleep 150 , exit 3"))?;
    ensure!(start.elapsed() < Duration::from_millis(140), "start waited for the end");
    ensure!(child.pid() > 0, "the child has no number");
    same("status", child.wait()?.status, Status::Exited(3))?;
    ensure!(start.elapsed() >= Duration::from_millis(150), "wait did not wait");
    Ok(())
}

fn usage(w: &World<'_>) -> Check {
    let usage = w.run(w.probe("sleep 50 , flood 5000000 0"))?.usage;
    ensure!(usage.wall >= Duration::from_millis(50), "wall: {:?}", usage.wall);
    ensure!(usage.wall < Duration::from_secs(20), "wall: {:?}", usage.wall);
    ensure!((100..100_000).contains(&usage.max_rss_kib), "peak of {} KiB", usage.max_rss_kib);
    Ok(())
}

fn signal(w: &World<'_>) -> Check {
    let child = w.start(w.probe("sleep 30000"))?;
    child.signal(15)?;
    same("status", child.wait()?.status, Status::Signaled(15))
}

fn both_live(w: &World<'_>) -> Check {
    wait_for_life(w, "/work/daemon")?;
    wait_for_life(w, "/work/beat")?;
    ensure!(lives(w, "/work/daemon") && lives(w, "/work/beat"), "they do not live");
    Ok(())
}

fn both_ended(w: &World<'_>) -> Check {
    ensure!(!lives(w, "/work/beat"), "the command lives on");
    ensure!(!lives(w, "/work/daemon"), "a daemon lives on");
    Ok(())
}

fn kill(w: &World<'_>, processes: Isolation) -> Check {
    let child = w.start(family(w, processes))?;
    both_live(w)?;
    let start = Instant::now();
    child.kill()?;
    let outcome = child.wait()?;
    same("status", outcome.status, Status::Signaled(9))?;
    same("ending", outcome.ending, Ending::Killed)?;
    ensure!(start.elapsed() < Duration::from_secs(5), "the end took {:?}", start.elapsed());
    both_ended(w)
}

fn kill_isolated(w: &World<'_>) -> Check {
    kill(w, Isolation::Isolated)
}

fn kill_undefined(w: &World<'_>) -> Check {
    kill(w, Isolation::Undefined)
}

fn dropped(w: &World<'_>, processes: Isolation) -> Check {
    let child = w.start(family(w, processes))?;
    both_live(w)?;
    drop(child);
    both_ended(w)
}

fn drop_isolated(w: &World<'_>) -> Check {
    dropped(w, Isolation::Isolated)
}

fn drop_undefined(w: &World<'_>) -> Check {
    dropped(w, Isolation::Undefined)
}

fn hold_isolated(w: &World<'_>) -> Check {
    w.run(family(w, Isolation::Isolated))?;
    Ok(())
}

fn hold_undefined(w: &World<'_>) -> Check {
    w.run(family(w, Isolation::Undefined))?;
    Ok(())
}

/// Kills the caller with SIGKILL, which leaves it no chance to tidy up.
fn kill_caller(w: &World<'_>, role: &str) -> Check {
    let mut caller = w.role("", role)?.stdout(Stdio::null()).spawn()?;
    let alive = both_live(w);
    caller.kill()?;
    caller.wait()?;
    alive?;
    // Nobody waits for the sandbox any more: the kernel ends it, some moments later.
    sleep(Duration::from_millis(300));
    both_ended(w)
}

fn caller_killed(w: &World<'_>) -> Check {
    kill_caller(w, "hold")
}

fn caller_killed_undefined(w: &World<'_>) -> Check {
    kill_caller(w, "hold-undefined")
}

/// The caller of a plain child, whose number it passes on.
fn hold_plain(w: &World<'_>) -> Check {
    let beat = w.path("/work/control").display().to_string();
    w.host(&format!("pid , orphan {beat} , sleep 30000")).status()?;
    Ok(())
}

fn plain_lives_on(w: &World<'_>) -> Check {
    let mut caller = w.role("", "hold-plain")?.stdout(Stdio::piped()).spawn()?;
    let alive = wait_for_life(w, "/work/control");
    let pid = first_line(&mut caller)?;
    caller.kill()?;
    caller.wait()?;
    alive?;
    let lives = lives(w, "/work/control");
    end_session(&pid)?;
    ensure!(lives, "a plain child ends with its caller too");
    Ok(())
}

/// Ends a plain child and its own children.
fn end_session(pid: &str) -> Check {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    for pid in children.split_whitespace().chain([pid]) {
        kill(Pid::from_raw(pid.parse()?), Signal::SIGKILL)?;
    }
    Ok(())
}

/// A time-out: another thread has a handle, which does nothing any more after the end.
fn killed_while_waiting(w: &World<'_>) -> Check {
    let child = w.start(w.probe("sleep 30000"))?;
    let handle = child.handle();
    let killer = std::thread::spawn(move || {
        sleep(Duration::from_millis(50));
        handle.kill().map(|()| handle)
    });
    same("status", child.wait()?.status, Status::Signaled(9))?;
    let handle = killer.join().map_err(|_| Failure::wrong("a thread panicked"))??;
    handle.kill()?;
    Ok(handle.signal(15)?)
}

/// What init has not read when it ends does not hide what it has said.
fn signals_until_the_end(w: &World<'_>) -> Check {
    for _ in 0..20 {
        let child = w.start(w.probe("sleep 30000"))?;
        for signal in [15, 18, 18, 18] {
            child.signal(signal)?;
        }
        same("status", child.wait()?.status, Status::Signaled(15))?;
    }
    Ok(())
}

const TIME: Duration = Duration::from_millis(200);

fn ends_soon(w: &World<'_>, config: SandboxConfigBuilder, status: i32, ending: Ending) -> Check {
    let start = Instant::now();
    let outcome = w.run(config.time_out(TimeOut::new(TIME).grace(TIME)))?;
    same("status", outcome.status, Status::Signaled(status))?;
    same("ending", outcome.ending, ending)?;
    let took = start.elapsed();
    ensure!(took >= TIME && took < Duration::from_secs(8), "the end took {took:?}");
    Ok(())
}

fn time_out_asks(w: &World<'_>) -> Check {
    ends_soon(w, w.probe("sleep 30000"), 15, Ending::TimedOut)
}

/// It is continued, and so can end.
fn time_out_stopped(w: &World<'_>) -> Check {
    ends_soon(w, w.probe("kill-self 19 , sleep 30000"), 15, Ending::TimedOut)
}

fn time_out_kills(w: &World<'_>) -> Check {
    ends_soon(w, family(w, Isolation::Isolated), 9, Ending::TimedOutAndKilled)?;
    both_ended(w)
}

fn time_out_kills_undefined(w: &World<'_>) -> Check {
    ends_soon(w, family(w, Isolation::Undefined), 9, Ending::TimedOutAndKilled)?;
    both_ended(w)
}

/// Without one nobody asks.
fn no_time_out(w: &World<'_>) -> Check {
    let outcome = w.run(w.probe("sleep 600 , exit 3"))?;
    same("status", outcome.status, Status::Exited(3))?;
    same("ending", outcome.ending, Ending::ByItself)
}

/// A command can kill its init, where it is of the same user. What has limits is in a cgroup, where all of it
/// is found.
fn init_killed(w: &World<'_>) -> Check {
    use nix::sys::signal::{Signal, kill};
    let mut limits = Limits::default();
    limits.processes = Some(50);
    let child = w.start(family(w, Isolation::Undefined).limits(limits))?;
    both_live(w)?;
    kill(nix::unistd::Pid::from_raw(child.pid().cast_signed()), Signal::SIGKILL)?;
    let ended = child.wait();
    ensure!(matches!(ended, Err(WaitError::Killed)), "it ended otherwise: {ended:?}");
    both_ended(w)
}

/// It would end by itself after 10 s; it has some time to grow before it is killed.
fn bomb_ends(w: &World<'_>, config: SandboxConfigBuilder) -> Check {
    let child = w.start(config)?;
    sleep(Duration::from_millis(500));
    let start = Instant::now();
    child.kill()?;
    same("status", child.wait()?.status, Status::Signaled(9))?;
    ensure!(start.elapsed() < Duration::from_secs(6), "the end took {:?}", start.elapsed());
    Ok(())
}

fn bomb(w: &World<'_>) -> Check {
    bomb_ends(w, w.probe("bomb"))
}

fn bomb_in_cgroup(w: &World<'_>) -> Check {
    let mut limits = Limits::default();
    limits.processes = Some(150);
    bomb_ends(w, w.probe("bomb").limits(limits))
}

/// Nobody kills it: it lives as long as it wants to.
fn bomb_goes_on(w: &World<'_>) -> Check {
    let mut limits = Limits::default();
    limits.processes = nix::unistd::geteuid().is_root().then_some(150);
    let child = w.start(w.probe("bomb").limits(limits))?;
    let start = Instant::now();
    child.wait()?;
    ensure!(start.elapsed() > Duration::from_secs(7), "it ended after {:?}", start.elapsed());
    Ok(())
}
