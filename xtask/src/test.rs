//! `cargo xtask test`: everything that can be tested on this machine.

use crate::{Result, command, matrix, workspace};

pub(crate) fn run(args: &[String]) -> Result {
    // Unit, property, whole-product and documentation tests, as cargo reports them.
    let tests = command::run(workspace::cargo().args(["test", "--workspace"]).args(args));
    let matrix = matrix::run(&[]);
    // Both are run whatever the first one says: a user wants to see all failures at once.
    tests.and(matrix)
}
