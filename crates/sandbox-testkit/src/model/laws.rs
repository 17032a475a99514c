//! Rules that every plan follows, whatever was asked.

use std::collections::BTreeSet;

use sandbox_core::{
    Ability, CgroupView, HostFacts, Isolation, KeptCapabilities, Loopback, Namespace, Plan,
    SandboxConfig, Seccomp, Session, Standing, Step, Support, User, UserNamespace,
};

use super::Wrong;

/// What kind of thing a step does; each kind comes after the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Ids,
    Private,
    Root,
    Mounts,
    Hold,
    Cover,
    Release,
    LastNamespace,
    Enter,
    Names,
    Become,
    Locks,
    Gate,
    NoNew,
    Capabilities,
    Filter,
    Directory,
}

fn phase(step: &Step, gate: bool) -> Option<Phase> {
    Some(match step {
        Step::MapIds { .. } => Phase::Ids,
        Step::Await(_) if gate => Phase::Ids,
        Step::Await(_) => Phase::Gate,
        Step::PrivateMounts => Phase::Private,
        Step::RootTree(_) | Step::RootDirectory(_) | Step::RootEmpty => Phase::Root,
        Step::MakeDirectory(_)
        | Step::MakeFile(_)
        | Step::MakeTarget { .. }
        | Step::MakeTargetFor { .. }
        | Step::CreateDirectory { .. }
        | Step::CreateFile { .. }
        | Step::Symlink { .. }
        | Step::ChangeMode { .. }
        | Step::BindData { .. }
        | Step::BindDescriptor { .. }
        | Step::Bind { .. }
        | Step::BindConsole(_)
        | Step::Mount { .. }
        | Step::RestrictInPlace { .. }
        | Step::Restrict { .. }
        | Step::Mask(_) => Phase::Mounts,
        Step::Find(_) | Step::HoldWritable(_) => Phase::Hold,
        Step::ReadOnly => Phase::Cover,
        Step::ReleaseWritable(_) | Step::Reopen(_) => Phase::Release,
        Step::LastUserNamespace => Phase::LastNamespace,
        Step::PivotRoot | Step::Chroot => Phase::Enter,
        Step::LoopbackUp | Step::SetHostname(_) => Phase::Names,
        Step::SetIds { .. } => Phase::Become,
        Step::Lock(_) => Phase::Locks,
        Step::NoNewPrivileges => Phase::NoNew,
        Step::DropCapabilities | Step::KeepCapabilities(_) => Phase::Capabilities,
        Step::BlockTerminalInput | Step::BuildProfile(_) => Phase::Filter,
        Step::ChangeDirectory(_) | Step::KeepDirectory | Step::FirstDirectory(_) => {
            Phase::Directory
        }
        _ => return None,
    })
}

/// Holds a plan against all rules.
pub(super) fn check(plan: &Plan, config: &SandboxConfig, facts: &HostFacts) -> Result<(), Wrong> {
    let law = |held: bool, text: &'static str| if held { Ok(()) } else { Err(Wrong::Law(text)) };
    let is_luc = plan.backend.as_str() == "linux-user-chroot";
    let count = |wanted: &dyn Fn(&Step) -> bool| plan.steps.iter().filter(|s| wanted(s)).count();

    let mut phases = Vec::new();
    for (number, step) in plan.steps.iter().enumerate() {
        // Only the very first step waits for ids.
        let Some(phase) = phase(step, number == 0 && config.process.gates.ids_mapped.is_some())
        else {
            return Err(Wrong::Law("the model does not know a step"));
        };
        phases.push(phase);
    }
    law(phases.is_sorted(), "the steps are not in order")?;

    let in_namespace = |phase: &Phase| (Phase::Private..=Phase::Release).contains(phase);
    let mounts = phases.iter().any(in_namespace) || phases.contains(&Phase::Enter);
    let has = |phase| phases.contains(&phase);
    let in_memory = plan.namespaces.contains(&Namespace::Mount);
    law(!in_memory || has(Phase::Private), "mounts are shared with the host")?;
    law(has(Phase::Root) == has(Phase::Enter), "a root is made and not entered, or not made")?;
    law(
        !is_luc || mounts == in_memory,
        "a mount namespace without need, or none where it is needed",
    )?;
    let touches = has(Phase::Mounts) || has(Phase::Cover);
    law(!touches || in_memory, "something is mounted on the host")?;
    for once in
        [Phase::Private, Phase::Root, Phase::Cover, Phase::Enter, Phase::Become, Phase::NoNew]
    {
        law(phases.iter().filter(|phase| **phase == once).count() <= 1, "a step is done twice")?;
    }
    law(phases.iter().filter(|phase| **phase == Phase::Directory).count() == 1, "no directory")?;
    let held: Vec<_> = plan.steps.iter().filter_map(|s| path(s, true)).collect();
    let released: Vec<_> = plan.steps.iter().filter_map(|s| path(s, false)).collect();
    law(held == released, "what is held is not what is released")?;

    namespaces(plan, config, facts, is_luc, in_memory)?;

    let wanted = config.network == Isolation::Isolated && config.loopback == Loopback::Up;
    law(count(&|s| *s == Step::LoopbackUp) == usize::from(wanted), "loopback is not as asked")?;
    let named = config.hostname.iter().map(|name| Step::SetHostname(name.as_str().to_owned()));
    let names: Vec<_> =
        plan.steps.iter().filter(|s| matches!(s, Step::SetHostname(_))).cloned().collect();
    law(names == named.collect::<Vec<_>>(), "the name is not as asked")?;
    privileges(plan, config, facts, is_luc)?;

    let exec = &plan.exec;
    law(exec.command == config.command, "another command")?;
    law(exec.env == config.env, "another environment")?;
    law(exec.seccomp == config.seccomp.programs(), "other filters")?;
    let can = facts.can(Ability::Seccomp) == Support::Yes;
    let profile = match config.seccomp {
        Seccomp::Build => true,
        Seccomp::Default => can,
        _ => false,
    };
    let steps = count(&|s| matches!(s, Step::BuildProfile(kept) if *kept == config.capabilities));
    law(steps == usize::from(profile), "the build profile is not as asked")?;
    law(
        exec.descriptors == config.process.descriptors.iter().copied().collect::<Vec<_>>(),
        "descriptors",
    )?;
    let streams = (&exec.stdin, &exec.stdout, &exec.stderr);
    law(streams == (&config.stdin, &config.stdout, &config.stderr), "other streams")?;
    law(plan.limits == config.limits, "other limits")
}

