//! `cargo xtask test`: everything that can be tested on this machine.

use std::fs;

use crate::stage::TempDir;
use crate::{Result, command, matrix, workspace};

pub(crate) fn run(args: &[String]) -> Result {
    let dir = TempDir::new("test")?;
    let skips = dir.path().join("skips");
    // Unit, property, whole-product and documentation tests, as cargo reports them.
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--workspace"]).args(args).env("SANDBOX_TEST_SKIPS", &skips);
    // The conformance suite comes with the matrix below.
    cargo.env("SANDBOX_TEST_BY_MATRIX", "1");
    let tests = command::run(&mut cargo);
    let matrix = matrix::run(&[]);
    let skipped = fs::read_to_string(&skips).unwrap_or_default();
    if !skipped.is_empty() {
        println!("\ntests that could not run here, though cargo counts them as passed:");
        skipped.lines().for_each(|line| println!("  {line}"));
    }
    // Both are run whatever the first one says: a user wants to see all failures at once.
    tests.and(matrix)
}
