//! The filters that a bundle's profile of system calls comes to.
//!
//! A filter has one answer for what its rules match. So the first lets pass what any rule is about, with
//! the default for the rest, and each other action has one that answers with it and lets the rest pass:
//! the kernel takes the strictest answer of all (seccomp(2)).

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use sandbox_core::SeccompProgram;

use super::super::error::OciError;
use super::Told;
use super::object::{self, wrong};
use super::seccomp::{SeccompArgument, SeccompProfile, SeccompRule};
use crate::seccomp::{Action, Compare, Condition, INSTALL, NEEDED, Rules, machine};

const EPERM: u32 = 1;
/// What a listener that is not there makes of a call.
const ENOSYS: u32 = 38;
/// `MAX_ERRNO` of the kernel.
const LAST_ERRNO: u32 = 4095;
const SYSCALLS: &str = "linux.seccomp.syscalls";

/// In the order in which they are installed.
pub(super) fn filters(
    profile: &SeccompProfile,
    told: &mut Told,
) -> Result<Vec<SeccompProgram>, OciError> {
    let field = "linux.seccomp.defaultAction";
    let default = action(field, &profile.default_action, profile.default_errno_ret, told)?;
    let rules = rules(profile, told)?;
    if !machine::SUPPORTED {
        told.unsupported("linux.seccomp", "filters are for Linux on x86_64, aarch64 and riscv64");
        return Ok(Vec::new());
    }
    let foreign: Vec<_> = profile.architectures.iter().filter(|name| !is_own(name)).collect();
    if !foreign.is_empty() {
        // Their calls are refused.
        told.unsupported("linux.seccomp.architectures", serde_json::json!(foreign));
    }
    let rules = needed(rules, default, told);
    overlaps(&rules, told);

    // Calls of other ABIs are not what the rules are about, and refused.
    let refused = if default <= Action::Log { Action::Errno(EPERM) } else { default };
    let mut programs = Vec::new();
    let program = |rules: &Rules, others, these| {
        let expected = "give fewer rules: a filter has 4096 instructions";
        let program = machine::program(rules, others, these, refused)
            .ok_or_else(|| wrong("linux.seccomp", SYSCALLS.to_owned(), expected))?;
        SeccompProgram::new(program).map_err(object::config("linux.seccomp"))
    };
    let mut by_action: BTreeMap<Action, Rules> = BTreeMap::new();
    for (number, all) in &rules {
        for (action, conditions) in all {
            let lists = by_action.entry(*action).or_default();
            add(lists, *number, conditions.clone());
        }
    }
    by_action.remove(&Action::Allow);
    // One that refuses the installing of others comes last.
    let install = machine::number(INSTALL).unwrap_or(-1);
    let mut by_action: Vec<_> = by_action.into_iter().collect();
    by_action.sort_by_key(|(_, rules)| rules.contains_key(&install));
    for (action, rules) in by_action {
        programs.push(program(&rules, Action::Allow, action)?);
    }
    if default != Action::Allow {
        let mut any = Rules::new();
        for (number, all) in rules {
            for (_, conditions) in all {
                add(&mut any, number, conditions);
            }
        }
        programs.push(program(&any, default, Action::Allow)?);
    }
    Ok(programs)
}

/// For each call its actions, and when they are taken.
type ByCall = BTreeMap<i64, Vec<(Action, Vec<Condition>)>>;

/// No condition is all conditions: an empty list of lists.
fn add(rules: &mut Rules, number: i64, conditions: Vec<Condition>) {
    let lists = rules.get(&number);
    let always = conditions.is_empty() || lists.is_some_and(Vec::is_empty);
    let lists = rules.entry(number).or_default();
    if always { lists.clear() } else { lists.push(conditions) }
}

