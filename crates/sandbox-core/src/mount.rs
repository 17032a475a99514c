//! Extra mounts: what is mounted where in the sandbox.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::absent::{Missing, MountPoint};
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
    /// What it means that the source of a bind does not exist. Default: an error.
    #[serde(skip_serializing_if = "Missing::is_default")]
    pub missing: Missing,
    /// What it means that the target does not exist. Default: it is made.
    #[serde(skip_serializing_if = "MountPoint::is_default")]
    pub mount_point: MountPoint,
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
    #[serde(default)]
    missing: Missing,
    #[serde(default)]
    mount_point: MountPoint,
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
        let MountTable { filesystem, flags, missing, mount_point, .. } = table;
        Ok(Mount { target, filesystem, flags, missing, mount_point })
    }
}

/// What a [`Mount`] shows at its target, or makes there.
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
    /// fd, stdin, stdout, stderr. Its console is the command's terminal, where one of the three streams
    /// is one, else like null; never the host's.
    Dev,
    /// The same without a console.
    DevWithoutConsole,
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
    /// Directories of the host merged into one, with changes that end with the sandbox.
    TemporaryOverlay {
        /// The layers, the uppermost first; never empty.
        #[serde(with = "os_text::paths")]
        lower: Vec<PathBuf>,
    },
    /// What is at the target already, mounted once more onto itself, read-only.
    Remount,
    /// The same without the mounts below it, as far as the kernel lets them be left out (see
    /// [`Recursion::SinglePreferred`]).
    RemountSingle,
    /// The mount that is at the target, itself made read-only; those below it stay as they are.
    RemountInPlace,
    /// What one of the caller's open descriptors refers to: a directory, or a file (`O_PATH` will do).
    BindDescriptor {
        /// The descriptor's number in the calling process.
        descriptor: i32,
        /// Whether mounts below it come along.
        #[serde(default)]
        recursion: Recursion,
    },
    /// A file in memory with this content, bound on the target.
    Data {
        /// The content.
        content: Vec<u8>,
        /// Its permission bits. Default: 0600.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// A directory, made where it is missing, with its parents (0755). Unlike what is made for a mount
    /// it is not removed again: where the target is in a directory of the host, it stays there.
    Directory {
        /// Its permission bits, where it is made. Default: 0755.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// A file with this content, made or overwritten; it stays, like a directory.
    File {
        /// The content.
        content: Vec<u8>,
        /// Its permission bits, where it is made. Default: 0644.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// A symbolic link; it stays, like a directory. One with the same content may be there already.
    Symlink {
        /// Its content.
        #[serde(with = "os_text::path")]
        to: PathBuf,
    },
    /// Other permission bits for what is at the target (chmod(2)).
    Chmod {
        /// The bits.
        mode: u32,
    },
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
    /// It does not, unless the kernel refuses that as it would uncover something: then it does.
    SinglePreferred,
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
    /// A mount of `filesystem` on `target`, which must be absolute. A tree on `/` covers the root.
    pub fn new(target: impl AsRef<OsStr>, filesystem: Filesystem) -> Result<Self, ConfigError> {
        let target = InsidePath::absolute(target, "mount target")?;
        let mut flags = BTreeSet::new();
        if filesystem.is_remount() {
            flags.insert(MountFlag::ReadOnly);
        }
        let (missing, mount_point) = (Missing::Fails, MountPoint::Made);
        let mount = Self { target, filesystem, flags, missing, mount_point };
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

    /// The same mount, or nothing where its source does not exist.
    #[must_use]
    pub fn if_present(mut self) -> Self {
        self.missing = Missing::IsFine;
        self
    }

    /// The same mount, on a target that has to be there.
    #[must_use]
    pub fn on_existing(mut self) -> Self {
        self.mount_point = MountPoint::Required;
        self
    }

    /// The same mount with one more restriction.
    #[must_use]
    pub fn with(mut self, flag: MountFlag) -> Self {
        self.flags.insert(flag);
        self
    }

    pub(crate) fn validate(&self, field: &Field) -> Result<(), ConfigError> {
        let part = |name: &str| Field::new(format!("{field}.{name}"));
        if self.target.is_root() && !self.filesystem.can_be_root() {
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
            Filesystem::Overlay { lower, .. } | Filesystem::TemporaryOverlay { lower }
                if lower.is_empty() =>
            {
                let expected = "an overlay needs at least one lower directory (lowerdir=PATH)";
                Err(ConfigError::Empty { field: part("lower"), expected })
            }
            Filesystem::BindDescriptor { descriptor, .. } if *descriptor < 0 => {
                Err(ConfigError::Invalid {
                    field: part("descriptor"),
                    value: descriptor.to_string().into(),
                    expected: "give the number of an open descriptor".to_owned(),
                })
            }
            remount if remount.is_remount() && !self.flags.contains(&MountFlag::ReadOnly) => {
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
    fn is_remount(&self) -> bool {
        matches!(self, Self::Remount | Self::RemountSingle | Self::RemountInPlace)
    }

    /// Whether it can cover the root, or is about any directory.
    fn can_be_root(&self) -> bool {
        matches!(
            self,
            Self::Bind { .. }
                | Self::BindDescriptor { .. }
                | Self::Tmpfs { .. }
                | Self::Overlay { .. }
                | Self::TemporaryOverlay { .. }
                | Self::RemountInPlace
                | Self::Directory { .. }
                | Self::Chmod { .. }
        )
    }

    /// The host paths that it shows.
    pub fn sources(&self) -> Vec<&Path> {
        match self {
            Self::Bind { source, .. } => vec![source],
            Self::Overlay { lower, upper } => {
                let upper = upper.iter().flat_map(|dirs| [&*dirs.upper, &*dirs.work]);
                lower.iter().map(PathBuf::as_path).chain(upper).collect()
            }
            Self::TemporaryOverlay { lower } => lower.iter().map(PathBuf::as_path).collect(),
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
            Self::Dev | Self::DevWithoutConsole => f.write_str("a minimal /dev"),
            Self::Sysfs => f.write_str("sysfs"),
            Self::Mqueue => f.write_str("mqueue"),
            Self::Overlay { .. } => f.write_str("overlay"),
            Self::TemporaryOverlay { .. } => f.write_str("temporary overlay"),
            Self::Remount | Self::RemountSingle => f.write_str("remount"),
            Self::RemountInPlace => f.write_str("remount in place"),
            Self::BindDescriptor { descriptor, .. } => write!(f, "descriptor {descriptor}"),
            Self::Data { content, .. } => write!(f, "{} bytes", content.len()),
            Self::Directory { .. } => f.write_str("directory"),
            Self::File { content, .. } => write!(f, "file of {} bytes", content.len()),
            Self::Symlink { to } => write!(f, "link to {}", to.display()),
            Self::Chmod { mode } => write!(f, "mode {mode:04o}"),
        }
    }
}
