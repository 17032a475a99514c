//! The system calls of an app's seccomp isolators, as a filter.

use std::collections::BTreeSet;

use sandbox_core::SeccompProgram;

use super::error::AppError;
use super::model::SeccompSet;
use super::report::{Disposition, IsolatorReport};
use crate::seccomp::{Action, NEEDED, machine};

/// The scope that the specification keeps for itself.
const RESERVED: &str = "@appc.io/";

/// What the set of an isolator means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// These are allowed.
    Retain,
    /// These are refused.
    Remove,
}

impl Kind {
    pub(super) fn isolator(self) -> &'static str {
        match self {
            Self::Retain => "os/linux/seccomp-retain-set",
            Self::Remove => "os/linux/seccomp-remove-set",
        }
    }

    /// The wildcard that makes all else in the set meaningless: nothing is refused.
    fn nothing_refused(self) -> &'static str {
        match self {
            Self::Retain => "@appc.io/all",
            Self::Remove => "@appc.io/empty",
        }
    }
}

/// The filter of an isolator, if it comes to one, and what is told of it.
pub(super) fn filter(
    kind: Kind,
    set: &SeccompSet,
) -> Result<(Option<SeccompProgram>, IsolatorReport), AppError> {
    let told = |disposition, detail: String| {
        Ok((None, IsolatorReport::new(kind.isolator(), disposition, detail)))
    };
    let (wildcards, names): (Vec<&str>, Vec<&str>) =
        set.set.iter().map(String::as_str).partition(|name| name.starts_with('@'));
    let all = kind.nothing_refused();
    if set.set.is_empty() {
        return Err(invalid(kind, "set", "name at least one system call"));
    }
    if let Some(wrong) = wildcards.iter().find(|name| name.starts_with(RESERVED) && **name != all) {
        let expected = match kind {
            Kind::Retain => "the wildcard of this set is @appc.io/all",
            Kind::Remove => "the wildcard of this set is @appc.io/empty",
        };
        return Err(invalid(kind, wrong, expected));
    }
    let errno = set.errno.as_deref().filter(|name| !name.is_empty());
    let number = errno.and_then(machine::errno);
    if let (Some(name), None, true) = (errno, number, machine::SUPPORTED) {
        return Err(invalid(kind, name, "give a name of errno(3), such as EPERM"));
    }
    if wildcards.contains(&all) {
        return told(Disposition::Enforced, format!("{all}: no system call is refused"));
    }
    if !machine::SUPPORTED {
        let why = "system calls are filtered on Linux on x86_64, aarch64 and riscv64 only";
        return told(Disposition::Ignored, why.to_owned());
    }
    // Without knowing what else it needs, to hold an app to its set would break it.
    if kind == Kind::Retain && !wildcards.is_empty() || names.is_empty() {
        return told(Disposition::Ignored, format!("not known here: {}", wildcards.join(", ")));
    }

    let numbers = |names: &[&str]| -> BTreeSet<i64> {
        names.iter().filter_map(|name| machine::number(name)).collect()
    };
    let (mut listed, needed) = (numbers(&names), numbers(&NEEDED));
    let mut differences = Vec::new();
    let spared: Vec<&str> = match kind {
        Kind::Retain => NEEDED.into_iter().filter(|name| !names.contains(name)).collect(),
        Kind::Remove => NEEDED.into_iter().filter(|name| names.contains(name)).collect(),
    };
    if !spared.is_empty() {
        differences.push(format!("{} allowed, to start the command", spared.join(" and ")));
    }
    let unknown: Vec<_> =
        names.iter().copied().filter(|name| machine::number(name).is_none()).collect();
    for list in [&unknown, &wildcards].into_iter().filter(|list| !list.is_empty()) {
        differences.push(format!("not known here: {}", list.join(", ")));
    }
    match kind {
        Kind::Retain => listed.extend(&needed),
        Kind::Remove => listed.retain(|number| !needed.contains(number)),
    }
    let calls = match listed.len() {
        1 => "1 system call".to_owned(),
        count => format!("{count} system calls"),
    };
    let answer = errno.unwrap_or("SIGSYS");
    let mut detail = match kind {
        Kind::Retain => format!("{calls} allowed, others give {answer}"),
        Kind::Remove => format!("{calls} refused with {answer}, and all of other ABIs"),
    };
    let mut disposition = Disposition::Enforced;
    if !differences.is_empty() {
        disposition = Disposition::Adjusted;
        detail = format!("{detail}; {}", differences.join("; "));
    }
    if listed.is_empty() {
        return told(disposition, detail);
    }
    let refused = number.map_or(Action::KillProcess, Action::Errno);
    let (others, these) = match kind {
        Kind::Retain => (refused, Action::Allow),
        Kind::Remove => (Action::Allow, refused),
    };
    let rules = listed.iter().map(|number| (*number, Vec::new())).collect();
    // Calls of other ABIs are refused, whatever the set is.
    let program = machine::program(&rules, others, these, refused)
        .ok_or_else(|| invalid(kind, "set", "it is too long for a filter"))?;
    let report = IsolatorReport::new(kind.isolator(), disposition, detail);
    Ok((Some(SeccompProgram::new(program)?), report))
}

fn invalid(kind: Kind, value: &str, expected: &'static str) -> AppError {
    AppError::Isolator { name: kind.isolator().to_owned(), value: value.to_owned(), expected }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tests;
