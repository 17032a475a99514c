//! Negotiation on this host: what a backend says that it can do, it does; what it cannot, it says.

use sandbox_core::{
    Backend, Environment, Feature, Isolation, Policy, SandboxConfigBuilder, Support, User,
    negotiate,
};
use sandbox_sys::{Launcher, probe};

use crate::case::Case;
use crate::check::{Check, ensure, same};
use crate::refusal::refusal;
use crate::world::{World, said};

pub(super) const CASES: &[Case] = &[
    Case::new("negotiation/every-no-is-said", &[], every_no).without_tree(),
    Case::new("negotiation/every-no-has-a-reason", &[], reasons).without_tree(),
    Case::new("negotiation/maximum-isolation-runs", &[], maximum),
    Case::new("negotiation/best-effort-reports-each-step", &[], best_effort),
    Case::new("negotiation/plan-is-what-was-granted", &[], plan),
];

fn every_no(w: &World<'_>) -> Check {
    for feature in Feature::ALL {
        refusal(w, *feature)?;
    }
    Ok(())
}

fn reasons(w: &World<'_>) -> Check {
    let capabilities = w.backend.capabilities(probe()?);
    for feature in Feature::ALL {
        if let Support::No(why) = capabilities.support(*feature) {
            ensure!(!why.reason.is_empty(), "{feature:?} has no reason");
            ensure!(!why.reason.contains('\n'), "{feature:?}: {}", why.reason);
        }
    }
    Ok(())
}

fn maximum(w: &World<'_>) -> Check {
    let config = w.probe("read /etc/marker , caps").build()?;
    let strict = w.backend.capabilities(probe()?).maximum_isolation(&config);
    let outcome = w.launch(|launcher| launcher.run(&strict))?;
    ensure!(said(&outcome)?.starts_with("inside\n"), "inside: {}", said(&outcome)?);
    same("downgrades", outcome.downgrades, Vec::new())
}

fn everything(config: SandboxConfigBuilder) -> SandboxConfigBuilder {
    config
        .env(Environment::exactly([("PATH", "/bin")]))
        .read_only()
        .mounts(Isolation::Isolated)
        .network(Isolation::Isolated)
        .processes(Isolation::Isolated)
        .ipc(Isolation::Isolated)
        .hostname("sandbox")
        .user(User::Root)
}

fn best_effort(w: &World<'_>) -> Check {
    let config = everything(w.probe("read /etc/marker")).build()?;
    let capabilities = w.backend.capabilities(probe()?);
    let outcome = w.launch(|launcher| {
        // The launcher is made anew: its policy is part of it.
        let backends: [&dyn Backend; 1] = [w.backend];
        let _ = launcher;
        let launcher = Launcher::new(&backends).preference(sandbox_core::Preference::Any);
        launcher.policy(Policy::best_effort()).run(&config)
    })?;
    same("inside", said(&outcome)?.as_str(), "inside")?;
    let unmet = Feature::needed_by(&config);
    let unmet: Vec<_> = unmet.into_iter().filter(|f| !capabilities.supports(*f)).collect();
    let reported: Vec<_> = outcome.downgrades.iter().map(|step| step.from).collect();
    same("reported steps", reported, unmet)
}

fn plan(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").build()?;
    let granted = negotiate(&config, &w.backend.capabilities(probe()?), &Policy::Require)?;
    let expected = w.backend.plan(&granted, probe()?)?;
    let (selection, plan) = w.launch(|launcher| {
        let (selection, plan) = launcher.plan(&config)?;
        Ok((selection.granted, plan))
    })?;
    same("granted", selection, granted)?;
    same("plan", plan, expected)
}
