//! Where the workspace is, and what cargo says is in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Result, command};

pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The cargo that started this xtask, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(root());
    cargo
}

/// `cargo metadata`, as JSON.
pub(crate) fn metadata(options: &[&str]) -> Result<Value> {
    let json = command::stdout(cargo().args(["metadata", "--format-version", "1"]).args(options))?;
    Ok(serde_json::from_str(&json)?)
}

/// The folder that cargo builds into, wherever the user has put it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let target = metadata["target_directory"].as_str().ok_or("cargo names no target directory")?;
    Ok(PathBuf::from(target))
}

/// Builds `run-sandbox` with the development profile, the quickest, and says where it is.
///
/// `SANDBOXLIB_RUN_SANDBOX` names an existing one to use in its place, such as an installed one.
pub(crate) fn run_sandbox() -> Result<PathBuf> {
    if let Some(existing) = env::var_os("SANDBOXLIB_RUN_SANDBOX") {
        return Ok(Path::new(&existing).canonicalize()?);
    }
    build("sandbox-cli", "run-sandbox")
}

/// Builds a program with the development profile, and says where it is.
pub(crate) fn build(package: &str, program: &str) -> Result<PathBuf> {
    let build = ["build", "--package", package, "--bin", program];
    let messages =
        command::stdout(cargo().args(build).arg("--message-format=json-render-diagnostics"))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == program)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo built no {program}").into())
}
