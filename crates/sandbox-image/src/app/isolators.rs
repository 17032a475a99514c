//! What an app is held to: each isolator becomes an effect, and a line of the report.

use std::collections::BTreeSet;

use sandbox_core::{Capability, KeptCapabilities, Limits, Seccomp, SeccompProgram};

use super::error::AppError;
use super::model::{App, Isolator};
use super::report::{Disposition, IsolatorReport};
use super::seccomp::{self, Kind};

const CAPABILITIES_RETAIN: &str = "os/linux/capabilities-retain-set";
const CAPABILITIES_REMOVE: &str = "os/linux/capabilities-remove-set";
const NO_NEW_PRIVILEGES: &str = "os/linux/no-new-privileges";

/// The capabilities that an app has where its image does not say (ace.md,
/// `os/linux/capabilities-remove-set`). Other tools give OCI images the same ones.
const DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "KILL",
    "MKNOD",
    "NET_RAW",
    "NET_BIND_SERVICE",
    "SETUID",
    "SETGID",
    "SETPCAP",
    "SETFCAP",
    "SYS_CHROOT",
];

/// The capabilities that an app has where its image does not say: 14, by ace.md.
pub fn default_capabilities() -> BTreeSet<Capability> {
    DEFAULT.iter().filter_map(|name| Capability::named(name).ok()).collect()
}

/// Whether an app runs where an isolator is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// It does, and the report tells.
    #[default]
    Lenient,
    /// It does not.
    Strict,
}

/// What the isolators of an app come to.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) capabilities: KeptCapabilities,
    pub(super) seccomp: Seccomp,
    pub(super) limits: Limits,
    pub(super) reports: Vec<IsolatorReport>,
}

/// What an app's isolators mean for a user. `default` is what it has where it does not say.
pub(super) fn effects(
    app: &App,
    uid: u32,
    default: &BTreeSet<Capability>,
    strictness: Strictness,
) -> Result<Effects, AppError> {
    // Nobody but user 0 had them in effect, even if they could gain them; and here none can.
    let usual = if uid == 0 { kept(default.clone()) } else { KeptCapabilities::Nothing };
    let mut effects = Effects {
        capabilities: usual,
        seccomp: Seccomp::default(),
        limits: Limits::default(),
        reports: Vec::new(),
    };
    let (mut of_capabilities, mut of_seccomp) = (None, None);
    for isolator in &app.isolators {
        let report = match isolator {
            Isolator::CapabilitiesRetain(names) => {
                only_one(&mut of_capabilities, CAPABILITIES_RETAIN)?;
                let kept = capabilities(CAPABILITIES_RETAIN, names)?;
                effects.retain_capabilities(kept, uid)
            }
            Isolator::CapabilitiesRemove(names) => {
                only_one(&mut of_capabilities, CAPABILITIES_REMOVE)?;
                let removed = capabilities(CAPABILITIES_REMOVE, names)?;
                effects.remove_capabilities(default - &removed, uid)
            }
            Isolator::NoNewPrivileges(wanted) => no_new_privileges(*wanted),
            Isolator::SeccompRetain(set) => {
                only_one(&mut of_seccomp, Kind::Retain.isolator())?;
                effects.filter(seccomp::filter(Kind::Retain, set)?)
            }
            Isolator::SeccompRemove(set) => {
                only_one(&mut of_seccomp, Kind::Remove.isolator())?;
                effects.filter(seccomp::filter(Kind::Remove, set)?)
            }
            Isolator::Memory { request, limit } => {
                effects.limits.memory = *limit;
                resource("resource/memory", *request, *limit, "bytes")
            }
            Isolator::Cpu { request, limit } => {
                // More than four million processors are no limit.
                effects.limits.cpu = limit.and_then(|limit| u32::try_from(limit).ok());
                resource("resource/cpu", *request, *limit, "thousandths of a processor")
            }
            Isolator::Other { name, .. } => {
                IsolatorReport::new(name, Disposition::Ignored, "nothing here enforces it")
            }
        };
        effects.reports.push(report);
    }
    if strictness == Strictness::Strict {
        refuse_ignored(&effects.reports)?;
    }
    Ok(effects)
}

