//! Folders to work in: a temporary one that always goes, and one that other users can reach.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use crate::{Result, command, workspace};

/// The user that unprivileged runs are made as when xtask runs as root. No account is needed,
/// and the number belongs to none on an ordinary machine.
pub(crate) const UNPRIVILEGED: u32 = 54_321;

/// A private folder below the target folder, removed with this value. A run that was killed
/// leaves it where `cargo clean` finds it.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let parent = workspace::target_dir()?.join("tmp");
        let path = parent.join(format!("{name}-{}", process::id()));
        fs::create_dir_all(&parent)
            .and_then(|()| DirBuilder::new().mode(0o700).create(&path))
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: cannot remove {}: {error}", self.0.display());
        }
    }
}

/// A folder in memory, with this much room, in which programs can be run, if this machine has one. Trees of
/// many files are soon there, and soon gone.
pub(crate) fn memory(bytes: u64) -> Option<&'static Path> {
    const MEMORY: &str = "/dev/shm";
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(MEMORY))?;
    let is_fit = mount.split(' ').nth(2) == Some("tmpfs") && !mount.contains("noexec");
    let free = command::stdout(Command::new("stat").args(["-f", "-c", "%a %S", MEMORY])).ok()?;
    let free = free.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
    (is_fit && free.product::<u64>() > bytes).then(|| Path::new(MEMORY))
}

/// A folder to keep things in that any user can reach: below the target folder where the way
/// there is open to others, else below /var/tmp (a clone in a home or a private folder).
pub(crate) fn shared(name: &str) -> Result<PathBuf> {
    let target = workspace::target_dir()?;
    fs::create_dir_all(&target)?;
    let own = fs::metadata(&target)?.uid();
    if target.ancestors().all(|dir| fs::metadata(dir).is_ok_and(|m| m.mode() & 0o001 != 0)) {
        let path = target.join(name);
        DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
        return Ok(path);
    }
    let path = Path::new("/var/tmp").join(format!("sandboxlib-{name}-{own}"));
    DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
    // Everybody can write to /var/tmp, so the name may have been taken by somebody else.
    let found = fs::symlink_metadata(&path)?;
    if !found.is_dir() || found.uid() != own || found.mode() & 0o022 != 0 {
        return Err(format!("{} is not ours alone to write; remove it", path.display()).into());
    }
    Ok(path)
}
