//! YBD's call of the Python package of this repository, on run-sandbox.

use std::fs;
use std::process::Command;

use super::work::Work;
use super::{Bench, Run, Stop, executables, python, toolchain};
use crate::user::User;
use crate::{command, workspace};

pub(super) fn run(bench: &Bench, user: User) -> Run {
    let package = workspace::root().join("python");
    if !package.is_dir() {
        return Err(Stop::Skipped("this tree has no python package".to_owned()));
    }
    toolchain::need().map_err(Stop::not_installed)?;
    let work = Work::new(bench, "ybd", user)?;
    executables::run_sandbox(&work.bin())?;
    // Installed from a copy: pip builds in the folder that it is given. Links lead out of it.
    let copy = work.path().join("package");
    command::run(Command::new("cp").arg("-RL").arg(package).arg(&copy))?;
    let environment = work.path().join("environment");
    let copy = copy.display().to_string();
    let python = python::environment(&environment, &[&copy]).map_err(Stop::not_installed)?;
    let program = workspace::root().join("xtask/clients/buildstream/files/source/program.c");
    let tree = work.path().join("tree");
    toolchain::make(&tree, &program)?;
    let scripts = work.path().join("scripts");
    fs::create_dir(&scripts)?;
    for name in ["checks.py", "ybd.py"] {
        fs::copy(workspace::root().join("xtask/clients").join(name), scripts.join(name))?;
    }
    fs::copy(&program, scripts.join("program.c"))?;
    user.own(work.path())?;
    for backend in backends(user) {
        println!("  {backend}");
        let mut script = work.command(&python);
        script.arg("-B").arg(scripts.join("ybd.py")).arg(&tree).arg(scripts.join("program.c"));
        super::run_checks(script.env("SANDBOXLIB_BACKEND", backend))?;
    }
    work.finish()
}

/// A user cannot chroot.
fn backends(user: User) -> &'static [&'static str] {
    let all = &["bubblewrap", "linux-user-chroot", "chroot"];
    if user == User::Root { all } else { &all[..2] }
}
