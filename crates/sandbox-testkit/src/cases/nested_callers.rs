//! Callers that are in a sandbox themselves: three deep, limited, with nothing but a few places to write to.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use nix::unistd::geteuid;
use sandbox_core::{
    Capability, Environment, Feature, Filesystem, Isolation, KeptCapabilities, Limits, Mount,
    SandboxConfig, SandboxConfigBuilder, Status,
};

use super::odd_callers::usual;
use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, names, same};
use crate::world::{DIR, ROLE, World};

const ISOLATED: Need = Need::Has(Feature::ProcessesIsolated);
const HOSTS_ROOT: Need = Need::Has(Feature::RootHost);

pub(super) const CASES: &[Case] = &[
    Case::new("caller/is-in-a-sandbox", &[ISOLATED, HOSTS_ROOT], nested),
    Case::new(
        "caller/is-limited-in-processes",
        &[ISOLATED, HOSTS_ROOT, Need::Has(Feature::ProcessesLimited)],
        limited,
    ),
    Case::new(
        "caller/can-write-nowhere",
        &[ISOLATED, HOSTS_ROOT, Need::Has(Feature::WritableNothing)],
        reads,
    ),
];

pub(super) const ROLES: &[Role] = &[
    Role { name: "nested-1", run: nested_1 },
    Role { name: "nested-2", run: nested_2 },
    Role { name: "innermost", run: innermost },
    Role { name: "short-of-processes", run: short_of_processes },
];

/// This program in a role, in a sandbox with the host's files.
fn sandboxed(w: &World<'_>, role: &str) -> Check<SandboxConfigBuilder> {
    let variables = env::vars_os().filter(|(name, _)| name != ROLE && name != "TMPDIR");
    let role = [(ROLE.into(), role.into())];
    let this = env::current_exe()?;
    let config = SandboxConfig::builder([this]).env(Environment::exactly(variables.chain(role)));
    let dir = env::vars_os().find(|(name, _)| name == DIR);
    ensure!(dir.is_some_and(|(_, dir)| dir == w.dir()), "the directory is not told");
    if !geteuid().is_root() {
        return Ok(config);
    }
    // Without it, a user 0 cannot be in another user namespace (user_namespaces(7)).
    let kept = BTreeSet::from([Capability::named("cap_setfcap")?]);
    Ok(config.capabilities(KeptCapabilities::Only(kept)))
}

/// Lets a role in a sandbox play to its end.
fn play_in(w: &World<'_>, config: SandboxConfigBuilder) -> Check {
    let outcome = w.run(config)?;
    if outcome.status == Status::Exited(0) {
        return Ok(());
    }
    let report = fs::read_to_string(w.role_report()).unwrap_or_else(|_| {
        let (out, err) = (outcome.stdout.bytes, outcome.stderr.bytes);
        format!("{} {} {}", outcome.status, out.escape_ascii(), err.escape_ascii())
    });
    Err(Failure::wrong(report))
}

fn deeper(w: &World<'_>, role: &str, processes: Isolation) -> Check {
    let config = sandboxed(w, role)?.mounts(Isolation::Isolated).network(Isolation::Isolated);
    play_in(w, config.processes(processes).ipc(Isolation::Isolated))
        .map_err(|failure| failure.of(role))
}

/// A proc of its own can be had below one of which nothing is masked (user_namespaces(7)): root's is.
fn below() -> Isolation {
    if geteuid().is_root() { Isolation::Undefined } else { Isolation::Isolated }
}

fn nested(w: &World<'_>) -> Check {
    deeper(w, "nested-1", Isolation::Isolated)
}

fn nested_1(w: &World<'_>) -> Check {
    deeper(w, "nested-2", below())
}

fn nested_2(w: &World<'_>) -> Check {
    deeper(w, "innermost", below())
}

fn innermost(w: &World<'_>) -> Check {
    usual(w)?;
    let isolated = w.probe("exit 3").network(Isolation::Isolated).mounts(Isolation::Isolated);
    let isolated = isolated.processes(Isolation::Isolated);
    same("status", w.run(isolated)?.status, Status::Exited(3))
}

fn limited(w: &World<'_>) -> Check {
    for processes in 2..12 {
        let mut limits = Limits::default();
        limits.processes = Some(processes);
        let config = sandboxed(w, "short-of-processes")?.processes(Isolation::Isolated);
        let what = format!("with {processes} processes");
        play_in(w, config.limits(limits)).map_err(|failure| failure.of(&what))?;
    }
    Ok(())
}

/// However few there are: it works, or the error says what is missing.
fn short_of_processes(w: &World<'_>) -> Check {
    match w.run(w.probe("exit 5")) {
        Ok(outcome) => same("status", outcome.status, Status::Exited(5)),
        Err(error) => names(&error, &["limit of processes"]),
    }
}

fn reads(w: &World<'_>) -> Check {
    let config = sandboxed(w, "innermost")?.mounts(Isolation::Isolated);
    let config =
        config.processes(Isolation::Isolated).mount(Mount::new("/proc", Filesystem::Proc)?);
    play_in(w, config.writable([w.dir(), Path::new("/proc")]))
}
