//! Limits: what a sandbox may use, which it can neither exceed nor leave; and that nothing is left of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sandbox_core::{
    CommandLine, Feature, First, Isolation, Limits, ProcessSettings, SandboxConfig,
    SandboxConfigBuilder, Status,
};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, names, same};
use crate::leaks::cgroups;
use crate::world::{World, said};

const MEMORY: Need = Need::Has(Feature::MemoryLimited);
const CPU: Need = Need::Has(Feature::CpuLimited);
const PROCESSES: Need = Need::Has(Feature::ProcessesLimited);
const FIRST: Need = Need::Has(Feature::ProcessSpecial);
const ISOLATED: Need = Need::Has(Feature::ProcessesIsolated);

pub(super) const CASES: &[Case] = &[
    Case::new("limits/memory", &[MEMORY], memory).control(memory_without),
    Case::new("limits/memory-of-all-together", &[MEMORY], memory_together)
        .control(memory_together_without),
    Case::new("limits/memory-of-pid-1", &[MEMORY, FIRST, ISOLATED], memory_of_pid_1),
    Case::new("limits/memory-too-little-for-anything", &[MEMORY], too_little),
    Case::new("limits/cpu", &[CPU], cpu).control(cpu_without),
    Case::new("limits/processes", &[PROCESSES], processes).control(processes_without),
    Case::new("limits/of-isolated-processes", &[MEMORY, PROCESSES, ISOLATED], isolated),
    Case::new("limits/as-another-user", &[PROCESSES, Need::Has(Feature::UserIds)], other_user),
    Case::new("limits/several-at-once", &[MEMORY, CPU, PROCESSES], several),
    Case::new("limits/cannot-be-left", &[PROCESSES], cannot_be_left).control(hosts_can_be_left),
    Case::new("limits/removed-at-the-end", &[MEMORY, PROCESSES], removed),
    Case::new("limits/removed-after-a-failure", &[PROCESSES], removed_after_failure),
    Case::new("limits/left-by-a-killed-caller", &[PROCESSES], left_by_killed),
    Case::new("limits/nothing-of-it", &[], nothing_of_it),
];

pub(super) const ROLES: &[Role] = &[Role { name: "limited-until-killed", run: until_killed }];

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn limited(w: &World<'_>, words: &str, change: impl FnOnce(&mut Limits)) -> SandboxConfigBuilder {
    w.probe(words).limits(limits(change))
}

const MIB: u64 = 1 << 20;
/// Twice the limit.
const TOO_MUCH: &str = "allocate 128";

fn memory(w: &World<'_>) -> Check {
    let enough = w.run(limited(w, "allocate 16", |all| all.memory = Some(64 * MIB)))?;
    same("within", (enough.status, enough.out_of_memory), (Status::Exited(0), 0))?;
    let outcome = w.run(limited(w, TOO_MUCH, |all| all.memory = Some(64 * MIB)))?;
    same("beyond", outcome.status, Status::Signaled(9))?;
    ensure!(outcome.out_of_memory > 0, "it is not said that something was killed");
    Ok(())
}

fn memory_without(w: &World<'_>) -> Check {
    same("without a limit", w.says(w.probe(TOO_MUCH))?, "ok")
}

/// Its caller limits it, as there is no init to do so.
fn memory_of_pid_1(w: &World<'_>) -> Check {
    let mut first = ProcessSettings::default();
    first.first = First::Command;
    let words = format!("sleep 300 , {TOO_MUCH}");
    let config = limited(w, &words, |all| {
        (all.memory, all.processes) = (Some(64 * MIB), Some(4));
    });
    let config = config.processes(Isolation::Isolated).process(first);
    let outcome = w.run(config.clone())?;
    same("status", outcome.status, Status::Signaled(9))?;
    ensure!(outcome.out_of_memory > 0, "it is not said that something was killed");
    let mut alone = config.build()?;
    alone.command = CommandLine::new(["/bin/probe", "forks", "20"])?;
    same("processes", said(&w.launch(|launcher| launcher.run(&alone))?)?, "3 EAGAIN")
}

