//! How an attack is tried: inside, in sandboxes of several kinds, where it must be refused; and as the
//! control on the host, where it must be permitted.

use std::process::Child;

use sandbox_core::{
    Environment, Feature, Filesystem, Isolation, Mount, SandboxConfig, SandboxConfigBuilder, User,
};

use crate::check::{Check, Failure, ensure};
use crate::world::{World, said};

/// A case whose attack is one command of the probe, tried in [`trees`] with some file systems.
macro_rules! attack {
    ($name:literal, $words:literal, $mounts:expr, permitted: $permitted:expr, refused: $refused:expr) => {
        $crate::case::Case::new($name, &[], |w| {
            $crate::escapes::attack::refused(w, $words, $mounts, $refused)
        })
        .control(|w| $crate::escapes::attack::permitted(w, $words, $permitted))
    };
}
pub(super) use attack;

/// What any attack may be answered with: no permission, or no such system call.
const REFUSALS: &[&str] = &["EPERM", "EACCES", "ENOSYS"];

/// What may be mounted in a tree.
const MOUNTABLE: &[(&str, Feature, Filesystem)] = &[
    ("/proc", Feature::MountProc, Filesystem::Proc),
    ("/sys", Feature::MountSysfs, Filesystem::Sysfs),
    ("/dev", Feature::MountDev, Filesystem::Dev),
];

/// Whether the backend has something here.
pub(super) fn has(w: &World<'_>, feature: Feature) -> Check<bool> {
    Ok(w.backend.capabilities(sandbox_sys::probe()?).supports(feature))
}

/// The probe in the tree, with file systems at the places that are named, if the backend can mount them.
pub(super) fn in_tree(w: &World<'_>, words: &str, mounts: &[&str]) -> Check<SandboxConfigBuilder> {
    let mut config = w.probe(words).env(Environment::exactly([("PATH", "/bin")]));
    for (place, feature, filesystem) in MOUNTABLE {
        if mounts.contains(place) && has(w, *feature)? {
            config = config.mount(Mount::new(place, filesystem.clone())?);
        }
    }
    Ok(config)
}

/// All that the backend can isolate, with one place to write to.
pub(super) fn strict(w: &World<'_>, config: SandboxConfigBuilder) -> Check<SandboxConfig> {
    let config = if has(w, Feature::WritableOnly)? { config.writable(["/work"]) } else { config };
    let config = config.build()?;
    Ok(w.backend.capabilities(sandbox_sys::probe()?).maximum_isolation(&config))
}

/// The sandboxes in which an attack is tried: with nothing but a tree, and with all that can be isolated,
/// each also as user 0 of it.
pub(super) fn trees(
    w: &World<'_>,
    words: &str,
    mounts: &[&str],
) -> Check<Vec<(&'static str, SandboxConfig)>> {
    let base = in_tree(w, words, mounts)?;
    let mut all = vec![("a tree", base.clone().build()?), ("all", strict(w, base.clone())?)];
    if has(w, Feature::UserRoot)? {
        all.push(("a tree, user 0", base.clone().user(User::Root).build()?));
        all.push(("all, user 0", strict(w, base.user(User::Root))?));
    }
    Ok(all)
}

/// The same program on the host's root, with mounts of its own.
pub(super) fn hosts_root(w: &World<'_>, words: &str) -> Check<Vec<(&'static str, SandboxConfig)>> {
    if !has(w, Feature::RootHost)? || !has(w, Feature::MountsIsolated)? {
        return Ok(Vec::new());
    }
    let probe = w.probe_path().display().to_string();
    let words = std::iter::once(&*probe).chain(words.split_whitespace());
    let config = SandboxConfig::builder(words).mounts(Isolation::Isolated);
    let mut all = vec![("the host's root", config.clone().build()?)];
    if has(w, Feature::UserRoot)? {
        all.push(("the host's root, user 0", config.user(User::Root).build()?));
    }
    Ok(all)
}

/// What the probe says in a sandbox that is built already.
pub(super) fn says(w: &World<'_>, config: &SandboxConfig) -> Check<String> {
    said(&w.launch(|launcher| launcher.run(config))?)
}

/// Each line must be a refusal: one that any attack may get, or one of `also`.
pub(super) fn is_refused(answer: &str, also: &[&str]) -> Check {
    let refusal = |line: &str| REFUSALS.contains(&line) || also.contains(&line);
    ensure!(!answer.is_empty() && answer.lines().all(refusal), "not refused: {answer:?}");
    Ok(())
}

/// Tries an attack in sandboxes that are built already.
pub(super) fn refused_in(
    w: &World<'_>,
    all: Vec<(&'static str, SandboxConfig)>,
    also: &[&str],
) -> Check {
    for (what, config) in all {
        let answer = says(w, &config).map_err(|failure| failure.of(what))?;
        is_refused(&answer, also).map_err(|failure| failure.of(what))?;
    }
    Ok(())
}

/// Tries an attack in [`trees`].
pub(super) fn refused(w: &World<'_>, words: &str, mounts: &[&str], also: &[&str]) -> Check {
    refused_in(w, trees(w, words, mounts)?, also)
}

/// The same for an attack of several steps: only the last must be refused, if it gets so far.
pub(super) fn refused_last(w: &World<'_>, words: &str, mounts: &[&str], also: &[&str]) -> Check {
    for (what, config) in trees(w, words, mounts)? {
        let answer = says(w, &config).map_err(|failure| failure.of(what))?;
        let last = answer.lines().last().unwrap_or_default();
        is_refused(last, also).map_err(|failure| failure.of(what))?;
    }
    Ok(())
}

/// The control: on the host each line is one of `signs` that it is permitted. Where it is not, there is
/// nothing that a sandbox could take away.
pub(super) fn permitted(w: &World<'_>, words: &str, signs: &[&str]) -> Check {
    let answer = w.host_says(words)?;
    if !answer.is_empty() && answer.lines().all(|line| signs.contains(&line)) {
        return Ok(());
    }
    let answer = answer.replace('\n', ", ");
    Err(Failure::cannot_run(format!("it is not permitted without a sandbox either: {answer}")))
}

/// The control with every capability in a user namespace, which is what the sandbox takes away.
pub(super) fn permitted_with_all(w: &World<'_>, words: &str) -> Check {
    let probe = w.probe_path().display();
    permitted(w, &format!("in-root-namespace {probe} {words}"), &["ok"])
}

/// A process of the caller's outside of any sandbox, which is ended when it is dropped.
pub(super) struct Victim(Child);

impl Victim {
    /// It sleeps, and its arguments end with a text.
    pub(super) fn new(w: &World<'_>, text: &str) -> Check<Self> {
        let victim = Self(w.host(&format!("sleep 30000 {text}")).spawn()?);
        // Until it executes the probe, it is this program.
        let comm = format!("/proc/{}/comm", victim.pid());
        for _ in 0..500 {
            if std::fs::read_to_string(&comm)?.trim() == "probe" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Ok(victim)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may have been ended already, which is what an attack is about.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
