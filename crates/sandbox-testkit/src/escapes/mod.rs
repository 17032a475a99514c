//! Known ways out of sandboxes, each tried by a program inside: the cases whose subject is `escape-…`.
//!
//! Each has a control, in which the same attack succeeds because the isolation is off.

mod attack;
mod descriptors;
mod mounts;
mod network;
mod out_of_root;
mod privilege;
mod processes;
mod read_only;
mod set_up;
mod terminal;

use crate::case::{Case, Role};

/// Every attack, by subject.
pub(crate) const CASES: &[&[Case]] = &[
    out_of_root::CASES,
    set_up::CASES,
    mounts::CASES,
    descriptors::CASES,
    processes::CASES,
    processes::OUTLIVE,
    terminal::CASES,
    privilege::capabilities::CASES,
    privilege::namespaces::CASES,
    privilege::settings::CASES,
    privilege::devices::CASES,
    privilege::kernel::CASES,
    network::CASES,
    read_only::CASES,
    read_only::COVER_CASES,
];

/// The callers that attacks need.
pub(crate) const ROLES: &[&[Role]] =
    &[mounts::ROLES, processes::ROLES, processes::OUTLIVE_ROLES, terminal::ROLES];

#[cfg(test)]
mod tests {
    #[test]
    fn each_can_fail() {
        for case in super::CASES.iter().copied().flatten() {
            assert!(case.name.starts_with("escape-"), "{}", case.name);
            assert!(case.control.is_some(), "{} has no control", case.name);
        }
    }
}
