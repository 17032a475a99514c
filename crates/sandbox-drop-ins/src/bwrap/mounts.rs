//! The options that mount or make something, and those that the next of them takes up.

use std::ffi::OsString;
use std::path::PathBuf;
use std::vec::IntoIter;

use sandbox_core::{Field, Filesystem, InsidePath, Mount, MountFlag, OverlayUpper, Recursion};

use super::error::BwrapError;
use super::numbers::{descriptor, mode, size};
use super::options::{Spec, Word};
use super::request::Operation;

const DEVICES: &[MountFlag] = &[MountFlag::NoSuid];
const PLAIN: &[MountFlag] = &[MountFlag::NoSuid, MountFlag::NoDev];
const READ_ONLY: &[MountFlag] = &[MountFlag::NoSuid, MountFlag::NoDev, MountFlag::ReadOnly];

/// What `--perms`, `--size` and `--overlay-src` have said for the operation that follows.
#[derive(Debug, Default)]
pub(super) struct Pending {
    mode: Option<u32>,
    size: Option<u64>,
    /// In the order of the command line: the lowest first.
    layers: Vec<PathBuf>,
}

impl Pending {
    /// Whether this option may come now.
    pub(super) fn check(&self, next: Word) -> Result<(), BwrapError> {
        use Word::{
            Args, BindData, Dir, File, Overlay, OverlaySrc, Perms, RoBindData, RoOverlay, Size,
            TmpOverlay, Tmpfs,
        };
        let fails = |option, by| Err(BwrapError::NotFollowed { option, by });
        match next {
            Args => Ok(()),
            Perms if self.mode.is_some() => Err(BwrapError::Twice { option: "--perms" }),
            Size if self.size.is_some() => Err(BwrapError::Twice { option: "--size" }),
            _ if self.mode.is_some()
                && !matches!(next, Size | Dir | File | Tmpfs | BindData | RoBindData) =>
            {
                fails("--perms", "--dir, --file, --tmpfs, --bind-data or --ro-bind-data")
            }
            _ if self.size.is_some() && !matches!(next, Perms | Tmpfs) => {
                fails("--size", "--tmpfs")
            }
            _ if !self.layers.is_empty()
                && !matches!(next, OverlaySrc | Overlay | TmpOverlay | RoOverlay) =>
            {
                self.check_end()
            }
            _ => Ok(()),
        }
    }

    /// Whether the options may end now. Permissions or a size for nothing do no harm.
    pub(super) fn check_end(&self) -> Result<(), BwrapError> {
        let by = "another, or by --overlay, --tmp-overlay or --ro-overlay";
        let option = "--overlay-src";
        if self.layers.is_empty() { Ok(()) } else { Err(BwrapError::NotFollowed { option, by }) }
    }

