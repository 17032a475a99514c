//! docs/seccomp.md, held against the rules of the build profile.
#![allow(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

use std::fs;
use std::path::Path;

use sandbox_seccomp::{Denial, Group, Rules, Test, When};

fn condition(when: &When) -> String {
    let test = if when.test == Test::In { "in" } else { "not in" };
    // Flags are written in hexadecimal.
    let value = |value: &u32| if *value < 100 { value.to_string() } else { format!("{value:#x}") };
    let values: Vec<_> = when.values.iter().map(value).collect();
    format!(" `if {} {test} {}`", when.argument, values.join(" "))
}

fn refused(denial: &Denial) -> String {
    let calls: Vec<_> = denial.calls.iter().map(|call| format!("`{call}`")).collect();
    let when = denial.when.as_ref().map(condition).unwrap_or_default();
    format!("{}: {}{when}", denial.error, calls.join(" "))
}

fn row(group: &Group) -> String {
    let refused: Vec<_> = group.denials.iter().map(refused).collect();
    let unless = if group.unless.is_empty() { "-".to_owned() } else { group.unless.join(" ") };
    format!("| {} | {} | {unless} | {} |", group.name, refused.join("; "), group.why)
}

#[test]
fn the_table_is_the_rules() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/seccomp.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("|---|---|---|---|\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows: Vec<_> = Rules::build().unwrap().groups.iter().map(row).collect();
    assert_eq!(table.lines().collect::<Vec<_>>(), rows);
}