fn rules(profile: &SeccompProfile, told: &mut Told) -> Result<ByCall, OciError> {
    let mut rules = ByCall::new();
    let mut missing = Vec::new();
    for (index, rule) in profile.syscalls.iter().enumerate() {
        let field = format!("{SYSCALLS}[{index}]");
        let action = action(&format!("{field}.action"), &rule.action, rule.errno_ret, told)?;
        let lists = conditions(&field, rule)?;
        for name in &rule.names {
            match machine::number(name) {
                Some(number) => {
                    let all = rules.entry(number).or_default();
                    all.extend(lists.iter().map(|list| (action, list.clone())));
                }
                None => missing.push(name.as_str()),
            }
        }
    }
    if !missing.is_empty() {
        // There are no such calls here.
        told.without_effect(format!("{SYSCALLS}.names"), serde_json::json!(missing));
    }
    Ok(rules)
}

/// All of a list hold, or all of another. Conditions on one argument twice are alternatives, each by
/// itself, as runc has it.
fn conditions(field: &str, rule: &SeccompRule) -> Result<Vec<Vec<Condition>>, OciError> {
    let all: Vec<Condition> = rule
        .args
        .iter()
        .enumerate()
        .map(|(index, argument)| condition(&format!("{field}.args[{index}]"), argument))
        .collect::<Result<_, _>>()?;
    let twice = (1..all.len()).any(|at| {
        all.iter().take(at).any(|one| Some(one.index) == all.get(at).map(|one| one.index))
    });
    Ok(if twice { all.into_iter().map(|one| vec![one]).collect() } else { vec![all] })
}

fn condition(field: &str, argument: &SeccompArgument) -> Result<Condition, OciError> {
    let index = u8::try_from(argument.index).ok().filter(|index| *index < 6);
    let index = index.ok_or_else(|| {
        wrong(&format!("{field}.index"), argument.index.to_string(), "arguments are 0 to 5")
    })?;
    let (compare, value) = match argument.op.as_str() {
        "SCMP_CMP_NE" => (Compare::Ne, argument.value),
        "SCMP_CMP_LT" => (Compare::Lt, argument.value),
        "SCMP_CMP_LE" => (Compare::Le, argument.value),
        "SCMP_CMP_EQ" => (Compare::Eq, argument.value),
        "SCMP_CMP_GE" => (Compare::Ge, argument.value),
        "SCMP_CMP_GT" => (Compare::Gt, argument.value),
        "SCMP_CMP_MASKED_EQ" => (Compare::Masked(argument.value), argument.value_two),
        other => {
            let expected = "give SCMP_CMP_ and NE, LT, LE, EQ, GE, GT or MASKED_EQ";
            return Err(wrong(&format!("{field}.op"), other.to_owned(), expected));
        }
    };
    Ok(Condition { index, compare, value })
}

fn action(
    field: &str,
    name: &str,
    errno: Option<u32>,
    told: &mut Told,
) -> Result<Action, OciError> {
    let errno = errno.unwrap_or(EPERM);
    if errno > LAST_ERRNO {
        return Err(wrong(field, format!("{name} {errno}"), "errors are 0 to 4095"));
    }
    Ok(match name {
        "SCMP_ACT_ALLOW" => Action::Allow,
        "SCMP_ACT_LOG" => Action::Log,
        "SCMP_ACT_TRACE" => Action::Trace(errno),
        "SCMP_ACT_ERRNO" => Action::Errno(errno),
        "SCMP_ACT_TRAP" => Action::Trap,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_NOTIFY" => {
            told.unsupported(field, name);
            Action::Errno(ENOSYS)
        }
        other => {
            let expected = "give SCMP_ACT_ and ALLOW, LOG, TRACE, ERRNO, TRAP, KILL, KILL_THREAD \
                or KILL_PROCESS";
            return Err(wrong(field, other.to_owned(), expected));
        }
    })
}

