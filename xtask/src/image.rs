//! `cargo xtask image`: an App Container image of a directory tree. An example of sandbox-image makes it,
//! so that xtask needs none of its dependencies.

use std::path::Path;
use std::process::Command;

use crate::{Result, command, workspace};

pub(crate) fn run(args: &[String]) -> Result {
    command::run(make_aci().args(args))
}

/// Makes one with a manifest that says little, and gives its ID.
pub(crate) fn make(tree: &Path, out: &Path, name: &str, exec: &str) -> Result<String> {
    let mut make = make_aci();
    make.arg(tree).arg(out).args(["--name", name, "--exec", exec]);
    Ok(command::stdout(&mut make)?.trim().to_owned())
}

/// It is run where this was, so that paths are the caller's.
fn make_aci() -> Command {
    let mut cargo = workspace::cargo();
    if let Ok(here) = std::env::current_dir() {
        cargo.current_dir(here);
    }
    cargo.args(["run", "--release", "--quiet", "--manifest-path"]);
    cargo.arg(workspace::root().join("Cargo.toml"));
    cargo.args(["--package", "sandbox-image", "--example", "make_aci", "--"]);
    cargo
}
