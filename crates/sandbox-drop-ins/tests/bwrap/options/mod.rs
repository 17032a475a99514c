//! One test for each option that `--help` lists.

use std::collections::BTreeSet;
use std::process::Command;

use crate::fixture::{Fixture, for_everyone, skip};

mod descriptors;
mod files;
mod namespaces;
mod process;

/// Makes a test of each, for everyone, and a list of the options that are tested.
macro_rules! options {
    ($($option:literal $name:ident = $test:expr;)*) => {
        pub(super) const TESTED: &[&str] = &[$($option),*];
        $(
            #[test]
            fn $name() {
                let test: fn(&crate::fixture::Fixture) = $test;
                crate::fixture::for_everyone(test);
            }
        )*
    };
}
use options;

const GENERAL: &[&str] = &["--help", "--version"];

#[test]
fn help_and_version_are_printed() {
    for_everyone(|f: &Fixture| {
        let help = f.run(&["--help"]);
        assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
        assert!(help.out.starts_with("usage: bwrap "), "{help:?}");
        f.run(&["--bind", "/", "/", "--version"]).prints("bubblewrap 0.11.0\n");
    });
}

/// The options in the text of `--help`.
fn listed(help: &str) -> BTreeSet<&str> {
    help.lines().filter_map(|line| line.trim_start().split(' ').next()).filter(is_option).collect()
}

fn is_option(word: &&str) -> bool {
    word.starts_with("--")
}

#[test]
fn each_option_has_a_test() {
    for_everyone(|f: &Fixture| {
        let all =
            [GENERAL, descriptors::TESTED, files::TESTED, namespaces::TESTED, process::TESTED];
        let tested: BTreeSet<_> = all.concat().into_iter().collect();
        assert_eq!(listed(&f.run(&["--help"]).out), tested);
    });
}

#[test]
fn each_option_of_the_systems_bwrap_is_known() {
    let Ok(theirs) = Command::new("bwrap").arg("--help").output() else {
        return skip("bwrap is not installed (Debian: bubblewrap)");
    };
    let theirs = String::from_utf8([theirs.stdout, theirs.stderr].concat()).unwrap();
    for_everyone(|f: &Fixture| {
        let ours = f.run(&["--help"]).out;
        let missing: Vec<_> = listed(&theirs).difference(&listed(&ours)).copied().collect();
        assert!(missing.is_empty(), "{missing:?}");
    });
}
