//! The cases, by subject: one file each.

mod bad_input;
mod bind;
mod caller;
mod command;
mod dev;
mod environment;
mod filesystems;
mod ids;
mod ipc;
mod lifecycle;
mod limits;
mod made;
mod mounts;
mod negotiation;
mod nested_callers;
mod network;
mod odd_callers;
mod privileges;
mod processes;
mod root;
mod seccomp;
mod sockets;
mod special;
mod streams;
mod targets;
mod writable;

use crate::case::{Case, Role};
use crate::escapes;

/// Every case, in the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        negotiation::CASES,
        command::CASES,
        streams::CASES,
        environment::CASES,
        root::CASES,
        writable::CASES,
        mounts::CASES,
        bind::CASES,
        filesystems::CASES,
        dev::CASES,
        made::CASES,
        targets::CASES,
        network::CASES,
        processes::CASES,
        ipc::CASES,
        ids::CASES,
        privileges::CASES,
        special::CASES,
        seccomp::CASES,
        sockets::CASES,
        limits::CASES,
        lifecycle::CASES,
        caller::CASES,
        odd_callers::CASES,
        nested_callers::CASES,
        bad_input::CASES,
    ]
    .into_iter()
    .chain(escapes::CASES.iter().copied())
    .flatten()
}

/// The odd callers that cases start.
pub(crate) fn roles() -> impl Iterator<Item = &'static Role> {
    [
        streams::ROLES,
        dev::ROLES,
        privileges::ROLES,
        special::ROLES,
        sockets::ROLES,
        limits::ROLES,
        lifecycle::ROLES,
        caller::ROLES,
        odd_callers::ROLES,
        nested_callers::ROLES,
    ]
    .into_iter()
    .chain(escapes::ROLES.iter().copied())
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_of_the_form_subject_and_promise() {
        let mut names = BTreeSet::new();
        for case in super::all() {
            assert_eq!(case.name.matches('/').count(), 1, "{}", case.name);
            assert!(names.insert(case.name), "{} twice", case.name);
        }
        assert!(names.len() > 100);
    }

    #[test]
    fn role_names_are_unique() {
        let names: BTreeSet<_> = super::roles().map(|role| role.name).collect();
        assert_eq!(names.len(), super::roles().count());
    }
}
