//! Python environments, one for each client, kept for the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, command};

/// Debian's comes first: one in somebody's home could not be started by another user.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// An environment with packages of PyPI, made where it isn't there yet.
pub(super) fn environment(folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if python.exists() {
        return Ok(python);
    }
    if Path::new("/etc/debian_version").exists() {
        command::need_packages(&["python3-venv"])?;
    }
    let host = PYTHONS.iter().map(Path::new).find(|python| has_venv(python));
    let host = host.ok_or("there is no python3 with venv and ensurepip")?;
    // Renamed when complete; its python finds its packages wherever it is.
    let partial = beside(folder, "partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    println!("  installing {} with pip", packages.join(", "));
    command::run(Command::new(host).args(["-m", "venv"]).arg(&partial))?;
    install(&partial.join("bin/python"), packages)?;
    fs::rename(&partial, folder)?;
    Ok(python)
}

/// Installs packages, or a package from its folder.
pub(super) fn install(python: &Path, packages: &[&str]) -> Result {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    let output = command::output(pip.args(packages))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}{}", command::show(&pip), output.status, super::tail(&said, 5)).into())
}

/// A folder beside another, named after it.
pub(super) fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().display();
    folder.with_file_name(format!("{name}-{what}"))
}

fn has_venv(python: &Path) -> bool {
    let mut import = Command::new(python);
    import.args(["-c", "import venv, ensurepip"]);
    command::output(&mut import).is_ok_and(|output| output.status.success())
}
