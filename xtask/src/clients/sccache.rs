//! sccache's distributed compiler: installed from crates.io once, and run on a farm of namespaces.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::work::Work;
use super::{Bench, Run, Stop, executables};
use crate::user::User;
use crate::{Result, command, sources, workspace};

const VERSION: &str = "0.19.0";
const FEATURES: &str = "dist-client,dist-server";
/// What it is built with, and what the farm's network and compiles are made with.
const PACKAGES: [&str; 6] = ["gcc", "libc6-dev", "make", "iproute2", "libssl-dev", "pkg-config"];
/// 157 files of plain C without a configure script, each of them small.
const PROJECT: &str = "libtommath";
/// Compiling it takes long enough; nobody waits for what it does at run time.
const PROFILE: [(&str, &str); 6] = [
    ("OPT_LEVEL", "0"),
    ("LTO", "off"),
    ("CODEGEN_UNITS", "16"),
    ("DEBUG", "0"),
    ("STRIP", "debuginfo"),
    ("PANIC", "unwind"),
];

pub(super) fn run(bench: &Bench, user: User) -> Run {
    if user != User::Root {
        return Err(Stop::Skipped("its build server runs as root only".to_owned()));
    }
    command::need_packages(&PACKAGES).map_err(Stop::not_installed)?;
    let programs = install(&bench.stage).map_err(Stop::not_installed)?;
    let folder = bench.stage.join("sources");
    let source =
        sources::upstream(&folder, PROJECT, sources::MIRROR).map_err(Stop::not_installed)?;
    let work = Work::new(bench, "sccache", user)?;
    let bwrap = executables::drop_in("bwrap", &work.bin())?;
    // All of the farm is in namespaces that end with the first process in them: it is this very
    // program, which has no name to be found by where it is started from elsewhere.
    let mut farm = work.command(Path::new("unshare"));
    farm.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    farm.arg(env::current_exe()?).arg("clients-farm");
    farm.arg(work.path()).arg(programs).arg(bwrap).arg(source);
    super::run_checks(&mut farm)?;
    work.finish()
}

/// Both programs, in a folder that is kept.
fn install(stage: &Path) -> Result<PathBuf> {
    let root = stage.join(format!("sccache-{VERSION}"));
    let programs = root.join("bin");
    if programs.join("sccache-dist").exists() && programs.join("sccache").exists() {
        return Ok(programs);
    }
    println!("  building sccache {VERSION}, which takes some minutes");
    let clock = Instant::now();
    let build = stage.join("sccache-build");
    let mut cargo = Command::new("nice");
    cargo.arg(workspace::cargo().get_program());
    cargo.args(["install", "--quiet", "--locked", "--no-track", "--no-default-features"]);
    cargo.args(["--features", FEATURES, "--version", &format!("={VERSION}"), "sccache", "--root"]);
    // Outside of the workspace, whose own configuration of cargo is no business of sccache's.
    cargo.arg(&root).current_dir("/").env("CARGO_TARGET_DIR", &build).env_remove("RUSTFLAGS");
    for (name, value) in PROFILE {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command::run(&mut cargo)?;
    fs::remove_dir_all(&build)?;
    println!("  built in {:.0} s", clock.elapsed().as_secs_f64());
    Ok(programs)
}
