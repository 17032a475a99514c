//! What the Debian demo works on: a minbase tree with a compiler, and upstream sources, made once
//! and kept. The machine's own apt configuration is only read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Result, command};

/// Pinned, so that every machine builds the same sources with the same compiler.
const SUITE: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const INCLUDE: &str = "gcc,libc6-dev,make,bzip2,xz-utils";
const PACKAGES: [&str; 2] = ["mmdebstrap", "debian-archive-keyring"];

/// Makes what is missing in `stage`, as root; without root, what an earlier run left is used.
pub(super) fn prepare(stage: &Path, package: &str, mirror: &str) -> Result<(PathBuf, PathBuf)> {
    let tree = stage.join(SUITE);
    if !tree.is_dir() {
        make_tree(stage, &tree, mirror)?;
    }
    let sources = stage.join("sources");
    let source = match find_source(&sources, package) {
        Some(found) => found,
        None => fetch_source(&sources, package, mirror)?,
    };
    Ok((tree, source))
}

fn need_root(what: &str) -> Result {
    if command::is_root() {
        return Ok(());
    }
    let run = "run `cargo xtask demo debian` once as root, and any user can run it from then on";
    Err(format!("{what} takes root: {run}").into())
}

fn make_tree(stage: &Path, tree: &Path, mirror: &str) -> Result {
    need_root("making the Debian tree with mmdebstrap")?;
    command::need_packages(&PACKAGES)?;
    let clock = Instant::now();
    println!("making a Debian {SUITE} tree with {INCLUDE}");
    // Renamed when complete, so that a broken run leaves nothing that looks like a tree.
    let partial = stage.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .args(["--quiet", "--variant=minbase", "--format=directory"])
        .arg(format!("--keyring={KEYRING}"))
        .arg(format!("--include={INCLUDE}"))
        .arg("--dpkgopt=force-unsafe-io")
        // A plain user cannot make the mount point of the build folder in a tree of root's.
        .arg("--customize-hook=mkdir $1/build")
        .arg(SUITE)
        .arg(&partial)
        .arg(mirror);
    command::run(&mut mmdebstrap)?;
    fs::rename(&partial, tree)?;
    println!("  {} in {:.1} s", tree.display(), clock.elapsed().as_secs_f64());
    Ok(())
}

/// `hello_2.10.orig.tar.gz` and the like.
fn find_source(sources: &Path, package: &str) -> Option<PathBuf> {
    let start = format!("{package}_");
    let files = fs::read_dir(sources).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_upstream = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let end = name.rsplit_once(".orig.tar.").map(|(_, end)| end);
        name.starts_with(&start) && end.is_some_and(|end| ["gz", "bz2", "xz"].contains(&end))
    };
    files.into_iter().find(is_upstream)
}

fn fetch_source(sources: &Path, package: &str, mirror: &str) -> Result<PathBuf> {
    need_root("fetching the source with apt-get")?;
    let apt = sources.join("apt");
    for dir in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(dir))?;
    }
    let list = apt.join("sources.list");
    fs::write(&list, format!("deb-src [signed-by={KEYRING}] {mirror} {SUITE} main\n"))?;
    println!("fetching the source of {package}");
    let apt_get = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("-qq").current_dir(sources).stdout(Stdio::null());
        for option in [
            format!("Dir::Etc::SourceList={}", list.display()),
            "Dir::Etc::SourceParts=-".to_owned(),
            format!("Dir::State::Lists={}", apt.join("lists").display()),
            format!("Dir::Cache={}", apt.join("cache").display()),
            // The folder is root's, where apt's own user may not write.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command::run(command.args(words))
    };
    apt_get(&["update"])?;
    apt_get(&["source", "--download-only", package])?;
    fs::remove_dir_all(&apt)?;
    find_source(sources, package)
        .ok_or_else(|| format!("apt-get fetched no upstream archive of {package}").into())
}
