//! The main job, as the README's first command shows it: a real C project built in a sandbox.

use std::env;
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "builds run-sandbox and a project: `cargo xtask ci` runs it by name"]
fn hello_is_built_in_a_sandbox() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["xtask", "demo"]).current_dir(workspace).status();
    assert!(status.unwrap().success());
}
