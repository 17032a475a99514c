//! Upstream sources as Debian has them, fetched once and kept. The machine's own apt configuration
//! is only read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, command};

/// Pinned, so that every machine builds the same sources.
pub(crate) const SUITE: &str = "bookworm";
pub(crate) const MIRROR: &str = "http://deb.debian.org/debian";
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
pub(crate) const KEYRING_PACKAGE: &str = "debian-archive-keyring";

/// The upstream archive of a package, from `sources` where an earlier run has left it there.
pub(crate) fn upstream(sources: &Path, package: &str, mirror: &str) -> Result<PathBuf> {
    match find_source(sources, package) {
        Some(found) => Ok(found),
        None => fetch_source(sources, package, mirror),
    }
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
    command::need_root("fetching the source with apt-get")?;
    command::need_packages(&[KEYRING_PACKAGE])?;
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
