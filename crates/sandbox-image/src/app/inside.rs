//! Looks things up in an unpacked root, as its processes will see it: links are followed inside, and
//! nothing leads out.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use sandbox_core::InsidePath;

use super::error::AppError;

/// As many links as the kernel follows on one path (path_resolution(7)).
const MOST_LINKS: u32 = 40;
/// Of directories that are made.
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);
/// A file of the image's that is read: `/etc/passwd` of a large site is far below this.
const LARGEST_FILE: u64 = 8 << 20;

/// Where the files of an app are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootSource {
    /// A directory that is this run's own. Places for volumes are made in it.
    Directory(PathBuf),
    /// A directory that others share, with this run's changes in another one (the kernel's overlayfs).
    Overlay {
        /// What is shared; nothing is changed there.
        lower: PathBuf,
        /// Where changes go.
        upper: PathBuf,
        /// An empty directory on the same file system.
        work: PathBuf,
    },
    /// A directory that others share, with changes that are kept in memory and end with each process.
    TemporaryOverlay {
        /// What is shared.
        lower: PathBuf,
    },
}

impl RootSource {
    /// The directory that the image was unpacked to.
    pub fn unpacked(&self) -> &Path {
        match self {
            Self::Directory(path) => path,
            Self::Overlay { lower, .. } | Self::TemporaryOverlay { lower } => lower,
        }
    }
}

/// An unpacked root, held open.
#[derive(Debug)]
pub struct RootDirectory {
    source: RootSource,
    directory: OwnedFd,
}

impl RootDirectory {
    /// Opens one.
    ///
    /// # Errors
    /// It is missing, no directory, or cannot be searched.
    pub fn open(source: RootSource) -> io::Result<Self> {
        // The caller's own path may well lead through links.
        let flags = search().difference(OFlags::NOFOLLOW);
        let directory = rustix::fs::open(source.unpacked(), flags, Mode::empty())?;
        Ok(Self { source, directory })
    }

    /// One that is open already: `directory` is that of [`RootSource::unpacked`].
    pub fn new(source: RootSource, directory: OwnedFd) -> Self {
        Self { source, directory }
    }

    /// Where its files are.
    pub fn source(&self) -> &RootSource {
        &self.source
    }

    /// What is at a path, through links on the way and at its end.
    pub(super) fn find(&self, path: &InsidePath) -> Result<Found, AppError> {
        self.walk(path, Links::Followed).map_err(error_at(path))
    }

    /// What is at a path itself, be it a link.
    pub(super) fn stat(&self, path: &InsidePath) -> Result<Option<Stat>, AppError> {
        let stat = |found: Found| match found.node {
            Node::Directory(directory) => rustix::fs::fstat(directory).map(Some),
            Node::Other { parent, name } => {
                rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map(Some)
            }
            Node::Missing { .. } => Ok(None),
        };
        let found = self.walk(path, Links::Kept).map_err(error_at(path))?;
        stat(found).map_err(|errno| error_at(path)(errno.into()))
    }

    /// The content of a file; nothing where there is none.
    pub(super) fn read(&self, path: &InsidePath) -> Result<Vec<u8>, AppError> {
        match self.find(path)?.node {
            Node::Missing { .. } => Ok(Vec::new()),
            Node::Directory(_) => Err(error_at(path)(Errno::ISDIR.into())),
            Node::Other { parent, name } => read(&parent, &name).map_err(error_at(path)),
        }
    }

    /// Goes by one component after the other, each by the descriptor of the one before.
    fn walk(&self, path: &InsidePath, at_end: Links) -> io::Result<Found> {
        let mut above: Vec<(OsString, OwnedFd)> = Vec::new();
        let mut ahead: VecDeque<OsString> = path.components().map(OsStr::to_owned).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                above.pop();
                continue;
            }
            let parent = above.last().map_or(&self.directory, |(_, directory)| directory);
            let stat = match rustix::fs::statat(parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => {
                    ahead.push_front(name);
                    return missing(parent.as_fd().try_clone_to_owned()?, &above, ahead.into());
                }
                Err(errno) => return Err(errno.into()),
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let directory = rustix::fs::openat(parent, &name, search(), Mode::empty())?;
                    above.push((name, directory));
                }
                FileType::Symlink if !ahead.is_empty() || at_end == Links::Followed => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = rustix::fs::readlinkat(parent, &name, Vec::new())?.into_bytes();
                    if target.starts_with(b"/") {
                        above.clear();
                    }
                    for part in components(&target).rev() {
                        ahead.push_front(part);
                    }
                }
                _ if ahead.is_empty() => {
                    let parent = parent.as_fd().try_clone_to_owned()?;
                    let real = inside(above.iter().map(|(name, _)| name).chain([&name]));
                    return Ok(Found { real, node: Node::Other { parent, name } });
                }
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        let real = inside(above.iter().map(|(name, _)| name));
        let directory = match above.pop() {
            Some((_, directory)) => directory,
            None => self.directory.try_clone()?,
        };
        Ok(Found { real, node: Node::Directory(directory) })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Followed,
    Kept,
}