    /// The operations that an option is; `None` where it is not about files.
    pub(super) fn operation(
        &mut self,
        spec: &'static Spec,
        words: &mut IntoIter<OsString>,
    ) -> Result<Option<Vec<Operation>>, BwrapError> {
        let option = spec.name;
        let mut word = || words.next().unwrap_or_default();
        let mut content = None;
        let (filesystem, flags): (_, &[MountFlag]) = match spec.word {
            Word::Perms => {
                self.mode = Some(mode(option, word())?);
                return Ok(Some(Vec::new()));
            }
            Word::Size => {
                self.size = Some(size(option, word())?);
                return Ok(Some(Vec::new()));
            }
            Word::OverlaySrc => {
                self.layers.push(word().into());
                return Ok(Some(Vec::new()));
            }
            Word::Bind | Word::BindTry => (bind(word()), PLAIN),
            Word::DevBind | Word::DevBindTry => (bind(word()), DEVICES),
            Word::RoBind | Word::RoBindTry => (bind(word()), READ_ONLY),
            Word::BindFd => (bind_descriptor(option, word())?, PLAIN),
            Word::RoBindFd => (bind_descriptor(option, word())?, READ_ONLY),
            Word::RemountRo => (Filesystem::RemountInPlace, &[MountFlag::ReadOnly]),
            Word::Overlay | Word::TmpOverlay | Word::RoOverlay => {
                (self.overlay(spec, &mut word)?, PLAIN)
            }
            Word::Proc => (Filesystem::Proc, &[]),
            Word::Dev => (Filesystem::DevWithoutConsole, &[]),
            Word::Mqueue => (Filesystem::Mqueue, &[]),
            Word::Tmpfs => (Filesystem::Tmpfs { size: self.size.take(), mode: self.mode }, PLAIN),
            Word::Dir => (Filesystem::Directory { mode: self.mode }, &[]),
            Word::File => {
                content = Some((option, descriptor(option, word())?));
                let mode = self.mode.or(Some(0o666));
                (Filesystem::File { content: Vec::new(), mode }, &[])
            }
            Word::BindData | Word::RoBindData => {
                content = Some((option, descriptor(option, word())?));
                let flags = if spec.word == Word::BindData { PLAIN } else { READ_ONLY };
                (Filesystem::Data { content: Vec::new(), mode: self.mode }, flags)
            }
            Word::Symlink => (Filesystem::Symlink { to: word().into() }, &[]),
            Word::Chmod => (Filesystem::Chmod { mode: mode(option, word())? }, &[]),
            _ => return Ok(None),
        };
        let target = InsidePath::from_root(word(), Field::new(format!("{option} DEST")))?;
        let mut operations = self.mode.take().map_or_else(Vec::new, |mode| parents(&target, mode));
        let mut mount = Mount::new(target.as_os_str(), filesystem)?;
        mount.flags.extend(flags);
        if matches!(spec.word, Word::BindTry | Word::DevBindTry | Word::RoBindTry) {
            mount = mount.if_present();
        }
        operations.push(Operation { mount, content });
        Ok(Some(operations))
    }

    fn overlay(
        &mut self,
        spec: &'static Spec,
        word: &mut impl FnMut() -> OsString,
    ) -> Result<Filesystem, BwrapError> {
        let (least, needs) = match spec.word {
            Word::RoOverlay => (2, "at least two --overlay-src before it"),
            _ => (1, "at least one --overlay-src before it"),
        };
        if self.layers.len() < least {
            return Err(BwrapError::Needs { option: spec.name, needs });
        }
        let mut lower = std::mem::take(&mut self.layers);
        lower.reverse();
        Ok(match spec.word {
            Word::TmpOverlay => Filesystem::TemporaryOverlay { lower },
            Word::RoOverlay => Filesystem::Overlay { lower, upper: None },
            _ => {
                let upper = OverlayUpper { upper: word().into(), work: word().into() };
                Filesystem::Overlay { lower, upper: Some(upper) }
            }
        })
    }
}

fn bind(source: OsString) -> Filesystem {
    Filesystem::Bind { source: source.into(), recursion: Recursion::Recursive }
}

fn bind_descriptor(option: &'static str, number: OsString) -> Result<Filesystem, BwrapError> {
    let descriptor = descriptor(option, number)?;
    Ok(Filesystem::BindDescriptor { descriptor, recursion: Recursion::Recursive })
}

/// What permissions that shut out group or others mean for parents that have to be made: these are shut
/// out there, too.
fn parents(target: &InsidePath, mode: u32) -> Vec<Operation> {
    let shut = [0o070, 0o007].into_iter().filter(|bits| mode & bits == 0).sum::<u32>();
    let components: Vec<_> = target.components().collect();
    if shut == 0 || components.iter().any(|part| *part == "..") {
        return Vec::new();
    }
    let mode = Some(0o755 & !shut);
    let mut path = OsString::new();
    let above = components.len().saturating_sub(1);
    let mounts = components.into_iter().take(above).map(|part| {
        path.push("/");
        path.push(part);
        Mount::new(&path, Filesystem::Directory { mode })
    });
    mounts.filter_map(Result::ok).map(|mount| Operation { mount, content: None }).collect()
}
