//! Extra mounts: what is mounted where in the sandbox, in structured form and as fstab(5) text.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, Field};
use crate::os_text::{self, has_nul};
use crate::path::InsidePath;

/// One mount of the sandbox. The list of them is ordered: they are made in order, and a later one
/// covers an earlier one at or above its target.
///
/// A missing target is made (a directory, or an empty file for the bind of a file) and removed again
/// when the sandbox has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Mount {
    /// Where, inside the sandbox.
    pub target: InsidePath,
    /// What.
    pub filesystem: Filesystem,
    /// Per-mount restrictions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<MountFlag>,
}

/// What a [`Mount`] shows at its target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
        /// The permission bits of its root directory; default 0755 (1777 from text for `/tmp`-like use).
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
    /// What is at the target already, mounted once more onto itself: for making it read-only.
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
        let mount = Self { target, filesystem, flags: BTreeSet::new() };
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

    /// A mount from the fields of fstab(5): source, target, type, and options separated by commas.
    ///
    /// Types: `proc`, `tmpfs`, `sysfs`, `mqueue`, `overlay`, `dev` (the minimal `/dev`), and `none` or
    /// nothing with the option `bind`, `rbind` or `remount`.
    pub fn from_fields(
        source: &OsStr,
        target: &OsStr,
        kind: &OsStr,
        options: &OsStr,
    ) -> Result<Self, ConfigError> {
        let mut parsed = Options::parse(options)?;
        let filesystem = parsed.filesystem(source, kind)?;
        parsed.finish(kind)?;
        let mut mount = Self::new(target, filesystem)?;
        mount.flags = parsed.flags;
        mount.validate(&"mount".into()).map(|()| mount)
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

/// One line of fstab(5): four fields separated by blanks, `\040` for a blank in a field, `\134` for `\`.
impl FromStr for Mount {
    type Err = ConfigError;

    fn from_str(line: &str) -> Result<Self, ConfigError> {
        let fields: Vec<OsString> = line.split_whitespace().map(unescape).collect();
        let (source, target, kind, options) = match fields.as_slice() {
            // The fifth and sixth field, dump and pass, mean nothing here.
            [source, target, kind] => (source, target, kind, OsString::new()),
            [source, target, kind, options, ..] if fields.len() <= 6 => {
                (source, target, kind, options.clone())
            }
            _ => {
                let expected = "give SOURCE TARGET TYPE [OPTIONS], as in fstab(5)".to_owned();
                return Err(ConfigError::Invalid {
                    field: "mount".into(),
                    value: line.into(),
                    expected,
                });
            }
        };
        Self::from_fields(source, target, kind, &options)
    }
}

/// Undoes fstab's escapes: a backslash and three octal digits stand for a byte.
fn unescape(field: &str) -> OsString {
    let mut bytes = field.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let escaped = match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        plain.push(escaped.unwrap_or(*first));
        bytes = if escaped.is_some() { &rest[3..] } else { rest };
    }
    OsString::from_vec(plain)
}

/// Mount options, taken apart: flags that any type has, and the rest, which the type consumes.
struct Options {
    flags: BTreeSet<MountFlag>,
    rest: Vec<(String, Option<OsString>)>,
}

impl Options {
    fn parse(text: &OsStr) -> Result<Self, ConfigError> {
        let mut options = Self { flags: BTreeSet::new(), rest: Vec::new() };
        for word in text.as_bytes().split(|byte| *byte == b',').filter(|word| !word.is_empty()) {
            let (name, value) = match word.iter().position(|byte| *byte == b'=') {
                Some(at) => (&word[..at], Some(OsStr::from_bytes(&word[at + 1..]).to_owned())),
                None => (word, None),
            };
            let Ok(name) = std::str::from_utf8(name) else {
                return Err(invalid("options", OsStr::from_bytes(word), "options are text"));
            };
            let flags = &mut options.flags;
            let _ = match (name, &value) {
                ("ro", None) => flags.insert(MountFlag::ReadOnly),
                ("rw", None) => flags.remove(&MountFlag::ReadOnly),
                ("nosuid", None) => flags.insert(MountFlag::NoSuid),
                ("suid", None) => flags.remove(&MountFlag::NoSuid),
                ("nodev", None) => flags.insert(MountFlag::NoDev),
                ("dev", None) => flags.remove(&MountFlag::NoDev),
                ("noexec", None) => flags.insert(MountFlag::NoExec),
                ("exec", None) => flags.remove(&MountFlag::NoExec),
                ("defaults", None) => true,
                _ => {
                    options.rest.push((name.to_owned(), value));
                    true
                }
            };
        }
        Ok(options)
    }

