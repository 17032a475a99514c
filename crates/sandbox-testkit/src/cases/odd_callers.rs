//! More odd callers: PID 1, stopped, with others that reap, with no memory, with nowhere to be.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, chdir};
use sandbox_core::{
    Feature, Filesystem, First, Isolation, Mount, ProcessSettings, SandboxConfig,
    SandboxConfigBuilder, Status,
};
use sandbox_sys::{RunError, WaitError};

use super::processes::{lives, wait_for_life};
use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, names, same};
use crate::world::World;

const ISOLATED: Need = Need::Has(Feature::ProcessesIsolated);
const FIRST: &[Need] = &[ISOLATED, Need::Has(Feature::ProcessSpecial)];

pub(super) const CASES: &[Case] = &[
    Case::new("caller/is-pid-1", &[], is_pid_1),
    Case::new("caller/others-reap", &[], others_reap),
    Case::new("caller/others-reap-a-pid-1", FIRST, others_reap_pid_1),
    Case::new("caller/ignores-sigchld-of-a-pid-1", FIRST, ignores_pid_1),
    Case::new("caller/ignores-all-signals", &[], ignores_all),
    Case::new("caller/blocks-all-signals", &[], blocks_all),
    Case::new("caller/has-no-memory", &[], no_memory),
    Case::new("caller/is-nowhere", &[], nowhere),
    Case::new("caller/changes-directory-and-umask", &[Need::Has(Feature::MountTmpfs)], shifts),
    Case::new("lifecycle/stopped-ends-with-its-caller", &[ISOLATED], stopped_isolated),
    Case::new("lifecycle/undefined-stopped-ends-with-its-caller", &[], stopped),
];

pub(super) const ROLES: &[Role] = &[
    Role { name: "pid-1", run: pid_1_role },
    Role { name: "reaping", run: reaping_role },
    Role { name: "reaping-pid-1", run: reaping_pid_1_role },
    Role { name: "ignoring-pid-1", run: ignoring_pid_1_role },
    Role { name: "unheeding", run: unheeding_role },
    Role { name: "short-of-memory", run: short_of_memory },
    Role { name: "nowhere", run: nowhere_role },
    Role { name: "shifting", run: shifting_role },
    Role { name: "hold-stopped", run: hold_stopped },
    Role { name: "hold-stopped-isolated", run: hold_stopped_isolated },
];

fn is_pid_1(w: &World<'_>) -> Check {
    let tried = w.host(&format!("as-pid-1 {} exit 7", w.probe_path().display())).output()?;
    if tried.status.code() != Some(7) {
        let reason = String::from_utf8_lossy(&tried.stderr);
        return Err(Failure::cannot_run(format!("no process can be a PID 1: {}", reason.trim())));
    }
    w.play("as-pid-1", "pid-1")
}

/// Every orphan of the host becomes its child.
fn pid_1_role(w: &World<'_>) -> Check {
    same("own number", std::process::id(), 1)?;
    usual(w)?;
    drop(w.start(w.probe("family /work/daemon /work/beat"))?);
    same("status", w.run(w.probe("daemon /work/beat"))?.status, Status::Exited(0))?;
    let children = fs::read_to_string("/proc/1/task/1/children")?;
    same("children", children.trim(), "")
}

/// A command's end, an orphan, a kill.
pub(super) fn usual(w: &World<'_>) -> Check {
    same("status", w.run(w.probe("exit 42"))?.status, Status::Exited(42))?;
    same("status", w.run(w.probe("kill-self 15"))?.status, Status::Signaled(15))?;
    same("orphan", w.run(w.probe("orphan /work/beat"))?.status, Status::Exited(0))?;
    let child = w.start(w.probe("sleep 30000"))?;
    child.kill()?;
    same("killed", child.wait()?.status, Status::Signaled(9))
}

fn first(w: &World<'_>, words: &str) -> SandboxConfigBuilder {
    let mut settings = ProcessSettings::default();
    settings.first = First::Command;
    w.probe(words).processes(Isolation::Isolated).process(settings)
}

