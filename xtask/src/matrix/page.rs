//! The page of attacks, `docs/escapes.md`: what the expected outcomes say of each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use super::cell::{Cell, When};
use super::expected::Expected;
use crate::{Result, workspace};

const FILE: &str = "docs/escapes.md";

const HEAD: &str = "\
# Attacks

Known ways out of sandboxes, each tried by a program inside, with a control that shows the same attack
succeed where the isolation is off. `cargo xtask matrix` tries them all, and `cargo xtask matrix --bless`
writes this page; what each is about is told in `crates/sandbox-testkit/src/escapes`. The outcomes are those
of one virtual machine (Linux 6.18, x86_64).

*Held*: the attack was tried and failed. *Refused*: the backend does not promise to hold it, and says so when it
is asked to; a sandbox that needs it is never made. *Not here*: the control cannot be shown on this host, or only
by root, so the attack says nothing.

";

/// Writes the page.
pub(super) fn write(expected: &Expected, names: &BTreeSet<String>) -> Result {
    fs::write(workspace::root().join(FILE), text(expected, names))?;
    println!("wrote {FILE}");
    Ok(())
}

/// What is wrong with the page, if anything is.
pub(super) fn difference(expected: &Expected, names: &BTreeSet<String>) -> Option<String> {
    let there = fs::read_to_string(workspace::root().join(FILE)).unwrap_or_default();
    let stale = there != text(expected, names);
    stale.then(|| format!("{FILE} is not what is expected: `cargo xtask matrix --bless` writes it"))
}

/// Whether a case is an attack.
pub(super) fn is_attack(name: &str) -> bool {
    name.starts_with("escape-")
}

fn text(expected: &Expected, names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().filter(|name| is_attack(name)).collect();
    let mut text = HEAD.to_owned();
    let always = || Cell::all().filter(|cell| cell.when() == When::Always);
    // Writing to a string does not fail.
    let _ = writeln!(text, "| backend | caller | kernel | held | refused | not here |");
    let _ = writeln!(text, "|---|---|---|---|---|---|");
    for cell in always() {
        let count = |word| names.iter().filter(|name| expected.wanted(cell, name) == word).count();
        let [held, refused, skipped] = ["passed", "refused", "skipped"].map(count);
        let words = cell.words().join(" | ");
        let _ = writeln!(text, "| {words} | {held} | {refused} | {skipped} |");
    }
    let full: Vec<_> = always().filter(|cell| cell.words()[2] == "full").collect();
    let columns: Vec<_> = full.iter().map(|cell| cell.words()[..2].join(", ")).collect();
    let _ = writeln!(text, "\n| attack | {} |", columns.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(columns.len()));
    for name in names {
        let outcomes = full.iter().map(|cell| match expected.wanted(*cell, name) {
            "passed" => "held",
            "refused" => "refused",
            _ => "not here",
        });
        let _ = writeln!(text, "| {name} | {} |", outcomes.collect::<Vec<_>>().join(" | "));
    }
    text
}
