//! `cargo xtask deny`: licences and duplicate versions of the dependencies, by the lists in
//! deny.toml: with cargo-deny where it is installed, else from what `cargo metadata` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::{Result, command, workspace};

pub(crate) fn run(_args: &[String]) -> Result {
    println!(
        "advisories are not checked: that takes the RustSec database from the internet; \
         `cargo deny check advisories` does it where it can be reached"
    );
    if command::find("cargo-deny").is_some() {
        let checks = ["bans", "licenses", "sources"];
        return command::run(workspace::cargo().args(["deny", "check"]).args(checks));
    }
    println!("there is no cargo-deny here, so the licences and versions are checked without it");
    let lists = Lists::read(&fs::read_to_string(workspace::root().join("deny.toml"))?);
    let metadata = workspace::metadata(&["--locked"])?;
    let findings = check(&metadata, &lists);
    for finding in &findings {
        println!("  {finding}");
    }
    let count = metadata["packages"].as_array().map_or(0, Vec::len);
    match findings.len() {
        0 => {
            println!("{count} packages, all as deny.toml has it");
            Ok(())
        }
        n => Err(format!("{n} findings in {count} packages").into()),
    }
}

/// The two lists of deny.toml that this check shares with cargo-deny.
struct Lists {
    licences: BTreeSet<String>,
    duplicates: BTreeSet<String>,
}

impl Lists {
    fn read(toml: &str) -> Self {
        let duplicates = strings(toml, "skip").into_iter();
        Self {
            licences: strings(toml, "allow").into_iter().collect(),
            // `{ crate = "name@version", reason = "..." }`: of these strings, those with an @.
            duplicates: duplicates.filter_map(|s| Some(s.split_once('@')?.0.to_owned())).collect(),
        }
    }
}

/// The strings of the array `key = [...]`. Not TOML in full, which would be one more thing to
/// compile before the demo: deny.toml keeps to one array a key, without `]` and `#` in strings.
fn strings(toml: &str, key: &str) -> Vec<String> {
    let start = format!("{key} = [");
    let array: String = toml
        .lines()
        .skip_while(|line| !line.starts_with(&start))
        .map(|line| line.trim_start_matches(&start))
        .map(|line| line.split('#').next().unwrap_or_default())
        .take_while(|line| !line.starts_with(']'))
        .collect();
    let array = array.split(']').next().unwrap_or_default();
    array.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn check(metadata: &Value, lists: &Lists) -> Vec<String> {
    let mut findings = Vec::new();
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, version, licence) = (text("name"), text("version"), text("license"));
        versions.entry(name).or_default().insert(version);
        if licence.is_empty() {
            findings.push(format!("{name} {version}: names no licence"));
        } else if !fits(licence, &lists.licences) {
            findings.push(format!("{name} {version}: '{licence}' is not in deny.toml"));
        }
    }
    for (name, versions) in versions {
        if versions.len() > 1 && !lists.duplicates.contains(name) {
            let versions: Vec<_> = versions.into_iter().collect();
            findings.push(format!(
                "{name}: in {} versions: {}",
                versions.len(),
                versions.join(" ")
            ));
        }
    }
    findings
}

fn fits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // Old manifests have `MIT/Apache-2.0`.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words = spaced.split_whitespace().rev().collect();
    let mut licence = Licence { words, allowed };
    licence.any() && licence.words.is_empty()
}

/// What is left to read of an SPDX expression, its next word last.
struct Licence<'a> {
    words: Vec<&'a str>,
    allowed: &'a BTreeSet<String>,
}

impl Licence<'_> {
    fn next_is(&mut self, word: &str) -> bool {
        let found = self.words.last().is_some_and(|next| *next == word);
        if found {
            self.words.pop();
        }
        found
    }

    fn any(&mut self) -> bool {
        let mut fits = self.all();
        while self.next_is("OR") {
            fits |= self.all();
        }
        fits
    }

    fn all(&mut self) -> bool {
        let mut fits = self.one();
        while self.next_is("AND") {
            fits &= self.one();
        }
        fits
    }

    fn one(&mut self) -> bool {
        if self.next_is("(") {
            let fits = self.any();
            return self.next_is(")") && fits;
        }
        let mut name = self.words.pop().unwrap_or_default().to_owned();
        if self.next_is("WITH") {
            name = format!("{name} WITH {}", self.words.pop().unwrap_or_default());
        }
        self.allowed.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lists() -> Lists {
        Lists::read(
            "[bans]\nskip = [\n    { crate = \"twice@1.0.0\", reason = \"known\" },\n]\n\
             [licenses]\nallow = [\n    \"MIT\", # plain\n    \"ISC\",\n    \"Unicode-3.0\",\n]\n",
        )
    }

    #[test]
    fn an_expression_fits_as_spdx_reads_it() {
        let lists = lists();
        for (expression, expected) in [
            ("MIT", true),
            ("Apache-2.0", false),
            ("MIT OR Apache-2.0", true),
            ("Apache-2.0/MIT", true),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
            ("MIT WITH Some-exception", false),
            ("MIT AND Apache-2.0", false),
            ("MIT AND ISC", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND BSD-3-Clause", false),
            ("Apache-2.0 OR MIT AND ISC", true),
            ("(MIT", false),
            ("MIT ISC", false),
            ("OR", false),
        ] {
            assert_eq!(fits(expression, &lists.licences), expected, "{expression}");
        }
    }

    #[test]
    fn every_finding_is_listed() {
        let package = |name, version, licence: Value| json!({ "name": name, "version": version, "license": licence });
        let metadata = json!({ "packages": [
            package("good", "1.0.0", json!("MIT")),
            package("bad", "1.0.0", json!("Apache-2.0")),
            package("bare", "1.0.0", Value::Null),
            package("double", "1.0.0", json!("MIT")),
            package("double", "2.0.0", json!("MIT")),
            package("twice", "1.0.0", json!("MIT")),
            package("twice", "2.0.0", json!("MIT")),
        ]});
        let findings = check(&metadata, &lists()).join("\n");
        assert_eq!(
            findings,
            "bad 1.0.0: 'Apache-2.0' is not in deny.toml\n\
             bare 1.0.0: names no licence\n\
             double: in 2 versions: 1.0.0 2.0.0"
        );
    }

    #[test]
    fn the_lists_are_found_in_deny_toml() {
        let toml = fs::read_to_string(workspace::root().join("deny.toml")).unwrap();
        let lists = Lists::read(&toml);
        assert!(lists.licences.contains("GPL-2.0-only") && lists.licences.contains("MIT"));
        assert!(!lists.licences.contains("Apache-2.0"));
    }
}