/// The caller lives, although the child begins in its memory; and it is told why.
fn too_little(w: &World<'_>) -> Check {
    for bytes in [1, 4096, 16_384] {
        let config = limited(w, "exit 0", |all| all.memory = Some(bytes));
        w.refuses_naming(config, &["limit the command's memory", "less than a sandbox needs"])?;
    }
    // Between that and enough, the command is killed or cannot begin.
    for kib in [64, 128, 256, 512] {
        let config = limited(w, TOO_MUCH, |all| all.memory = Some(kib << 10));
        if let Ok(outcome) = w.run(config) {
            ensure!(outcome.status == Status::Signaled(9), "{kib} KiB: {}", outcome.status);
        }
    }
    same("afterwards", own(std::process::id())?, Vec::<PathBuf>::new())
}

/// Each alone would have enough.
const TOGETHER: &str = "together 4 32";

fn memory_together(w: &World<'_>) -> Check {
    let outcome = w.run(limited(w, TOGETHER, |all| all.memory = Some(64 * MIB)))?;
    ensure!(outcome.out_of_memory > 0, "nothing was killed: {}", outcome.status);
    Ok(())
}

fn memory_together_without(w: &World<'_>) -> Check {
    same("without a limit", w.says(w.probe(TOGETHER))?, "4")
}

/// Milliseconds on a processor in two seconds.
fn burnt(w: &World<'_>, config: SandboxConfigBuilder) -> Check<u32> {
    Ok(w.says(config)?.parse()?)
}

fn cpu(w: &World<'_>) -> Check {
    let used = burnt(w, limited(w, "burn 2000", |all| all.cpu = Some(200)))?;
    ensure!(used < 700, "{used} ms of 2000 with a fifth of a processor");
    Ok(())
}

/// Others may keep the machine busy.
fn cpu_without(w: &World<'_>) -> Check {
    let mut used = 0;
    for _ in 0..4 {
        used = burnt(w, w.probe("burn 2000"))?;
        if used > 1000 {
            return Ok(());
        }
    }
    Err(Failure::cannot_run(format!("the machine is busy: {used} ms of 2000 without a limit")))
}

/// The command is one of them.
fn processes(w: &World<'_>) -> Check {
    let said = w.says(limited(w, "forks 20", |all| all.processes = Some(8)))?;
    same("of twenty", said, "7 EAGAIN")?;
    same("alone", w.says(limited(w, "forks 1", |all| all.processes = Some(1)))?, "0 EAGAIN")
}

fn processes_without(w: &World<'_>) -> Check {
    same("without a limit", w.says(w.probe("forks 20"))?, "20")
}

fn isolated(w: &World<'_>) -> Check {
    let config = limited(w, "forks 20 , read /proc/self/cgroup", |all| {
        (all.memory, all.processes) = (Some(64 * MIB), Some(8));
    });
    let proc = sandbox_core::Mount::new("/proc", sandbox_core::Filesystem::Proc)?;
    let said = w.says(config.processes(Isolation::Isolated).mount(proc))?;
    ensure!(said.starts_with("7 EAGAIN\n"), "inside: {said}");
    // Where it stands on the host is not told.
    ensure!(!said.contains("sandboxlib"), "inside: {said}");
    Ok(())
}

fn other_user(w: &World<'_>) -> Check {
    let user = sandbox_core::User::Ids { uid: 4321, gid: 4322 };
    let config = limited(w, "forks 20", |all| all.processes = Some(8)).user(user);
    same("of twenty", w.says(config)?, "7 EAGAIN")
}

fn several(w: &World<'_>) -> Check {
    let all = |words| {
        limited(w, words, |all| {
            (all.memory, all.cpu, all.processes) = (Some(64 * MIB), Some(500), Some(4));
        })
    };
    same("processes", w.says(all("forks 20"))?, "3 EAGAIN")?;
    same("memory", w.run(all(TOO_MUCH))?.status, Status::Signaled(9))?;
    let used = burnt(w, all("burn 1000"))?;
    ensure!(used < 800, "{used} ms of 1000 with half a processor");
    Ok(())
}

/// Files by which a process could leave its cgroup for one that has no limits.
fn ways_out() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        found.push(entry.path().join("cgroup.procs"));
    }
    found.push("/sys/fs/cgroup/cgroup.procs".into());
    found.retain(|path| path.exists());
    found
}

