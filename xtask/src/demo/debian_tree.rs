//! What the Debian demos and the benchmarks of images work on: minbase trees, with a compiler or without,
//! and upstream sources, made once and kept. The machine's own apt configuration is only read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::sources::{self, KEYRING, SUITE};
use crate::{Result, command};

const INCLUDE: &str = "gcc,libc6-dev,make,bzip2,xz-utils";
const PACKAGES: [&str; 2] = ["mmdebstrap", sources::KEYRING_PACKAGE];

/// Makes what is missing in `stage`, as root; without root, what an earlier run left is used.
pub(super) fn prepare(stage: &Path, package: &str, mirror: &str) -> Result<(PathBuf, PathBuf)> {
    let tree = with_compiler(stage, mirror)?;
    let source = sources::upstream(&stage.join("sources"), package, mirror)?;
    Ok((tree, source))
}

/// A tree in which C programs can be built, some 400 MB.
pub(super) fn with_compiler(stage: &Path, mirror: &str) -> Result<PathBuf> {
    make_tree(stage, SUITE, INCLUDE, mirror)
}

/// A tree of some 180 MB, as images have at their bottom.
pub(crate) fn minbase(stage: &Path) -> Result<PathBuf> {
    make_tree(stage, &format!("{SUITE}-minbase"), "", sources::MIRROR)
}

fn make_tree(stage: &Path, name: &str, include: &str, mirror: &str) -> Result<PathBuf> {
    let tree = stage.join(name);
    if tree.is_dir() {
        return Ok(tree);
    }
    command::need_root("making the Debian tree with mmdebstrap")?;
    command::need_packages(&PACKAGES)?;
    let clock = Instant::now();
    eprintln!("making a Debian tree: {name}");
    // Renamed when complete, so that a broken run leaves nothing that looks like a tree.
    let partial = stage.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .args(["--quiet", "--variant=minbase", "--format=directory"])
        .arg(format!("--keyring={KEYRING}"))
        .args((!include.is_empty()).then(|| format!("--include={include}")))
        .arg("--dpkgopt=force-unsafe-io")
        // A plain user cannot make the mount point of the build folder in a tree of root's.
        .arg("--customize-hook=mkdir $1/build")
        .arg(SUITE)
        .arg(&partial)
        .arg(mirror);
    command::run(&mut mmdebstrap)?;
    fs::rename(&partial, &tree)?;
    eprintln!("  {} in {:.1} s", tree.display(), clock.elapsed().as_secs_f64());
    Ok(tree)
}
