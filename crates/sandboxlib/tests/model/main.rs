//! Plans of both backends, replayed on the model of `sandbox_testkit::model`: what they lead to is what was
//! asked, for any configuration on any host.
//!
//! 2,000 are tried of each backend; with `SANDBOX_NIGHTLY=1`, 100,000; else as many as `PROPTEST_CASES` says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod mutations;
mod worlds;

#[allow(dead_code, reason = "the laws of sandbox-core use all of it")]
#[path = "../../../sandbox-core/tests/laws/strategies.rs"]
mod strategies;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use sandbox_testkit::model::{self, Agreement};
use sandboxlib::{Backend, Chroot, LinuxUserChroot, Policy, negotiate};

use worlds::{World, tame, world};

fn cases() -> u32 {
    let usual = if env::var_os("SANDBOX_NIGHTLY").is_some() { 100_000 } else { 2000 };
    env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Every plan of a backend leads to what was asked. Says how the tries were spread.
fn agree(backend: &dyn Backend) {
    let spread: RefCell<BTreeMap<String, u32>> = RefCell::default();
    let count = |what: String| *spread.borrow_mut().entry(what).or_default() += 1;
    let mut runner = TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        // Names that are refused on the way to a configuration: some in each.
        max_local_rejects: u32::MAX,
        ..Config::default()
    });
    let result = runner.run(&world(), |World { config, facts, host }| {
        let config = tame(backend, config);
        let capabilities = backend.capabilities(&facts);
        let Ok(granted) = negotiate(&config, &capabilities, &Policy::best_effort()) else {
            count("refused by negotiation".to_owned());
            return Ok(());
        };
        let plan = backend.plan(&granted, &facts).unwrap();
        match model::check(&plan, granted.config(), &facts, &host) {
            Ok(Agreement::Same { narrower, .. }) => {
                count("the same".to_owned());
                if narrower > 0 {
                    count("the same, less can be written by another name".to_owned());
                }
            }
            Ok(Agreement::Impossible(fault)) => count(format!("both impossible: {fault}")),
            Err(wrong) => {
                let steps: Vec<_> = plan.steps.iter().map(|step| format!("{step:?}")).collect();
                let asked = granted.config();
                let text = format!("{wrong}\n{}\n{asked:#?}", steps.join("\n"));
                return Err(TestCaseError::fail(text));
            }
        }
        Ok(())
    });
    println!("{}: {} cases", backend.name(), cases());
    for (what, count) in spread.borrow().iter() {
        println!("  {count:>7}  {what}");
    }
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, world)) => {
            let more = world.host.mounts.get(11..).unwrap_or_default();
            panic!("{why}\nmore mounts of the host: {more:?}\n{:?}", world.facts);
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    let same = spread.borrow().get("the same").copied().unwrap_or_default();
    assert!(same > cases() / 6, "too few plans come to their end: {same}");
}

#[test]
fn linux_user_chroot_does_what_was_asked() {
    agree(&LinuxUserChroot);
}

#[test]
fn chroot_does_what_was_asked() {
    agree(&Chroot);
}