/// What starts the command is allowed, which is told where the profile does not. By what installs filters
/// none is kept from being installed: the default refuses it, too, where it is one that refuses.
fn needed(mut rules: ByCall, default: Action, told: &mut Told) -> ByCall {
    for name in NEEDED {
        let Some(number) = machine::number(name) else { continue };
        let always = vec![(Action::Allow, Vec::new())];
        let allowed = match rules.get(&number) {
            None => default <= Action::Log,
            Some(all) => *all == always,
        };
        if !allowed {
            told.unsupported(SYSCALLS, format!("{name} is allowed, to start the command"));
            rules.insert(number, always);
        }
    }
    if let Some(number) = machine::number(INSTALL)
        && default > Action::Log
        && let Some(all) = rules.get_mut(&number)
        && all.iter().any(|(action, _)| *action != Action::Allow && *action != default)
    {
        told.unsupported(SYSCALLS, format!("{INSTALL} gives what defaultAction says"));
        all.clear();
    }
    rules.retain(|_, all| !all.is_empty());
    rules
}

/// Where rules with different actions match the same call, the stricter counts, which may not be the one
/// that was meant.
fn overlaps(rules: &ByCall, told: &mut Told) {
    for (number, all) in rules {
        let overlap = all.iter().enumerate().any(|(at, (action, list))| {
            let before = all.iter().take(at);
            before.filter(|(other, _)| other != action).any(|(_, other)| !disjoint(list, other))
        });
        if overlap {
            let what = format!("rules of call {number} overlap: the strictest counts");
            told.unsupported(SYSCALLS, what);
        }
    }
}

/// Whether no call can match both, as far as that is seen by an argument that would need two values.
fn disjoint(one: &[Condition], other: &[Condition]) -> bool {
    let apart = |a: &Condition, b: &Condition| {
        a.index == b.index
            && match (a.compare, b.compare) {
                (Compare::Eq, Compare::Eq) => a.value != b.value,
                (Compare::Eq, Compare::Ne) | (Compare::Ne, Compare::Eq) => a.value == b.value,
                (Compare::Masked(mask), Compare::Masked(same)) if mask == same => {
                    a.value & mask != b.value & mask
                }
                (Compare::Eq, Compare::Masked(mask)) | (Compare::Masked(mask), Compare::Eq) => {
                    a.value & mask != b.value & mask
                }
                _ => false,
            }
    };
    one.iter().any(|a| other.iter().any(|b| apart(a, b)))
}

fn is_own(name: &str) -> bool {
    let own = match ARCH {
        "x86_64" => "SCMP_ARCH_X86_64",
        "aarch64" => "SCMP_ARCH_AARCH64",
        "riscv64" => "SCMP_ARCH_RISCV64",
        _ => return false,
    };
    name == own || name == "SCMP_ARCH_NATIVE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_overlap_unless_an_argument_tells_them_apart() {
        let on = |index, compare, value| vec![Condition { index, compare, value }];
        let eq = |index, value| on(index, Compare::Eq, value);
        for (one, other, apart) in [
            (eq(0, 1), eq(0, 2), true),
            (eq(0, 1), eq(0, 1), false),
            (eq(0, 1), eq(1, 2), false),
            (eq(0, 1), on(0, Compare::Ne, 1), true),
            (eq(0, 1), on(0, Compare::Ne, 2), false),
            (eq(0, 7), on(0, Compare::Masked(4), 0), true),
            (eq(0, 3), on(0, Compare::Masked(4), 0), false),
            (on(0, Compare::Masked(4), 4), on(0, Compare::Masked(4), 0), true),
            (on(0, Compare::Masked(4), 4), on(0, Compare::Masked(2), 0), false),
            (eq(0, 1), Vec::new(), false),
        ] {
            assert_eq!(disjoint(&one, &other), apart, "{one:?} {other:?}");
            assert_eq!(disjoint(&other, &one), apart, "{other:?} {one:?}");
        }
    }

    #[test]
    fn no_condition_is_all_conditions() {
        let some = vec![Condition { index: 0, compare: Compare::Eq, value: 1 }];
        for lists in [[some.clone(), Vec::new()], [Vec::new(), some.clone()]] {
            let mut rules = Rules::new();
            for list in lists {
                add(&mut rules, 7, list);
            }
            assert_eq!(rules.get(&7), Some(&Vec::new()));
        }
        let mut rules = Rules::new();
        add(&mut rules, 7, some.clone());
        assert_eq!(rules.get(&7), Some(&vec![some]));
    }
}
