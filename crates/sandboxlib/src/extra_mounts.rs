//! Extra mounts as the original takes them: tuples of the fields of fstab(5).

use std::ffi::{OsStr, OsString};
use std::fmt;

use sandbox_core::{ConfigError, InsidePath, Mount};

/// One extra mount: source, target, type and options, as in fstab(5). Where the original takes `None`,
/// the field is empty.
///
/// ```
/// use sandboxlib::MountEntry;
///
/// let three = MountEntry::from(("proc", "/proc", "proc"));
/// let four = MountEntry::from(("/var/cache/ccache", "/tmp/ccache", "", "bind"));
/// assert_eq!((three.options, four.options), ("".into(), "bind".into()));
/// ```
///
/// The types are those of [`Mount::from_fields`]: `proc`, `tmpfs`, `sysfs`, `mqueue`, `overlay`, `dev`
/// (the minimal `/dev`), and none with the option `bind`, `rbind` or `remount,ro`. What a backend does
/// not mount is refused by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct MountEntry {
    /// What is mounted: a path of the host for a bind, else a name that nobody reads.
    pub source: OsString,
    /// Where, inside the sandbox; a relative path is taken from its root. Made where it is missing, and
    /// removed again at the end.
    pub target: OsString,
    /// The type of file system; empty for `bind` and `remount`.
    pub kind: OsString,
    /// Options, separated by commas.
    pub options: OsString,
}

impl MountEntry {
    /// The typed mount that these fields mean.
    fn mount(&self) -> Result<Mount, ConfigError> {
        let target = InsidePath::from_root(&self.target, "mount target")?;
        Mount::from_fields(&self.source, target.as_os_str(), &self.kind, &self.options)
    }
}

impl fmt::Display for MountEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, target, kind, options } = self;
        let fields = [source, target, kind, options];
        fields.into_iter().fold(&mut f.debug_tuple(""), |tuple, field| tuple.field(field)).finish()
    }
}

impl<S, T, K> From<(S, T, K)> for MountEntry
where
    S: AsRef<OsStr>,
    T: AsRef<OsStr>,
    K: AsRef<OsStr>,
{
    fn from((source, target, kind): (S, T, K)) -> Self {
        (source, target, kind, "").into()
    }
}

impl<S, T, K, O> From<(S, T, K, O)> for MountEntry
where
    S: AsRef<OsStr>,
    T: AsRef<OsStr>,
    K: AsRef<OsStr>,
    O: AsRef<OsStr>,
{
    fn from((source, target, kind, options): (S, T, K, O)) -> Self {
        Self {
            source: source.as_ref().to_owned(),
            target: target.as_ref().to_owned(),
            kind: kind.as_ref().to_owned(),
            options: options.as_ref().to_owned(),
        }
    }
}

/// A mount entry that means nothing: which one, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("extra_mounts[{index}] {entry}: {source}")]
#[non_exhaustive]
pub struct InvalidMountEntry {
    /// Its place in the list, from 0.
    pub index: usize,
    /// The entry as it was given.
    pub entry: Box<MountEntry>,
    /// The field that is not valid, and what would work.
    pub source: ConfigError,
}

/// The mounts that these entries mean, in their order, each once for each time that it is listed.
///
/// # Errors
/// The first entry that means nothing: no target, an unknown type or option, a bind without a source.
pub fn validate_extra_mounts(entries: &[MountEntry]) -> Result<Vec<Mount>, InvalidMountEntry> {
    let mounts = entries.iter().enumerate().map(|(index, entry)| {
        entry.mount().map_err(|source| InvalidMountEntry {
            index,
            entry: Box::new(entry.clone()),
            source,
        })
    });
    mounts.collect()
}
