//! The model can fail: plans that were broken on purpose are found.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sandbox_testkit::model::{self, Agreement, Host};
use sandboxlib::{
    Backend, Filesystem, InsidePath, Isolation, LinuxUserChroot, Mount, MountFlag, Plan, Policy,
    Recursion, Root, SandboxConfig, Step, Writable, negotiate,
};

use crate::worlds::{World, everything, world};

/// A configuration of a bit of everything.
fn config() -> SandboxConfig {
    let mut config = SandboxConfig::builder(["true"]).build().unwrap();
    config.root = Root::Directory("/srv/tree".into());
    let writable =
        ["/tmp", "/a/b", "/proc", "/sys"].map(|path| InsidePath::absolute(path, "path").unwrap());
    config.writable = Writable::Only(writable.to_vec());
    config.network = Isolation::Isolated;
    config.extra_mounts = vec![
        Mount::new("/tmp", Filesystem::Tmpfs { size: None, mode: None }).unwrap(),
        Mount::bind("/a", "/mnt").unwrap().with(MountFlag::NoExec),
        Mount::new("/mnt", Filesystem::Tmpfs { size: None, mode: None }).unwrap(),
        Mount::bind("/a", "/usr").unwrap().with(MountFlag::ReadOnly),
        Mount::new("/proc", Filesystem::Proc).unwrap(),
        Mount::new("/a", Filesystem::Remount).unwrap(),
    ];
    config
}

fn plan() -> Plan {
    let facts = everything();
    let granted = negotiate(&config(), &LinuxUserChroot.capabilities(&facts), &Policy::Require);
    LinuxUserChroot.plan(&granted.unwrap(), &facts).unwrap()
}

fn is_found(plan: &Plan) -> bool {
    model::check(plan, &config(), &everything(), &Host::typical(&[])).is_err()
}

/// The place of the first step like this.
fn place(plan: &Plan, wanted: impl Fn(&Step) -> bool) -> usize {
    plan.steps.iter().position(wanted).unwrap()
}

#[test]
fn the_plan_itself_is_right() {
    let end = model::check(&plan(), &config(), &everything(), &Host::typical(&[]));
    assert!(matches!(end, Ok(Agreement::Same { paths: 30.., narrower: 0 })), "{end:?}");
}

#[test]
fn a_step_that_is_left_out_is_found() {
    // Mount points that are there already, what is covered again, and files of proc that this host has not.
    let is_needed = |step: &Step| match step {
        Step::Bind { target, .. } if target.as_os_str() == "/mnt" => false,
        Step::MakeDirectory(_) | Step::MakeTarget { .. } | Step::ChangeMode { .. } => false,
        Step::Mask(path) => ["kcore", "keys", "acpi"]
            .iter()
            .any(|name| path.as_path().file_name().is_some_and(|last| last == *name)),
        _ => true,
    };
    let whole = plan();
    for number in (0..whole.steps.len()).filter(|number| is_needed(&whole.steps[*number])) {
        let mut broken = whole.clone();
        let step = broken.steps.remove(number);
        assert!(is_found(&broken), "without {step:?}");
    }
}

#[test]
fn two_steps_in_the_wrong_order_are_found() {
    let whole = plan();
    let bind =
        place(&whole, |s| matches!(s, Step::Bind { target, .. } if target.as_os_str() == "/mnt"));
    let tmpfs =
        place(&whole, |s| matches!(s, Step::Mount { target, .. } if target.as_os_str() == "/mnt"));
    let read_only = place(&whole, |s| *s == Step::ReadOnly);
    let pivot = place(&whole, |s| *s == Step::PivotRoot);
    let drop = place(&whole, |s| *s == Step::DropCapabilities);
    for (one, other) in [
        (bind, tmpfs),
        (read_only - 1, read_only),
        (read_only, read_only + 1),
        (tmpfs, read_only),
        (pivot - 1, pivot),
        (bind, pivot),
        (0, 1),
        (drop, read_only),
    ] {
        let mut broken = whole.clone();
        broken.steps.swap(one, other);
        assert!(is_found(&broken), "{:?} and {:?}", whole.steps[one], whole.steps[other]);
    }
}

#[test]
fn a_step_that_does_something_else_is_found() {
    let whole = plan();
    let mut wrong = Vec::new();
    for (number, step) in whole.steps.iter().enumerate() {
        let mut with = |other: Step| {
            let mut broken = whole.clone();
            broken.steps[number] = other;
            wrong.push(broken);
        };
        match step.clone() {
            Step::Bind { source, target, recursion, flags, missing }
                if target.as_os_str() == "/usr" =>
            {
                let all = vec![MountFlag::NoSuid];
                let (to, from) = (target.clone(), source.clone());
                with(Step::Bind { source: from, target: to, recursion, flags: all, missing });
                let other = target.join("b");
                with(Step::Bind { source, target: other, recursion, flags, missing });
                let (source, recursion) = ("/etc".into(), Recursion::Recursive);
                with(Step::Bind { source, target, recursion, flags: Vec::new(), missing });
            }
            Step::RootTree(_) => with(Step::RootTree("/".into())),
            Step::HoldWritable(_) => with(Step::HoldWritable(InsidePath::root().join("a"))),
            Step::Mask(path) if path.as_path().ends_with("kcore") => with(Step::Find(path)),
            _ => {}
        }
    }
    let mut broken = whole.clone();
    broken.namespaces.pop();
    wrong.push(broken);
    assert!(wrong.len() >= 7, "{}", wrong.len());
    for broken in wrong {
        assert!(is_found(&broken), "{:#?}", broken.steps);
    }
}

/// What of any plan can be left out, and nobody sees it: only what the kind of step explains.
#[test]
fn of_any_plan_the_steps_that_count_are_found() {
    let tried = RefCell::new((0_u32, 0_u32));
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let inputs = (world(), any::<prop::sample::Index>());
    let result = runner.run(&inputs, |(World { config, facts, host }, index)| {
        let backend = LinuxUserChroot;
        let Ok(granted) = negotiate(&config, &backend.capabilities(&facts), &Policy::best_effort())
        else {
            return Ok(());
        };
        let plan = backend.plan(&granted, &facts).unwrap();
        let whole = model::check(&plan, granted.config(), &facts, &host);
        if !matches!(whole, Ok(Agreement::Same { .. })) {
            return Ok(());
        }
        let mut broken = plan.clone();
        let step = broken.steps.remove(index.index(plan.steps.len()));
        let found = model::check(&broken, granted.config(), &facts, &host).is_err();
        let mut tried = tried.borrow_mut();
        tried.0 += 1;
        tried.1 += u32::from(found);
        let is_law = matches!(
            step,
            Step::PrivateMounts
                | Step::RootTree(_)
                | Step::RootEmpty
                | Step::PivotRoot
                | Step::HoldWritable(_)
                | Step::ReleaseWritable(_)
                | Step::MapIds { .. }
                | Step::SetIds { .. }
                | Step::DropCapabilities
                | Step::KeepCapabilities(_)
                | Step::NoNewPrivileges
                | Step::LoopbackUp
                | Step::SetHostname(_)
                | Step::LastUserNamespace
        );
        prop_assert!(found || !is_law, "without {step:?}");
        Ok(())
    });
    let (tried, found) = *tried.borrow();
    println!("{found} of {tried} plans without a step are found");
    result.unwrap();
    assert!(found * 2 > tried, "{found} of {tried}");
}
