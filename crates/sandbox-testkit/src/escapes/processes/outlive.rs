//! Processes that would outlive the sandbox, or stop what ends it.

use std::fs::{self, File};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox_core::{Isolation, SandboxConfigBuilder, Status};

use super::ISOLATED;
use crate::case::{Case, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

pub(in crate::escapes) const CASES: &[Case] = &[
    Case::new("escape-processes/orphan-outlives", ISOLATED, |w| {
        ends(w, "clinging-orphan", Isolation::Isolated)
    })
    .control(|w| lives_on(w, "clinging-orphan")),
    Case::new("escape-processes/daemon-outlives", ISOLATED, |w| {
        ends(w, "clinging-daemon", Isolation::Isolated)
    })
    .control(|w| lives_on(w, "clinging-daemon")),
    Case::new("escape-processes/undefined-orphan-outlives", &[], |w| {
        ends(w, "clinging-orphan", Isolation::Undefined)
    })
    .control(|w| lives_on(w, "clinging-orphan")),
    Case::new("escape-processes/undefined-daemon-outlives", &[], |w| {
        ends(w, "clinging-daemon", Isolation::Undefined)
    })
    .control(|w| lives_on(w, "clinging-daemon")),
    Case::new("escape-processes/fork-bomb-outlives-kill", ISOLATED, |w| {
        bomb(w, Isolation::Isolated)
    })
    .control(bomb_on_host),
    Case::new("escape-processes/undefined-fork-bomb-outlives-kill", &[], |w| {
        bomb(w, Isolation::Undefined)
    })
    .control(bomb_on_host),
    Case::new("escape-processes/pdeathsig-cleared", ISOLATED, |w| {
        caller_killed(w, "clinging-isolated")
    })
    .control(caller_of_plain_killed),
    Case::new("escape-processes/undefined-pdeathsig-cleared", &[], |w| {
        caller_killed(w, "clinging-undefined")
    })
    .control(caller_of_plain_killed),
    Case::new("escape-processes/stop-of-the-supervisor", ISOLATED, stop_isolated)
        .control(stop_undefined),
    Case::new("escape-processes/kill-of-the-supervisor", ISOLATED, kill_isolated)
        .control(kill_undefined),
];

pub(in crate::escapes) const ROLES: &[Role] = &[
    Role { name: "clinging-isolated", run: |w| hold(w, Isolation::Isolated) },
    Role { name: "clinging-undefined", run: |w| hold(w, Isolation::Undefined) },
    Role { name: "clinging-plain", run: hold_plain },
];

/// How often a process has written to its file.
fn beats(w: &World<'_>, file: &str) -> u64 {
    w.path(file).metadata().map_or(0, |file| file.len())
}

fn lives(w: &World<'_>, file: &str) -> bool {
    let before = beats(w, file);
    sleep(Duration::from_millis(150));
    beats(w, file) > before
}

fn wait_for_life(w: &World<'_>, file: &str) -> Check {
    for _ in 0..500 {
        if beats(w, file) > 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    Err(Failure::wrong(format!("nothing ever wrote to {file}")))
}

/// Ends what was started without a sandbox.
fn end(pid: &str) -> Check {
    kill(Pid::from_raw(pid.trim().parse()?), Signal::SIGKILL)?;
    Ok(())
}

fn ends(w: &World<'_>, command: &str, processes: Isolation) -> Check {
    let outcome = w.run(w.probe(&format!("{command} /work/beat")).processes(processes))?;
    same("status", outcome.status, Status::Exited(0))?;
    ensure!(beats(w, "/work/beat") > 0, "the process never ran");
    ensure!(!lives(w, "/work/beat"), "it lives on after the sandbox");
    Ok(())
}

/// The same after a plain child.
fn lives_on(w: &World<'_>, command: &str) -> Check {
    let said = w.dir().join("said");
    let file = w.path("/work/control").display().to_string();
    let mut plain = w.host(&format!("{command} {file}"));
    plain.stdout(File::create(&said)?).status()?;
    let lives = lives(w, "/work/control");
    end(&fs::read_to_string(said)?)?;
    ensure!(lives, "it does not live on after a plain child");
    Ok(())
}

fn relays(w: &World<'_>, at: &str) -> String {
    let path = |name: &str| {
        if at.is_empty() {
            format!("/work/{name}")
        } else {
            w.path(&format!("/work/{name}")).display().to_string()
        }
    };
    format!("relays {} {}", path(&format!("relays{at}")), path(&format!("stop{at}")))
}

fn bomb(w: &World<'_>, processes: Isolation) -> Check {
    let child = w.start(w.probe(&relays(w, "")).processes(processes))?;
    wait_for_life(w, "/work/relays")?;
    sleep(Duration::from_millis(200));
    let start = Instant::now();
    child.kill()?;
    same("status", child.wait()?.status, Status::Signaled(9))?;
    let took = start.elapsed();
    let lives = lives(w, "/work/relays");
    // Were the sandbox to fail, nobody else would end it sooner.
    fs::write(w.path("/work/stop"), "")?;
    ensure!(!lives, "it lives on after kill");
    ensure!(took < Duration::from_secs(5), "the end took {took:?}");
    Ok(())
}

fn bomb_on_host(w: &World<'_>) -> Check {
    let mut child = w.host(&relays(w, "-control")).spawn()?;
    wait_for_life(w, "/work/relays-control")?;
    child.kill()?;
    child.wait()?;
    let alive = lives(w, "/work/relays-control");
    fs::write(w.path("/work/stop-control"), "")?;
    sleep(Duration::from_millis(200));
    ensure!(alive, "it ends with the process that was killed");
    ensure!(!lives(w, "/work/relays-control"), "it does not stop when it is told to");
    Ok(())
}

fn family(w: &World<'_>, processes: Isolation) -> SandboxConfigBuilder {
    w.probe("clinging-family /work/daemon /work/beat").processes(processes)
}

fn hold(w: &World<'_>, processes: Isolation) -> Check {
    w.run(family(w, processes))?;
    Ok(())
}

fn hold_plain(w: &World<'_>) -> Check {
    w.host(&format!("cling {}", w.path("/work/control").display())).status()?;
    Ok(())
}

/// Kills the caller, which leaves it no chance to tidy up.
fn caller_killed(w: &World<'_>, role: &str) -> Check {
    let mut caller = w.role("", role)?.stdout(Stdio::null()).spawn()?;
    let alive = wait_for_life(w, "/work/daemon").and_then(|()| wait_for_life(w, "/work/beat"));
    caller.kill()?;
    caller.wait()?;
    alive?;
    sleep(Duration::from_millis(300));
    ensure!(!lives(w, "/work/beat"), "the command lives on");
    ensure!(!lives(w, "/work/daemon"), "a daemon lives on");
    Ok(())
}

fn caller_of_plain_killed(w: &World<'_>) -> Check {
    let said = w.dir().join("said");
    let mut caller = w.role("", "clinging-plain")?.stdout(File::create(&said)?).spawn()?;
    let alive = wait_for_life(w, "/work/control");
    caller.kill()?;
    caller.wait()?;
    alive?;
    let lives = lives(w, "/work/control");
    end(&fs::read_to_string(said)?)?;
    ensure!(lives, "a plain child ends with its caller too");
    Ok(())
}

/// The kernel keeps the signal from PID 1 of a namespace.
fn stop_isolated(w: &World<'_>) -> Check {
    let start = Instant::now();
    let config = w.probe("stop-supervisor , sleep 50 , exit 3").processes(Isolation::Isolated);
    same("status", w.run(config)?.status, Status::Exited(3))?;
    ensure!(start.elapsed() < Duration::from_secs(5), "the end took {:?}", start.elapsed());
    Ok(())
}

/// The state of a process, as /proc has it.
fn state(pid: u32) -> Check<Option<char>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()))
}