/// What is at a path.
#[derive(Debug)]
pub(super) struct Found {
    /// The path to it without links and `..`.
    pub(super) real: InsidePath,
    pub(super) node: Node,
}

#[derive(Debug)]
pub(super) enum Node {
    Directory(OwnedFd),
    /// Not a directory.
    Other {
        parent: OwnedFd,
        name: OsString,
    },
    /// Nothing; these are missing.
    Missing {
        parent: OwnedFd,
        names: Vec<OsString>,
    },
}

fn missing(
    parent: OwnedFd,
    above: &[(OsString, OwnedFd)],
    names: Vec<OsString>,
) -> io::Result<Found> {
    // Where that leads cannot be said, as for the kernel.
    if names.iter().any(|name| name == "..") {
        return Err(Errno::NOENT.into());
    }
    let real = inside(above.iter().map(|(name, _)| name).chain(&names));
    Ok(Found { real, node: Node::Missing { parent, names } })
}

fn error_at(path: &InsidePath) -> impl FnOnce(io::Error) -> AppError {
    |source| AppError::Inside { path: path.clone(), source }
}

/// Opens a directory, as far as it needs to be to look up what is in it.
fn search() -> OFlags {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    let flags = flags | OFlags::PATH;
    flags
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = OsString> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(part, [] | [b'.']));
    parts.map(|part| OsStr::from_bytes(part).to_owned())
}

/// A path of names that the file system has, so that they are not empty and without NUL.
fn inside<'a>(names: impl IntoIterator<Item = &'a OsString>) -> InsidePath {
    let mut path = b"/".to_vec();
    for name in names {
        path.extend_from_slice(name.as_bytes());
        path.push(b'/');
    }
    InsidePath::from_root(OsString::from_vec(path), "path").unwrap_or_else(|_| InsidePath::root())
}

fn read(parent: &OwnedFd, name: &OsStr) -> io::Result<Vec<u8>> {
    // A FIFO would wait for a writer, and a terminal become ours.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|size| size > LARGEST_FILE) {
        return Err(io::Error::other(format!("it has more than {LARGEST_FILE} bytes")));
    }
    Ok(content)
}

/// Makes directories one in the other: 0755 whatever the umask, and user 0's where the caller is.
pub(super) fn make_directories(mut parent: OwnedFd, names: &[OsString]) -> io::Result<()> {
    for name in names {
        rustix::fs::mkdirat(&parent, name, DIRECTORY_MODE)?;
        rustix::fs::chmodat(&parent, name, DIRECTORY_MODE, AtFlags::empty())?;
        give_to_root(&parent, name)?;
        parent = rustix::fs::openat(&parent, name, search(), Mode::empty())?;
    }
    Ok(())
}

/// Makes an empty file, in directories that are made as well.
pub(super) fn make_file(mut parent: OwnedFd, names: &[OsString]) -> io::Result<()> {
    let Some((file, directories)) = names.split_last() else { return Ok(()) };
    for name in directories {
        let above = parent.try_clone()?;
        make_directories(above, std::slice::from_ref(name))?;
        parent = rustix::fs::openat(&parent, name, search(), Mode::empty())?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::openat(&parent, file, flags, Mode::from_raw_mode(0o644))?;
    give_to_root(&parent, file)
}

fn give_to_root(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (Some(Uid::ROOT), Some(Gid::ROOT));
    Ok(rustix::fs::chownat(parent, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Puts an empty directory in the place of a file.
pub(super) fn replace_by_directory(parent: OwnedFd, name: &OsString) -> io::Result<()> {
    rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
    make_directories(parent, std::slice::from_ref(name))
}

/// Whether there is anything in a directory.
pub(super) fn is_empty(directory: &OwnedFd) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    for entry in Dir::new(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