/// Runs something while another thread waits for all children that there are, as a runtime may do upon SIGCHLD.
fn while_reaped(action: impl FnOnce() -> Check) -> Check {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                while waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG))
                    .is_ok_and(|status| status != nix::sys::wait::WaitStatus::StillAlive)
                {
                }
                thread::yield_now();
            }
        });
        let checked = action();
        done.store(true, Relaxed);
        checked
    })
}

fn others_reap(w: &World<'_>) -> Check {
    w.play("", "reaping")
}

fn reaping_role(w: &World<'_>) -> Check {
    while_reaped(|| {
        (0..20).try_for_each(|_| usual(w))?;
        let error = w.refuses(SandboxConfig::builder(["/none"]).root(w.tree()))?;
        names(&error, &["/none"])
    })
}

fn others_reap_pid_1(w: &World<'_>) -> Check {
    w.play("", "reaping-pid-1")
}

/// Either its status is known all the same, or that it was taken is an error; it is never another's.
fn known_or_lost(w: &World<'_>, words: &str, expected: Status) -> Check {
    match w.run(first(w, words)) {
        Ok(outcome) => same("status", outcome.status, expected),
        Err(RunError::Wait(WaitError::Lost)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn reaping_pid_1_role(w: &World<'_>) -> Check {
    while_reaped(|| (0..20).try_for_each(|_| known_or_lost(w, "exit 42", Status::Exited(42))))
}

fn ignores_pid_1(w: &World<'_>) -> Check {
    w.play("ignoring-children", "ignoring-pid-1")
}

fn ignoring_pid_1_role(w: &World<'_>) -> Check {
    (0..20).try_for_each(|_| known_or_lost(w, "exit 42", Status::Exited(42)))?;
    let child = w.start(first(w, "sleep 30000"))?;
    child.kill()?;
    same("killed", child.wait()?.status, Status::Signaled(9))
}

fn ignores_all(w: &World<'_>) -> Check {
    w.play("ignoring-all", "unheeding")
}

fn blocks_all(w: &World<'_>) -> Check {
    let before = SigSet::thread_get_mask()?;
    SigSet::all().thread_block()?;
    let checked = unheeding_role(w);
    before.thread_set_mask()?;
    checked
}

fn unheeding_role(w: &World<'_>) -> Check {
    same("status", w.run(w.probe("orphan /work/beat , exit 42"))?.status, Status::Exited(42))?;
    let child = w.start(w.probe("sleep 30000"))?;
    child.kill()?;
    same("killed", child.wait()?.status, Status::Signaled(9))?;
    let said = w.says(w.probe("signals"))?;
    ensure!(!said.contains("blocked"), "the command cannot be reached: {said}");
    Ok(())
}

fn no_memory(w: &World<'_>) -> Check {
    w.play("", "short-of-memory")
}

/// Lets no new memory be mapped, then a little more each time. A second sandbox would need none.
fn short_of_memory(w: &World<'_>) -> Check {
    // What the test itself needs for its errors is there already.
    let blocks: Vec<_> = (0..512).map(|_| vec![1_u8; 4096]).collect();
    let last = vec![1_u8; 100_000];
    drop(blocks);
    let (soft, hard) = getrlimit(Resource::RLIMIT_AS)?;
    let mut refused = 0;
    for spare in (0..4096).step_by(32) {
        setrlimit(Resource::RLIMIT_AS, (mapped()? + spare) << 10, hard)?;
        let ran = w.run(w.probe("exit 5"));
        setrlimit(Resource::RLIMIT_AS, soft, hard)?;
        match ran {
            Ok(outcome) => same("status", outcome.status, Status::Exited(5))?,
            Err(error) => {
                refused += 1;
                names(&error, &["emory"])
                    .map_err(|failure| failure.of(&format!("with {spare} KiB to spare")))?;
            }
        }
    }
    drop(last);
    ensure!(refused > 0, "it needs no memory at all");
    same("status afterwards", w.run(w.probe("exit 5"))?.status, Status::Exited(5))
}

/// In KiB.
fn mapped() -> Check<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

fn nowhere(w: &World<'_>) -> Check {
    w.play("", "nowhere")
}

/// Its directory is gone.
fn nowhere_role(w: &World<'_>) -> Check {
    let gone = w.dir().join("gone");
    fs::create_dir(&gone)?;
    chdir(&gone)?;
    fs::remove_dir(&gone)?;
    usual(w)?;
    same("cwd", w.says(w.probe("cwd"))?, "/")?;
    same("cwd", w.says(w.probe("cwd").cwd("/work"))?, "/work")
}

fn shifts(w: &World<'_>) -> Check {
    w.play("", "shifting")
}

/// 64 threads start sandboxes, while others change directory and umask, fork, and allocate. What the sandbox
/// makes has the modes that it should, and it is where it should be.
fn shifting_role(w: &World<'_>) -> Check {
    let (backend, dir, probe) = (w.backend, w.dir(), w.probe_path());
    let run = w.probe_path().parent().unwrap_or(dir);
    let done = AtomicBool::new(false);
    let fork = || Ok(Command::new(probe).args(["exit", "0"]).status().map(|_| ())?);
    let checked = thread::scope(|scope| {
        let disturbing: [&(dyn Fn() -> Check + Sync); 4] = [
            &|| Ok(["/", "/proc", "/tmp"].into_iter().try_for_each(chdir)?),
            &|| {
                for bits in [0o777, 0o000, 0o077, 0o027] {
                    umask(Mode::from_bits_truncate(bits));
                }
                Ok(())
            },
            &fork,
            &|| {
                drop((0..64).map(|size| vec![1_u8; size * 512]).collect::<Vec<_>>());
                Ok(())
            },
        ];
        for disturb in disturbing {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Relaxed) && disturb().is_ok() {
                    thread::yield_now();
                }
            });
        }
        let threads: Vec<_> = (0..64_u8)
            .map(|number| {
                scope.spawn(move || -> Check {
                    let w = World::open(backend, run, dir.to_owned());
                    let tmpfs = Filesystem::Tmpfs { size: None, mode: None };
                    for round in 0..3 {
                        let made = format!("/made-{}", number % 8);
                        let target = Mount::new(format!("{made}/{number}"), tmpfs.clone())?;
                        let words = format!("cwd , stat {made} , exit {round}");
                        let outcome = w.run(w.probe(&words).mount(target))?;
                        same("status", outcome.status, Status::Exited(round))?;
                        let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
                        ensure!(said.starts_with("/\ndir 1755 "), "number {number}: {said}");
                    }
                    Ok(())
                })
            })
            .collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| Failure::wrong("a thread panicked"))?);
        let ended: Vec<_> = ended.collect();
        done.store(true, Relaxed);
        ended.into_iter().collect::<Check<Vec<()>>>()
    });
    umask(Mode::from_bits_truncate(0o022));
    checked.map(drop)
}

