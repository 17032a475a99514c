//! `--cap-add` and `--cap-drop`, in their order.

use std::collections::BTreeSet;

use sandbox_core::{Capability, KeptCapabilities};

use super::request::CapabilityChange;

/// What the command keeps: without a word about it, root keeps all and others nothing; else root's set
/// starts with its own, and that of others empty.
pub(super) fn kept(changes: &[CapabilityChange], root: Option<Own>) -> KeptCapabilities {
    if changes.is_empty() {
        return if root.is_some() { KeptCapabilities::All } else { KeptCapabilities::Nothing };
    }
    let mut kept: BTreeSet<_> = root.into_iter().flat_map(Own::capabilities).collect();
    for change in changes {
        match change {
            CapabilityChange::Add(capability) => {
                kept.insert(*capability);
            }
            CapabilityChange::Drop(capability) => {
                kept.remove(capability);
            }
            CapabilityChange::AddAll => kept.extend(Capability::all()),
            CapabilityChange::DropAll => kept.clear(),
        }
    }
    if kept.is_empty() { KeptCapabilities::Nothing } else { KeptCapabilities::Only(kept) }
}

/// The capabilities that root has, as the kernel writes them: one bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own(pub(super) u64);

impl Own {
    fn capabilities(self) -> impl Iterator<Item = Capability> {
        Capability::all().filter(move |one| self.0 >> one.number() & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::CapabilityChange::{Add, AddAll, Drop, DropAll};
    use super::*;

    /// CHOWN, KILL and SYS_ADMIN.
    const ROOT: Option<Own> = Some(Own(1 | 1 << 5 | 1 << 21));

    fn named(name: &str) -> Capability {
        Capability::named(name).unwrap()
    }

    fn only(names: &[&str]) -> KeptCapabilities {
        KeptCapabilities::Only(names.iter().copied().map(named).collect())
    }

    #[test]
    fn without_a_word_root_keeps_all_and_others_nothing() {
        assert_eq!(kept(&[], ROOT), KeptCapabilities::All);
        assert_eq!(kept(&[], None), KeptCapabilities::Nothing);
    }

    #[test]
    fn changes_count_in_their_order() {
        let kill = named("CAP_KILL");
        assert_eq!(kept(&[Drop(kill)], ROOT), only(&["CHOWN", "SYS_ADMIN"]));
        assert_eq!(kept(&[Drop(kill)], None), KeptCapabilities::Nothing);
        assert_eq!(kept(&[DropAll], ROOT), KeptCapabilities::Nothing);
        assert_eq!(kept(&[DropAll, Add(kill)], ROOT), only(&["KILL"]));
        assert_eq!(kept(&[Add(kill), DropAll], ROOT), KeptCapabilities::Nothing);
        assert_eq!(kept(&[Add(kill)], None), only(&["KILL"]));
        let KeptCapabilities::Only(set) = kept(&[AddAll, Drop(kill)], None) else { panic!() };
        assert_eq!(set.len(), Capability::all().count() - 1);
    }
}