/// For `--strict`: whoever decides on what is [undecided](Disposition::Undecided) calls it once more.
///
/// # Errors
/// Some are ignored: all of them are named.
pub fn refuse_ignored(reports: &[IsolatorReport]) -> Result<(), AppError> {
    let ignored = reports.iter().filter(|report| report.disposition == Disposition::Ignored);
    let line = |report: &IsolatorReport| format!("{} ({})", report.name, report.detail);
    let isolators: Vec<_> = ignored.map(line).collect();
    if isolators.is_empty() { Ok(()) } else { Err(AppError::IgnoredIsolators { isolators }) }
}

impl Effects {
    fn retain_capabilities(&mut self, named: BTreeSet<Capability>, uid: u32) -> IsolatorReport {
        let detail = list(&named);
        self.capabilities = kept(named);
        if uid == 0 {
            return IsolatorReport::new(CAPABILITIES_RETAIN, Disposition::Enforced, detail);
        }
        let detail =
            format!("{detail}, in effect in each program of user {uid}, not to be gained only");
        IsolatorReport::new(CAPABILITIES_RETAIN, Disposition::Adjusted, detail)
    }

    fn remove_capabilities(&mut self, left: BTreeSet<Capability>, uid: u32) -> IsolatorReport {
        let enforced =
            |detail| IsolatorReport::new(CAPABILITIES_REMOVE, Disposition::Enforced, detail);
        if uid == 0 {
            let detail = list(&left);
            self.capabilities = kept(left);
            return enforced(detail);
        }
        enforced(format!("user {uid} has none, and no program can gain any"))
    }

    fn filter(
        &mut self,
        (program, report): (Option<SeccompProgram>, IsolatorReport),
    ) -> IsolatorReport {
        // What the image says takes the place of what is done by default.
        self.seccomp = program.map_or(Seccomp::None, |program| Seccomp::Programs(vec![program]));
        report
    }
}

fn kept(capabilities: BTreeSet<Capability>) -> KeptCapabilities {
    if capabilities.is_empty() {
        KeptCapabilities::Nothing
    } else {
        KeptCapabilities::Only(capabilities)
    }
}