fn hold(w: &World<'_>, processes: Isolation) -> Check {
    let child = w.start(w.probe("family /work/daemon /work/beat").processes(processes))?;
    wait_for_life(w, "/work/beat")?;
    // As the command can, where it sees its init.
    kill(Pid::from_raw(i32::try_from(child.pid())?), Signal::SIGSTOP)?;
    fs::write(w.path("/work/stopped"), "")?;
    child.wait()?;
    Ok(())
}

fn hold_stopped(w: &World<'_>) -> Check {
    hold(w, Isolation::Undefined)
}

fn hold_stopped_isolated(w: &World<'_>) -> Check {
    hold(w, Isolation::Isolated)
}

/// A stopped init cannot see that its caller has gone.
fn ends_with_caller(w: &World<'_>, role: &str) -> Check {
    let mut caller = w.role("", role)?.stdout(Stdio::null()).spawn()?;
    for _ in 0..500 {
        if w.path("/work/stopped").exists() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    let stopped = w.path("/work/stopped").exists();
    caller.kill()?;
    caller.wait()?;
    ensure!(stopped, "it was not stopped");
    sleep(Duration::from_millis(300));
    ensure!(!lives(w, "/work/beat"), "the command lives on");
    ensure!(!lives(w, "/work/daemon"), "a daemon lives on");
    Ok(())
}

fn stopped(w: &World<'_>) -> Check {
    ends_with_caller(w, "hold-stopped")
}

fn stopped_isolated(w: &World<'_>) -> Check {
    ends_with_caller(w, "hold-stopped-isolated")
}