fn stop_undefined(w: &World<'_>) -> Check {
    let config =
        w.probe("sleep 200 , stop-supervisor , sleep 20000").processes(Isolation::Undefined);
    let child = w.start(config)?;
    let mut stopped = false;
    for _ in 0..200 {
        stopped = state(child.pid())? == Some('T');
        if stopped {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    child.kill()?;
    same("status", child.wait()?.status, Status::Signaled(9))?;
    ensure!(stopped, "nor is the supervisor stopped without processes of its own");
    Ok(())
}

fn kill_isolated(w: &World<'_>) -> Check {
    let config = w.probe("kill-supervisor , sleep 50 , exit 3").processes(Isolation::Isolated);
    same("status", w.run(config)?.status, Status::Exited(3))
}

/// Without processes of its own, a command that clears its parent-death signal lives on without its
/// supervisor, and that is what is not promised there.
fn kill_undefined(w: &World<'_>) -> Check {
    let said = w.dir().join("said");
    let output = sandbox_core::Output::File(said.clone());
    let config =
        w.probe("sleep 200 , kill-supervisor /work/control").processes(Isolation::Undefined);
    let ended = w.start(config.stdout(output))?.wait();
    wait_for_life(w, "/work/control")?;
    let lives = lives(w, "/work/control");
    let said = fs::read_to_string(said)?;
    if lives {
        end(said.lines().next().unwrap_or_default())?;
    }
    ensure!(lives, "it does not live on: {ended:?}");
    Ok(())
}