fn list(capabilities: &BTreeSet<Capability>) -> String {
    let names: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

/// A retain and a remove set exclude each other, and there is one of them at most.
fn only_one(before: &mut Option<&'static str>, second: &'static str) -> Result<(), AppError> {
    match before.replace(second) {
        Some(first) => Err(AppError::IsolatorConflict { first, second }),
        None => Ok(()),
    }
}

fn capabilities(isolator: &str, names: &[String]) -> Result<BTreeSet<Capability>, AppError> {
    let one = |name: &String| {
        Capability::named(name).map_err(|_| AppError::Isolator {
            name: isolator.to_owned(),
            value: name.clone(),
            expected: "give names of capabilities(7), such as CAP_CHOWN",
        })
    };
    names.iter().map(one).collect()
}

/// It holds in each of our sandboxes, so there is nothing to do.
fn no_new_privileges(wanted: bool) -> IsolatorReport {
    let (disposition, detail) = if wanted {
        (Disposition::Enforced, "set-user-ID programs have no effect")
    } else {
        (Disposition::Adjusted, "it is always on: set-user-ID programs have no effect")
    };
    IsolatorReport::new(NO_NEW_PRIVILEGES, disposition, detail)
}

fn resource(name: &str, request: Option<u64>, limit: Option<u64>, unit: &str) -> IsolatorReport {
    let (disposition, detail) = match (request, limit) {
        (_, Some(limit)) => (Disposition::Undecided, format!("at most {limit} {unit}")),
        (Some(request), None) => {
            (Disposition::Ignored, format!("nothing here guarantees {request} {unit}"))
        }
        (None, None) => (Disposition::Ignored, "it has neither a request nor a limit".to_owned()),
    };
    IsolatorReport::new(name, disposition, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uid: u32, isolators: Vec<Isolator>) -> Result<Effects, String> {
        let mut app = App::new("app", Vec::new());
        app.isolators = isolators;
        effects(&app, uid, &default_capabilities(), Strictness::Lenient)
            .map_err(|error| error.to_string())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn only(names: &[&str]) -> KeptCapabilities {
        KeptCapabilities::Only(names.iter().map(|name| Capability::named(name).unwrap()).collect())
    }

    #[test]
    fn user_0_has_the_default_and_others_none() {
        assert_eq!(default_capabilities().len(), 14);
        let root = of(0, Vec::new()).unwrap();
        assert_eq!(root.capabilities, KeptCapabilities::Only(default_capabilities()));
        assert_eq!(root.reports, []);
        assert_eq!(of(7, Vec::new()).unwrap().capabilities, KeptCapabilities::Nothing);
    }

    #[test]
    fn capabilities_that_are_retained_or_removed() {
        let retain = |list: &[&str]| vec![Isolator::CapabilitiesRetain(names(list))];
        let remove = |list: &[&str]| vec![Isolator::CapabilitiesRemove(names(list))];
        let net = &["CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE"];
        for (uid, isolators, expected, told) in [
            (0, retain(net), only(net), "enforced: CAP_NET_BIND_SERVICE CAP_NET_ADMIN"),
            (
                7,
                retain(net),
                only(net),
                "adjusted: CAP_NET_BIND_SERVICE CAP_NET_ADMIN, in effect in each program of user 7",
            ),
            (0, retain(&[]), KeptCapabilities::Nothing, "enforced: none"),
            (7, remove(net), KeptCapabilities::Nothing, "enforced: user 7 has none"),
            (0, remove(&DEFAULT), KeptCapabilities::Nothing, "enforced: none"),
            // It is not in the default set.
            (
                0,
                remove(&["CAP_SYS_ADMIN"]),
                KeptCapabilities::Only(default_capabilities()),
                "enforced: CAP_CHOWN",
            ),
            (0, remove(&DEFAULT[1..]), only(&["CAP_AUDIT_WRITE"]), "enforced: CAP_AUDIT_WRITE"),
        ] {
            let effects = of(uid, isolators).unwrap();
            assert_eq!(effects.capabilities, expected);
            let report = &effects.reports[0];
            let line = format!("{}: {}", report.disposition, report.detail);
            assert!(line.starts_with(told), "{line}");
        }
    }

    #[test]
    fn mistakes() {
        let retain = Isolator::CapabilitiesRetain(names(&["CAP_KILL"]));
        let remove = Isolator::CapabilitiesRemove(names(&["CAP_FLY"]));
        assert_eq!(
            of(0, vec![remove.clone()]).unwrap_err(),
            "isolator os/linux/capabilities-remove-set: \"CAP_FLY\" is not valid: give names of \
             capabilities(7), such as CAP_CHOWN"
        );
        let error = of(0, vec![retain.clone(), remove]).unwrap_err();
        assert!(error.ends_with("-remove-set cannot both be given: keep one"), "{error}");
        assert!(of(0, vec![retain.clone(), retain]).is_err());
    }

    #[test]
    fn each_isolator_has_a_line_and_strictness_wants_none_ignored() {
        let other =
            |name: &str| Isolator::Other { name: name.to_owned(), value: serde_json::Value::Null };
        let mut app = App::new("app", Vec::new());
        app.isolators = vec![
            Isolator::NoNewPrivileges(true),
            Isolator::NoNewPrivileges(false),
            Isolator::Memory { request: Some(5), limit: Some(9) },
            Isolator::Cpu { request: Some(250), limit: None },
            other("os/linux/selinux-context"),
            other("resource/block-iops"),
        ];
        let default = default_capabilities();
        let done = effects(&app, 0, &default, Strictness::Lenient).unwrap();
        let told: Vec<_> = done.reports.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "os/linux/no-new-privileges: enforced: set-user-ID programs have no effect",
                "os/linux/no-new-privileges: adjusted: it is always on: set-user-ID programs have \
                 no effect",
                "resource/memory: undecided: at most 9 bytes",
                "resource/cpu: ignored: nothing here guarantees 250 thousandths of a processor",
                "os/linux/selinux-context: ignored: nothing here enforces it",
                "resource/block-iops: ignored: nothing here enforces it",
            ]
        );
        assert_eq!((done.limits.memory, done.limits.cpu), (Some(9), None));
        let error = effects(&app, 0, &default, Strictness::Strict).unwrap_err().to_string();
        for name in ["resource/cpu", "os/linux/selinux-context", "resource/block-iops"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(!error.contains("memory"), "{error}");
        app.isolators.truncate(3);
        effects(&app, 0, &default, Strictness::Strict).unwrap();
    }
}
