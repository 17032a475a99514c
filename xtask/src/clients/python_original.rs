//! The Python sandboxlib as PyPI has it, with our linux-user-chroot first on PATH.

use std::fs;
use std::process::Command;

use super::work::Work;
use super::{Bench, Run, Stop, executables, python, toolchain};
use crate::user::User;
use crate::{command, workspace};

/// The last release.
const PACKAGE: &str = "sandboxlib==0.3.1";

pub(super) fn run(bench: &Bench, user: User) -> Run {
    let environment = bench.stage.join("sandboxlib-0.3.1");
    toolchain::need().map_err(Stop::not_installed)?;
    let python = python::environment(&environment, &[PACKAGE]).map_err(Stop::not_installed)?;
    if !command::output(Command::new(&python).args(["-c", "import pipes"]))?.status.success() {
        return Err(Stop::not_installed("it needs a Python before 3.13, with the module pipes"));
    }
    let work = Work::new(bench, "python-original", user)?;
    let program = executables::drop_in("linux-user-chroot", &work.bin())?;
    let tree = work.path().join("tree");
    toolchain::make_shell(&tree)?;
    for name in ["data", "other"] {
        fs::create_dir(tree.join(name))?;
    }
    // Modules are found beside the script, wherever the workspace is.
    let scripts = work.path().join("scripts");
    fs::create_dir(&scripts)?;
    for name in ["checks.py", "python_original.py"] {
        fs::copy(workspace::root().join("xtask/clients").join(name), scripts.join(name))?;
    }
    // Importing the package makes a log file in the current folder.
    user.own(work.path())?;
    let mut script = work.command(&python);
    script.arg("-B").arg(scripts.join("python_original.py")).arg(&tree).arg(program);
    super::run_checks(&mut script)?;
    work.finish()?;
    println!("  not run: its bubblewrap backend, which no release on PyPI has");
    Ok(())
}