fn path(step: &Step, held: bool) -> Option<String> {
    match step {
        Step::HoldWritable(path) if held => Some(path.to_string()),
        Step::ReleaseWritable(path) if !held => Some(path.to_string()),
        _ => None,
    }
}

fn privileged(config: &SandboxConfig, facts: &HostFacts, is_luc: bool) -> bool {
    let own = config.user_namespace == UserNamespace::Undefined;
    !is_luc || facts.standing == Standing::Privileged && own
}

/// Exactly the namespaces that are needed.
fn namespaces(
    plan: &Plan,
    config: &SandboxConfig,
    facts: &HostFacts,
    is_luc: bool,
    mount: bool,
) -> Result<(), Wrong> {
    let isolated = |what| what == Isolation::Isolated;
    let own_cgroup = isolated(config.processes)
        && config.process.cgroup_view == CgroupView::Own
        && facts.can(Ability::CgroupNamespace).is_yes();
    let wanted = [
        (Namespace::User, !privileged(config, facts, is_luc)),
        (Namespace::Mount, mount),
        (Namespace::Pid, isolated(config.processes)),
        (Namespace::Network, isolated(config.network)),
        (Namespace::Ipc, isolated(config.ipc)),
        (Namespace::Uts, isolated(config.uts) || config.hostname.is_some()),
        (Namespace::Cgroup, isolated(config.cgroup) || own_cgroup),
    ];
    let wanted: BTreeSet<_> = wanted.into_iter().filter(|(_, is)| *is).map(|(n, _)| n).collect();
    let made: BTreeSet<_> = plan.namespaces.iter().copied().collect();
    if made == wanted && made.len() == plan.namespaces.len() {
        Ok(())
    } else {
        Err(Wrong::Law("the namespaces are not exactly those that are needed"))
    }
}

/// Who the command is, and what it can never do.
fn privileges(
    plan: &Plan,
    config: &SandboxConfig,
    facts: &HostFacts,
    is_luc: bool,
) -> Result<(), Wrong> {
    let law = |held: bool, text: &'static str| if held { Ok(()) } else { Err(Wrong::Law(text)) };
    law(plan.steps.contains(&Step::NoNewPrivileges), "new privileges can be had")?;
    let dropped = plan.steps.contains(&Step::DropCapabilities);
    let kept = plan.steps.iter().find_map(|step| match step {
        Step::KeepCapabilities(kept) => Some(kept.iter().copied().collect()),
        _ => None,
    });
    match &config.capabilities {
        KeptCapabilities::All => law(!dropped && kept.is_none(), "capabilities are taken")?,
        KeptCapabilities::Only(some) if !some.is_empty() => {
            law(!dropped && kept.as_ref() == Some(some), "other capabilities are kept")?;
        }
        _ => law(dropped && kept.is_none(), "capabilities are kept")?,
    }
    let (uid, gid) = match config.user {
        User::Root => (0, 0),
        User::Ids { uid, gid } => (uid, gid),
        _ => (facts.uid, facts.gid),
    };
    let becomes = plan.steps.iter().find_map(|step| match step {
        Step::SetIds { uid, gid, groups } => Some((*uid, *gid, groups.clone())),
        _ => None,
    });
    let explicit = matches!(config.user, User::Ids { .. });
    let changes = explicit || uid != facts.uid || !config.groups.is_empty();
    let wanted =
        (privileged(config, facts, is_luc) && changes).then(|| (uid, gid, config.groups.clone()));
    law(becomes == wanted, "the ids are not those that were asked for")?;
    let maps = plan.steps.iter().find_map(|step| match step {
        Step::MapIds { uid, gid } => Some((uid.inside, uid.outside, gid.inside, gid.outside)),
        _ => None,
    });
    let mapped = !privileged(config, facts, is_luc) && config.process.gates.ids_mapped.is_none();
    let wanted = mapped.then_some((uid, facts.uid, gid, facts.gid));
    law(maps == wanted, "the names of ids are not those that were asked for")?;
    let guarded =
        plan.steps.contains(&Step::BlockTerminalInput) || plan.exec.session == Session::New;
    law(guarded, "the caller's terminal can be typed into")?;
    let last = config.user_namespace == UserNamespace::Last;
    law(plan.steps.contains(&Step::LastUserNamespace) == last, "the last user namespace")
}
