//! User namespaces of the command's own, in which it has every capability: what those are not good for.

use sandbox_core::{Feature, SandboxConfig, User, UserNamespace};

use crate::case::{Case, Need};
use crate::check::{Check, Failure};
use crate::escapes::attack::{
    hosts_root, is_refused, permitted, refused, refused_in, refused_last, says,
};
use crate::world::World;

/// A case of an attack in namespaces of the command's own. Making them may itself be refused.
macro_rules! nested {
    ($name:literal, $words:literal, $host:literal, permitted: $permitted:expr, refused: $refused:expr) => {
        Case::new($name, PROC, |w| refused(w, concat!("nested ", $words), PLACES, $refused))
            .control(|w| permitted(w, $host, $permitted))
    };
}

const PROC: &[Need] = &[Need::Has(Feature::MountProc)];
const PLACES: &[&str] = &["/proc", "/sys"];

/// What mount(2) and its like say to one who has not the right to.
const NOT_SO: &[&str] = &["EROFS", "EINVAL", "ENOENT", "ENOSPC", "EBUSY"];

pub(in crate::escapes) const CASES: &[Case] = &[
    Case::new(
        "escape-privilege/user-namespace-where-refused",
        &[Need::Has(Feature::UserNamespaceLast)],
        |w| refused_in(w, last(w)?, &["ENOSPC"]),
    )
    .control(|w| permitted(w, "new-user-namespace", &["ok"])),
    Case::new("escape-privilege/uid-map-again", PROC, |w| {
        refused(w, "map-again 0", PLACES, NOT_SO)
    })
    .control(|w| permitted(w, &format!("map-in-new {}", nix::unistd::geteuid()), &["ok"])),
    nested!("escape-privilege/nested-core-pattern", "rewrite /proc/sys/kernel/core_pattern",
        "nested rewrite /proc/sys/kernel/core_pattern", permitted: &["ok"], refused: NOT_SO),
    Case::new("escape-privilege/nested-hostname-of-outside", PROC, |w| {
        refused_last(w, "new-user-namespace , same-hostname", PLACES, NOT_SO)
    })
    .control(|w| permitted(w, "same-hostname", &["ok"])),
    Case::new("escape-privilege/nested-clock-of-outside", PROC, |w| {
        refused_last(w, "new-user-namespace , adjust-clock", PLACES, NOT_SO)
    })
    .control(|w| permitted(w, "adjust-clock", &["EINVAL"])),
    Case::new("escape-privilege/nested-fresh-proc", PROC, |w| fresh(w, "proc"))
        .control(|w| fresh_on_host(w, "proc")),
    Case::new("escape-privilege/nested-fresh-sysfs", PROC, |w| fresh(w, "sysfs"))
        .control(|w| fresh_on_host(w, "sysfs")),
    Case::new("escape-privilege/nested-device", PROC, |w| {
        refused(w, "nested node c 1 11 /work/node", PLACES, NOT_SO)
    })
    .control(|w| {
        let path = w.path("/work/node");
        permitted(w, &format!("node c 1 11 {}", path.display()), &["ok"])
    }),
    nested!("escape-privilege/nested-clock", "set-clock", "set-clock",
        permitted: &["ok"], refused: NOT_SO),
    nested!("escape-privilege/nested-module", "init-module", "init-module",
        permitted: &["ENOEXEC"], refused: NOT_SO),
    nested!("escape-privilege/nested-bpf", "bpf-program", "bpf-program",
        permitted: &["ok"], refused: NOT_SO),
    nested!("escape-privilege/nested-files-of-others", "chown /etc/marker 4399", "set-groups 1",
        permitted: &["ok"], refused: NOT_SO),
    Case::new("escape-privilege/binfmt-misc", &[], |w| refused(w, "binfmt /work", PLACES, NOT_SO))
        .control(|w| permitted(w, &format!("binfmt {}", w.path("/work").display()), &["ok"])),
];

/// Where further namespaces are refused on request.
fn last(w: &World<'_>) -> Check<Vec<(&'static str, SandboxConfig)>> {
    let config = w.probe("new-user-namespace").user_namespace(UserNamespace::Last);
    Ok(vec![
        ("a tree", config.clone().build()?),
        ("a tree, user 0", config.user(User::Root).build()?),
    ])
}

/// A file system of the kernel's without what covers parts of the one that is there, and one of the
/// settings in it.
fn words(kind: &str, place: &str) -> String {
    let attack = match kind {
        "proc" => format!("rewrite {place}/sys/kernel/core_pattern"),
        _ => format!("writable-below {place}/kernel"),
    };
    format!("nested mount-new {kind} {place} then {attack}")
}

fn fresh(w: &World<'_>, kind: &str) -> Check {
    refused_last(w, &words(kind, "/work"), PLACES, NOT_SO)?;
    for (what, config) in hosts_root(w, &words(kind, "/mnt"))? {
        let answer = says(w, &config).map_err(|failure| failure.of(what))?;
        is_refused(answer.lines().last().unwrap_or_default(), NOT_SO)
            .map_err(|failure| failure.of(what))?;
    }
    Ok(())
}

fn fresh_on_host(w: &World<'_>, kind: &str) -> Check {
    let answer = w.host_says(&words(kind, &w.path("/work").display().to_string()))?;
    if answer.lines().count() == 2 && answer.lines().all(|line| line.starts_with("ok")) {
        return Ok(());
    }
    let answer = answer.replace('\n', ", ");
    Err(Failure::cannot_run(format!("it is not permitted without a sandbox either: {answer}")))
}
