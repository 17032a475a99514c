//! What the command sees of the caller's environment; host names.

use std::collections::BTreeMap;
use std::ffi::OsString;

use proptest::collection::btree_map;
use proptest::prelude::*;
use sandbox_core::{Environment, Hostname, Inherit};

use crate::strategies::{environment, os_string};

proptest! {
    #[test]
    fn what_is_set_wins_and_nothing_is_made_up(
        env in environment(), callers in btree_map(os_string(), os_string(), 0..4),
    ) {
        let resolved = env.resolve(callers.clone());
        for (name, value) in &env.set {
            prop_assert_eq!(resolved.get(name), Some(value));
        }
        for (name, value) in &resolved {
            if !env.set.contains_key(name) {
                prop_assert_eq!(callers.get(name), Some(value));
            }
        }
    }
}

fn resolve(inherit: Inherit) -> Vec<String> {
    let callers = [("A", "1"), ("B", "2"), ("C", "3")];
    let mut env = Environment::exactly([("C", "set"), ("D", "4")]);
    env.inherit = inherit;
    let resolved = env.resolve(callers.map(|(name, value)| (name.into(), value.into())));
    let line =
        |(name, value): (OsString, OsString)| format!("{}={}", name.display(), value.display());
    resolved.into_iter().map(line).collect()
}

#[test]
fn each_way_to_inherit() {
    let names = || ["A".into(), "X".into()].into();
    assert_eq!(resolve(Inherit::All), ["A=1", "B=2", "C=set", "D=4"]);
    assert_eq!(resolve(Inherit::Nothing), ["C=set", "D=4"]);
    assert_eq!(resolve(Inherit::AllBut(names())), ["B=2", "C=set", "D=4"]);
    assert_eq!(resolve(Inherit::Only(names())), ["A=1", "C=set", "D=4"]);
}

#[test]
fn the_default_takes_everything_over_and_exactly_nothing() {
    let callers: BTreeMap<OsString, OsString> = [("A".into(), "1".into())].into();
    assert_eq!(Environment::default().resolve(callers.clone()), callers);
    assert!(Environment::exactly([("", ""); 0]).resolve(callers).is_empty());
}

#[test]
fn host_names_are_short_and_plain() {
    for good in ["a", "build-host.example", "under_score", &"x".repeat(64)] {
        assert_eq!(Hostname::new(good).unwrap().as_str(), good);
    }
    for bad in ["", "a b", "a/b", "a\0b", "hä", &"x".repeat(65)] {
        let error = Hostname::new(bad).unwrap_err().to_string();
        assert!(error.starts_with(&format!("hostname {bad:?} is not valid: give ")), "{error}");
    }
}
