//! The system calls of an app's seccomp isolators, as a filter.

use std::collections::BTreeSet;

use sandbox_core::SeccompProgram;

use super::error::AppError;
use super::model::SeccompSet;
use super::report::{Disposition, IsolatorReport};

/// The scope that the specification keeps for itself.
const RESERVED: &str = "@appc.io/";
/// What the sandbox's init calls when the filter is in place: it executes the command, and ends where it
/// cannot.
const NEEDED: [&str; 2] = ["execve", "exit_group"];

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
    let program = machine::program(kind, &listed, number)
        .ok_or_else(|| invalid(kind, "set", "it is too long for a filter"))?;
    let report = IsolatorReport::new(kind.isolator(), disposition, detail);
    Ok((Some(SeccompProgram::new(program)?), report))
}

fn invalid(kind: Kind, value: &str, expected: &'static str) -> AppError {
    AppError::Isolator { name: kind.isolator().to_owned(), value: value.to_owned(), expected }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod machine {
    //! Numbers and filters of this machine.

    use std::collections::BTreeSet;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, sock_filter};
    use syscalls::{Errno, Sysno};

    use super::Kind;

    pub(super) const SUPPORTED: bool = true;
    /// `ERRNO_MAX` of the kernel, `include/linux/err.h`.
    const LAST_ERRNO: i32 = 4095;
    /// Other names for the same number.
    const ALIASES: [(&str, &str); 3] =
        [("ENOTSUP", "EOPNOTSUPP"), ("EWOULDBLOCK", "EAGAIN"), ("EDEADLOCK", "EDEADLK")];
    /// `__X32_SYSCALL_BIT`: on x86_64 the calls of another ABI have numbers from here on. No machine has
    /// calls of its own there.
    const X32: u32 = 0x4000_0000;

    pub(super) fn number(name: &str) -> Option<i64> {
        name.parse::<Sysno>().ok().map(|call| call.id().into())
    }

    pub(super) fn errno(name: &str) -> Option<u32> {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        let name = alias.map_or(name, |(_, name)| *name);
        let number = (1..=LAST_ERRNO).find(|number| Errno::new(*number).name() == Some(name))?;
        number.try_into().ok()
    }

    /// The filter, as the kernel takes it. What is refused gives the error, or else ends the process.
    /// Calls of other ABIs are refused, whatever the set is.
    pub(super) fn program(
        kind: Kind,
        listed: &BTreeSet<i64>,
        errno: Option<u32>,
    ) -> Option<Vec<u8>> {
        let refused = errno.map_or(SeccompAction::KillProcess, SeccompAction::Errno);
        let (others, these) = match kind {
            Kind::Retain => (refused.clone(), SeccompAction::Allow),
            Kind::Remove => (SeccompAction::Allow, refused.clone()),
        };
        let rules = listed.iter().map(|number| (*number, Vec::new())).collect();
        let machine = std::env::consts::ARCH.try_into().ok()?;
        let filter = SeccompFilter::new(rules, others, these, machine).ok()?;
        let filter: BpfProgram = filter.try_into().ok()?;
        let program: Vec<_> = no_x32(refused.into()).into_iter().chain(filter).collect();
        Some(program.iter().flat_map(bytes).collect())
    }

    /// Loads the call's number, refuses it from [`X32`] on, and goes on with what follows.
    fn no_x32(answer: u32) -> [sock_filter; 3] {
        // BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JGE | BPF_K, BPF_RET | BPF_K: linux/bpf_common.h
        [
            sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
            sock_filter { code: 0x35, jt: 0, jf: 1, k: X32 },
            sock_filter { code: 0x06, jt: 0, jf: 0, k: answer },
        ]
    }

    fn bytes(one: &sock_filter) -> Vec<u8> {
        let (code, operand) = (one.code.to_ne_bytes(), one.k.to_ne_bytes());
        [&code[..], &[one.jt, one.jf], &operand].concat()
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
mod machine {
    //! There are no filters here.

    use std::collections::BTreeSet;

    use super::Kind;

    pub(super) const SUPPORTED: bool = false;

    pub(super) fn number(_: &str) -> Option<i64> {
        None
    }

    pub(super) fn errno(_: &str) -> Option<u32> {
        None
    }

    pub(super) fn program(_: Kind, _: &BTreeSet<i64>, _: Option<u32>) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tests;