    fn filesystem(&mut self, source: &OsStr, kind: &OsStr) -> Result<Filesystem, ConfigError> {
        Ok(match kind.to_str() {
            Some("proc") => Filesystem::Proc,
            Some("sysfs") => Filesystem::Sysfs,
            Some("mqueue") => Filesystem::Mqueue,
            Some("dev") => Filesystem::Dev,
            Some("tmpfs") => {
                let size = self.value("size").map(|size| parse_size(&size)).transpose()?;
                let mode = self.value("mode").map(|mode| parse_mode(&mode)).transpose()?;
                Filesystem::Tmpfs { size, mode }
            }
            Some("overlay") => self.overlay()?,
            Some("" | "none" | "bind") => self.bind(source, kind)?,
            _ => {
                let expected = "types are proc, tmpfs, dev, sysfs, mqueue, overlay, and none with the \
                                option bind, rbind or remount";
                return Err(invalid("type", kind, expected));
            }
        })
    }

    fn bind(&mut self, source: &OsStr, kind: &OsStr) -> Result<Filesystem, ConfigError> {
        let mut flag = |name: &str| -> Result<Option<()>, ConfigError> {
            match self.value(name) {
                None => Ok(None),
                Some(value) if value.is_empty() => Ok(Some(())),
                Some(value) => Err(invalid("options", &value, "this option takes no value")),
            }
        };
        let (bind, rbind, remount) = (flag("bind")?, flag("rbind")?, flag("remount")?);
        if remount.is_some() {
            return Ok(Filesystem::Remount);
        }
        let recursion = match (rbind, bind) {
            (Some(()), _) => Recursion::Recursive,
            (None, Some(())) => Recursion::Single,
            (None, None) => {
                let expected = "this type needs the option bind, rbind or remount";
                return Err(invalid("type", kind, expected));
            }
        };
        Ok(Filesystem::Bind { source: source.into(), recursion })
    }

    fn overlay(&mut self) -> Result<Filesystem, ConfigError> {
        let lower = self.value("lowerdir").unwrap_or_default();
        let lower = lower.as_bytes().split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
        let lower = lower.map(|dir| PathBuf::from(OsStr::from_bytes(dir))).collect();
        let upper = match (self.value("upperdir"), self.value("workdir")) {
            (Some(upper), Some(work)) => {
                Some(OverlayUpper { upper: upper.into(), work: work.into() })
            }
            (None, None) => None,
            (Some(dir), None) | (None, Some(dir)) => {
                return Err(invalid("options", &dir, "upperdir and workdir come together"));
            }
        };
        Ok(Filesystem::Overlay { lower, upper })
    }

    /// Takes an option out; the last of several wins. An option without a value gives an empty one.
    fn value(&mut self, name: &str) -> Option<OsString> {
        let mut found = None;
        self.rest.retain(|(other, value)| {
            let same = other == name;
            if same {
                found = Some(value.clone().unwrap_or_default());
            }
            !same
        });
        found
    }

    /// Refuses what the type did not consume.
    fn finish(&self, kind: &OsStr) -> Result<(), ConfigError> {
        match self.rest.first() {
            None => Ok(()),
            Some((name, _)) => {
                let kind = kind.display();
                Err(invalid("options", name.as_ref(), &format!("type `{kind}` has no such option")))
            }
        }
    }
}

fn parse_size(text: &OsStr) -> Result<u64, ConfigError> {
    let fail = || invalid("size", text, "give bytes, with k, m or g for powers of 1024");
    let text = text.to_str().ok_or_else(fail)?;
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    // Zero would mean "no limit" to tmpfs(5): say that by leaving the option out.
    let size = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    size.filter(|size| *size > 0).ok_or_else(fail)
}

fn parse_mode(text: &OsStr) -> Result<u32, ConfigError> {
    let mode = text.to_str().and_then(|text| u32::from_str_radix(text, 8).ok());
    let fail = || invalid("mode", text, "give permission bits in octal, such as 1777");
    mode.filter(|mode| *mode <= 0o7777).ok_or_else(fail)
}

fn invalid(part: &str, value: &OsStr, expected: &str) -> ConfigError {
    let field = Field::new(format!("mount {part}"));
    ConfigError::Invalid { field, value: value.to_owned(), expected: expected.to_owned() }
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
