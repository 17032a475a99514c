//! Odd callers: many threads, ignored signals, used-up limits.

use std::fs;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sandbox_core::{Feature, Filesystem, Isolation, Mount, Status};
use sandbox_sys::RunError;

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, names, same};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("caller/many-threads", &[], many_threads),
    Case::new("caller/thread-ends-before-the-sandbox", &[], thread_ends),
    Case::new(
        "caller/thread-ends-before-the-isolated-sandbox",
        &[Need::Has(Feature::ProcessesIsolated)],
        thread_ends_isolated,
    ),
    Case::new("caller/ignores-sigchld", &[], ignores_sigchld),
    Case::new("caller/descriptors-used-up", &[], descriptors_used_up),
    Case::new(
        "caller/descriptors-used-up-by-targets",
        &[Need::Has(Feature::MountTmpfs)],
        used_up_by_targets,
    ),
    Case::new("caller/processes-used-up", &[Need::PlainUser], processes_used_up),
    Case::new("caller/much-environment", &[], much_environment),
];

pub(super) const ROLES: &[Role] = &[
    Role { name: "ignoring", run: ignoring_role },
    Role { name: "few-files", run: few_files_role },
    Role { name: "few-files-for-targets", run: few_files_for_targets_role },
    Role { name: "few-processes", run: few_processes_role },
];

/// Eight threads that start sandboxes at once; no answer may get to the wrong one.
fn many_threads(w: &World<'_>) -> Check {
    let (backend, tree) = (w.backend, w.tree());
    let run = |status: u8| -> Result<Status, RunError> {
        let backends = [backend];
        let launcher =
            sandbox_sys::Launcher::new(&backends).preference(sandbox_core::Preference::Any);
        let words = ["/bin/probe".to_owned(), "exit".to_owned(), status.to_string()];
        let config = sandbox_core::SandboxConfig::builder(words).root(&tree).build()?;
        Ok(launcher.run(&config)?.status)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8u8)
            .map(|number| {
                scope.spawn(move || -> Check {
                    for round in 0..10 {
                        let status = number * 10 + round;
                        same("status", run(status)?, Status::Exited(status))?;
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| Failure::wrong("a thread panicked"))??;
        }
        Ok(())
    })
}

/// A parent's death is told to a child by the end of the thread that made it (prctl(2)); a sandbox
/// belongs to the process.
fn outlives_thread(w: &World<'_>, processes: Isolation) -> Check {
    let config = w.probe("sleep 300 , exit 7").processes(processes).build()?;
    let backend = w.backend;
    let child = thread::scope(|scope| {
        let start = move || {
            let backends = [backend];
            let launcher = sandbox_sys::Launcher::new(&backends);
            launcher.preference(sandbox_core::Preference::Any).start(&config)
        };
        scope.spawn(start).join().map_err(|_| Failure::wrong("a thread panicked"))
    })??;
    thread::sleep(Duration::from_millis(50));
    same("status", child.wait()?.status, Status::Exited(7))
}

fn thread_ends(w: &World<'_>) -> Check {
    outlives_thread(w, Isolation::Undefined)
}

fn thread_ends_isolated(w: &World<'_>) -> Check {
    outlives_thread(w, Isolation::Isolated)
}

fn ignores_sigchld(w: &World<'_>) -> Check {
    w.play("ignoring-children", "ignoring")
}

/// The kernel keeps no status of the children of such a process for wait(2).
fn ignoring_role(w: &World<'_>) -> Check {
    let status = fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap_or("0").trim(), 16)?;
    ensure!(ignored & (1 << 16) != 0, "SIGCHLD is not ignored");
    same("status", w.run(w.probe("exit 42"))?.status, Status::Exited(42))?;
    same("status", w.run(w.probe("kill-self 15"))?.status, Status::Signaled(15))?;
    same("signals of the command", w.says(w.probe("signals"))?, "default")
}

/// A step fails, or the host cannot even be probed: either way the error names the limit.
fn exhausted(error: &RunError, limit: &str) -> Check {
    ensure!(
        matches!(error, RunError::Spawn(_) | RunError::Select(_)),
        "another sort of error: {error:?}"
    );
    names(error, &[limit])
}

fn descriptors_used_up(w: &World<'_>) -> Check {
    w.play("", "few-files")
}

/// Lets no new descriptor be opened, then a few more each time: wherever it runs out, there is an
/// error that says so, and in the end it works.
fn few_files_role(w: &World<'_>) -> Check {
    w.run(w.probe("exit 0"))?;
    let open = fs::read_dir("/proc/self/fd")?.count() as u64 - 1;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    for spare in 0..64 {
        setrlimit(Resource::RLIMIT_NOFILE, open + spare, hard)?;
        match w.run(w.probe("exit 5")) {
            Ok(outcome) => {
                ensure!(spare > 0, "it needs no descriptor at all");
                return same("status", outcome.status, Status::Exited(5));
            }
            Err(error) => {
                let spare = format!("with {spare} to spare");
                exhausted(&error, "Too many open files").map_err(|failure| failure.of(&spare))?;
            }
        }
    }
    Err(Failure::wrong("64 descriptors do not suffice"))
}

fn used_up_by_targets(w: &World<'_>) -> Check {
    w.play("", "few-files-for-targets")
}

/// What was made before they ran out is removed, whether or not it could be held.
fn few_files_for_targets_role(w: &World<'_>) -> Check {
    w.run(w.probe("exit 0"))?;
    let open = fs::read_dir("/proc/self/fd")?.count() as u64 - 1;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    for spare in (8..40).step_by(4) {
        let mut targets = (0..30).map(|number| format!("/made/{number}/here"));
        let config = targets.try_fold(w.probe("exit 5"), |config, target| {
            let tmpfs = Filesystem::Tmpfs { size: None, mode: None };
            Mount::new(target, tmpfs).map(|mount| config.mount(mount))
        })?;
        setrlimit(Resource::RLIMIT_NOFILE, open + spare, hard)?;
        let refused = w.refuses(config);
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        exhausted(&refused?, "Too many open files")?;
        ensure!(!w.path("/made").exists(), "with {spare} to spare, targets are left in the tree");
    }
    Ok(())
}

fn processes_used_up(w: &World<'_>) -> Check {
    w.play("", "few-processes")
}

fn few_processes_role(w: &World<'_>) -> Check {
    w.run(w.probe("exit 0"))?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC)?;
    setrlimit(Resource::RLIMIT_NPROC, 1, hard)?;
    let refused = w.refuses(w.probe("exit 5"));
    setrlimit(Resource::RLIMIT_NPROC, soft, hard)?;
    exhausted(&refused?, "limit of processes")?;
    same("status afterwards", w.run(w.probe("exit 5"))?.status, Status::Exited(5))
}

fn much_environment(w: &World<'_>) -> Check {
    let variables = (0..1000).map(|number| (format!("V{number}"), "x".repeat(500)));
    let config = w.probe("env").env(sandbox_core::Environment::exactly(variables));
    let said = w.says(config)?;
    same("variables", said.lines().count(), 1000)
}