fn tries(program: &Path, ways: &[PathBuf]) -> Vec<String> {
    let mut words = vec![program.display().to_string()];
    for way in ways {
        words.extend([",".to_owned(), "open".to_owned(), way.display().to_string()]);
    }
    words.remove(1);
    words
}

/// Also where the host's files are the sandbox's, and writing asks for no capability.
fn cannot_be_left(w: &World<'_>) -> Check {
    let ways = ways_out();
    let config = SandboxConfig::builder(tries(w.probe_path(), &ways));
    let said = w.says(config.limits(limits(|all| all.processes = Some(8))))?;
    ensure!(!said.contains("ok"), "of {ways:?}: {said}");
    Ok(())
}

fn hosts_can_be_left(w: &World<'_>) -> Check {
    let said = w.says(SandboxConfig::builder(tries(w.probe_path(), &ways_out())))?;
    if said.contains("ok") {
        return Ok(());
    }
    Err(Failure::cannot_run(format!("the caller cannot write there either: {said}")))
}

fn own(pid: u32) -> Check<Vec<PathBuf>> {
    let start = format!("sandboxlib-{pid}-");
    let is_own = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))
    };
    Ok(cgroups()?.into_iter().filter(is_own).collect())
}

fn removed(w: &World<'_>) -> Check {
    let me = std::process::id();
    let two = |all: &mut Limits| (all.memory, all.processes) = (Some(64 * MIB), Some(8));
    let child = w.start(limited(w, "sleep 60000", two))?;
    ensure!(!own(me)?.is_empty(), "there is none while it runs");
    child.kill()?;
    child.wait()?;
    same("after its end", own(me)?, Vec::<PathBuf>::new())?;
    drop(w.start(limited(w, "sleep 60000", two))?);
    same("after its handle", own(me)?, Vec::<PathBuf>::new())?;
    // An orphan is killed by then.
    w.run(limited(w, "orphan /work/orphan", two))?;
    same("after an orphan", own(me)?, Vec::<PathBuf>::new())
}

fn removed_after_failure(w: &World<'_>) -> Check {
    let config = limited(w, "exit 0", |all| all.processes = Some(8)).cwd("/none");
    w.refuses_naming(config, &["/none", "No such file"])?;
    same("afterwards", own(std::process::id())?, Vec::<PathBuf>::new())
}

/// A caller that is killed, and cannot remove anything.
fn until_killed(w: &World<'_>) -> Check {
    let config = limited(w, "write /work/started , sleep 60000", |all| all.processes = Some(8));
    w.start(config)?.wait()?;
    Ok(())
}

fn until(what: &str, mut is_so: impl FnMut() -> Check<bool>) -> Check {
    let patience = Instant::now() + Duration::from_secs(10);
    while !is_so()? {
        ensure!(Instant::now() < patience, "not within 10 s: {what}");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn left_by_killed(w: &World<'_>) -> Check {
    let mut caller = w.role("", "limited-until-killed")?.spawn()?;
    until("it runs", || Ok(w.path("/work/started").exists()))?;
    caller.kill()?;
    caller.wait()?;
    let left = own(caller.id())?;
    if left.is_empty() {
        // As we do below.
        return Err(Failure::cannot_run("another sandbox of this user has removed what was left"));
    }
    let empty = |path: &PathBuf| {
        fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|text| text.is_empty())
    };
    until("its sandbox has ended", || Ok(left.iter().all(empty)))?;
    w.run(limited(w, "exit 0", |all| all.processes = Some(8)))?;
    same("after the next one", own(caller.id())?, Vec::<PathBuf>::new())
}

fn nothing_of_it(w: &World<'_>) -> Check {
    for (field, change) in [
        ("limits.memory", (|all| all.memory = Some(0)) as fn(&mut Limits)),
        ("limits.cpu", |all| all.cpu = Some(0)),
        ("limits.processes", |all| all.processes = Some(0)),
    ] {
        match limited(w, "exit 0", change).build() {
            Ok(_) => return Err(Failure::wrong(format!("{field} may be 0"))),
            Err(error) => names(&error, &[field, "\"0\"", "1 or more"])?,
        }
    }
    Ok(())
}
