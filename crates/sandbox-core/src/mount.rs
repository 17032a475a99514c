//! Extra mounts: what is mounted where in the sandbox.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{ConfigError, Field};
use crate::os_text::{self, OsText, has_nul};
use crate::path::InsidePath;

/// One mount of the sandbox. The list of them is ordered: they are made in order, and a later one
/// covers an earlier one at or above its target.
///
/// A missing target is made (a directory, or an empty file for the bind of a file) and removed again
/// when the sandbox has ended.
///
/// In a file: a line of fstab(5), or a table with these fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Mount {
    /// Where, inside the sandbox.
    pub target: InsidePath,
    /// What.
    pub filesystem: Filesystem,
    /// Per-mount restrictions.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<MountFlag>,
}

impl<'de> Deserialize<'de> for Mount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(MountVisitor)
    }
}

/// Reads both forms; an untagged enum would, but hide what is wrong with either.
struct MountVisitor;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct MountTable {
    target: OsText,
    filesystem: Filesystem,
    #[serde(default)]
    flags: BTreeSet<MountFlag>,
}

impl<'de> Visitor<'de> for MountVisitor {
    type Value = Mount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line as in fstab(5) (SOURCE TARGET TYPE [OPTIONS]), or a table")
    }

    fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<Mount, E> {
        line.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mount, A::Error> {
        use serde::de::Error;
        let table = MountTable::deserialize(MapAccessDeserializer::new(map))?;
        let target = InsidePath::absolute(&table.target.0, "target").map_err(A::Error::custom)?;
        Ok(Mount { target, filesystem: table.filesystem, flags: table.flags })
    }
}

/// What a [`Mount`] shows at its target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Filesystem {
    /// A file or directory of the host.
    Bind {
        /// The path on the host. Symbolic links in it are followed, as the host has them.
        #[serde(with = "os_text::path")]
        source: PathBuf,
        /// Whether mounts below the source come along.
        #[serde(default)]
        recursion: Recursion,
    },
    /// The processes that the sandbox sees (proc(5)).
    Proc,
    /// An empty file system in memory (tmpfs(5)), gone when the sandbox ends.
    Tmpfs {
        /// The most bytes that it can hold; the kernel's default is half of the memory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// The permission bits of its root directory; default 0755.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// A minimal `/dev`: null, zero, full, random, urandom, tty; pts with its ptmx; shm; and the links
    /// fd, stdin, stdout, stderr.
    Dev,
    /// Kernel objects (sysfs(5)); always read-only.
    Sysfs,
    /// POSIX message queues (mq_overview(7)).
    Mqueue,
    /// Directories of the host merged into one (the kernel's overlayfs).
    Overlay {
        /// The layers, the uppermost first; never empty.
        #[serde(with = "os_text::paths")]
        lower: Vec<PathBuf>,
        /// Where changes go; without it the overlay is read-only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upper: Option<OverlayUpper>,
    },
    /// What is at the target already, mounted once more onto itself, read-only.
    Remount,
}

/// The writable layer of an overlay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OverlayUpper {
    /// `upperdir`: holds the changes.
    #[serde(with = "os_text::path")]
    pub upper: PathBuf,
    /// `workdir`: an empty directory on the same file system.
    #[serde(with = "os_text::path")]
    pub work: PathBuf,
}

/// Whether a bind takes along the mounts below its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recursion {
    /// It does (`rbind`).
    #[default]
    Recursive,
    /// It does not (`bind`). An unprivileged caller cannot uncover what a mount hides: the kernel
    /// refuses such a bind where there are mounts below the source (mount_namespaces(7)).
    Single,
}

/// A restriction of one mount (mount(8), "filesystem-independent mount options").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountFlag {
    /// `ro`: nothing can be written through it.
    ReadOnly,
    /// `nosuid`: set-user-ID bits and file capabilities have no effect.
    NoSuid,
    /// `nodev`: device nodes cannot be opened.
    NoDev,
    /// `noexec`: programs cannot be executed.
    NoExec,
}

impl Mount {
    /// A mount of `filesystem` on `target`, which must be absolute and not `/`.
    pub fn new(target: impl AsRef<OsStr>, filesystem: Filesystem) -> Result<Self, ConfigError> {
        let target = InsidePath::absolute(target, "mount target")?;
        let mut flags = BTreeSet::new();
        if filesystem == Filesystem::Remount {
            flags.insert(MountFlag::ReadOnly);
        }
        let mount = Self { target, filesystem, flags };
        mount.validate(&"mount".into()).map(|()| mount)
    }

    /// A recursive bind of a host path.
    pub fn bind(
        source: impl Into<PathBuf>,
        target: impl AsRef<OsStr>,
    ) -> Result<Self, ConfigError> {
        let bind = Filesystem::Bind { source: source.into(), recursion: Recursion::Recursive };
        Self::new(target, bind)
    }

    /// The same mount with one more restriction.
    #[must_use]
    pub fn with(mut self, flag: MountFlag) -> Self {
        self.flags.insert(flag);
        self
    }

    pub(crate) fn validate(&self, field: &Field) -> Result<(), ConfigError> {
        let part = |name: &str| Field::new(format!("{field}.{name}"));
        if self.target.is_root() {
            return Err(ConfigError::TargetIsRoot { field: part("target") });
        }
        for source in self.filesystem.sources() {
            if source.as_os_str().is_empty() {
                let expected = "give a path of the host";
                return Err(ConfigError::Empty { field: part("source"), expected });
            }
            if has_nul(source.as_os_str()) {
                let value = source.as_os_str().to_owned();
                return Err(ConfigError::Nul { field: part("source"), value });
            }
        }
        match &self.filesystem {
            Filesystem::Overlay { lower, .. } if lower.is_empty() => {
                let expected = "an overlay needs at least one lower directory (lowerdir=PATH)";
                Err(ConfigError::Empty { field: part("lower"), expected })
            }
            Filesystem::Remount if !self.flags.contains(&MountFlag::ReadOnly) => {
                let expected = "the one remount that exists is `remount,ro`".to_owned();
                Err(ConfigError::Invalid {
                    field: part("flags"),
                    value: "remount".into(),
                    expected,
                })
            }
            _ => Ok(()),
        }
    }
}

impl Filesystem {
    /// The host paths that it shows.
    pub fn sources(&self) -> Vec<&Path> {
        match self {
            Self::Bind { source, .. } => vec![source],
            Self::Overlay { lower, upper } => {
                let upper = upper.iter().flat_map(|dirs| [&*dirs.upper, &*dirs.work]);
                lower.iter().map(PathBuf::as_path).chain(upper).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.filesystem, self.target)
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { source, .. } => write!(f, "{}", source.display()),
            Self::Proc => f.write_str("proc"),
            Self::Tmpfs { .. } => f.write_str("tmpfs"),
            Self::Dev => f.write_str("a minimal /dev"),
            Self::Sysfs => f.write_str("sysfs"),
            Self::Mqueue => f.write_str("mqueue"),
            Self::Overlay { .. } => f.write_str("overlay"),
            Self::Remount => f.write_str("remount"),
        }
    }
}
