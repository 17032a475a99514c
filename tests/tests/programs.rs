//! Which crate installs which programs: nothing shadows the system's own `bwrap` by accident.
#![allow(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use serde_json::Value;

/// The published crates that have programs, which `cargo install` puts on the PATH.
fn installed() -> BTreeMap<String, Vec<String>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut installed = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        // `publish = false` is an empty list of registries.
        let published = package["publish"].as_array().is_none_or(|list| !list.is_empty());
        let targets = package["targets"].as_array().unwrap().iter();
        let programs = targets.filter(|target| target["kind"][0] == "bin");
        let mut programs: Vec<_> = programs.map(|target| text(&target["name"])).collect();
        programs.sort();
        if published && !programs.is_empty() {
            installed.insert(text(&package["name"]), programs);
        }
    }
    installed
}

#[test]
fn the_names_of_other_tools_come_with_the_drop_ins_alone() {
    let expected = [
        ("sandbox-cli", &["run-sandbox"][..]),
        ("sandbox-drop-ins", &["bwrap", "linux-user-chroot"]),
    ];
    let expected = expected.map(|(name, programs)| {
        (name.to_owned(), programs.iter().map(|&program| program.to_owned()).collect())
    });
    assert_eq!(installed(), BTreeMap::from(expected));
}
