//! Removing a tree: all of it, and nothing else.

use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode};
use rustix::io::Errno;

use super::beneath::{self, Identity, Obstacle};
use super::error::{Left, RemoveError, Step};

/// How many directories are open at once. Those above them are opened again on the way back.
const OPEN: usize = 32;
/// How often a directory is read again that is not empty after all has been removed from it: others may
/// write there, and some file systems skip entries while others are removed.
const READS: u32 = 16;
/// How often all begins anew because a directory was moved out of the tree while it was worked on.
const STARTS: u32 = 4;

/// Removes a file or a whole tree. What is gone already is no error, nor is a tree that never was.
///
/// Symbolic links are removed, never followed. Nothing is removed from what is mounted in the tree, be it
/// the same file system: it is [left](Left::Mount). Directories that the caller owns are made writable
/// first. After an error it goes on, to remove what it can. Memory grows with the depth of the tree only.
///
/// # Errors
/// What is left. Its paths begin with `name`. A name that is no plain one is EINVAL.
pub fn remove_tree(parent: impl AsFd, name: impl AsRef<OsStr>) -> Result<(), RemoveError> {
    remove_until(parent.as_fd(), name.as_ref(), None)
}

/// The same; what is not reached by then is [`Left::Late`].
pub(super) fn remove_until(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    until: Option<Instant>,
) -> Result<(), RemoveError> {
    let mut walk = Walk { parent, until, frames: Vec::new(), first: None, count: 0 };
    match plain(name) {
        Some(name) => walk.run(&name),
        None => walk.note(Left::Call {
            step: Step::Remove,
            path: PathBuf::from(name),
            source: Errno::INVAL.into(),
        }),
    }
    walk.first.map_or(Ok(()), |first| Err(RemoveError { first, count: walk.count }))
}

/// A name that leads nowhere but to an entry of its directory.
fn plain(name: &OsStr) -> Option<CString> {
    let bytes = name.as_bytes();
    let elsewhere = matches!(bytes, b"" | b"." | b"..") || bytes.contains(&b'/');
    if elsewhere { None } else { CString::new(bytes).ok() }
}

struct Walk<'a> {
    parent: BorrowedFd<'a>,
    until: Option<Instant>,
    /// From the tree's top down to the directory that is being emptied.
    frames: Vec<Frame>,
    first: Option<Left>,
    count: u64,
}

/// A directory on the way down.
struct Frame {
    name: CString,
    identity: Identity,
    /// `None` where too many others are open below it.
    stream: Option<Dir>,
    /// What could not be removed from it, and need not be tried again.
    left: HashSet<CString>,
    reads: u32,
}

/// Why a walk ends early.
enum Stop {
    Moved,
    Late,
}

impl Walk<'_> {
    fn run(&mut self, name: &CStr) {
        for start in 1..=STARTS {
            match self.walk(name) {
                Ok(()) => return,
                Err(Stop::Late) => return self.note(Left::Late { path: self.path(None) }),
                Err(Stop::Moved) if start == STARTS => {
                    return self.note(Left::Moved { path: self.path(None) });
                }
                Err(Stop::Moved) => {
                    self.frames.clear();
                    (self.first, self.count) = (None, 0);
                }
            }
        }
    }

    fn walk(&mut self, name: &CStr) -> Result<(), Stop> {
        self.remove(name, FileType::Unknown);
        while let Some(frame) = self.frames.last_mut() {
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return Err(Stop::Late);
            }
            match frame.stream.as_mut().and_then(Dir::read) {
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    if name != c"." && name != c".." && !frame.left.contains(name) {
                        self.remove(name, entry.file_type());
                    }
                }
                // The stream ends with the error.
                Some(Err(error)) => self.fail(Step::List, c".", error),
                None => self.leave()?,
            }
        }
        Ok(())
    }

    /// The directory that is being emptied, or the one that the tree is in.
    fn here(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.frames.last().map_or(Ok(self.parent), Frame::fd)
    }

    fn unlink(&self, name: &CStr, flags: AtFlags) -> Result<(), Errno> {
        fs::unlinkat(self.here()?, name, flags)
    }

    fn kind(&self, name: &CStr) -> Result<FileType, Errno> {
        let stat = fs::statat(self.here()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    fn enter(&mut self, name: &CStr) -> Result<Frame, Errno> {
        loop {
            match beneath::enter(self.here()?, name).and_then(|fd| Frame::new(name, fd)) {
                // The caller may have few descriptors, or need them.
                Err(Errno::MFILE | Errno::NFILE) if self.close_one() => {}
                entered => return entered,
            }
        }
    }

    /// Closes the highest directory that is open, other than the one that is being emptied.
    fn close_one(&mut self) -> bool {
        let above = self.frames.split_last_mut().map(|(_, above)| above);
        let mut streams = above.into_iter().flatten().map(|frame| &mut frame.stream);
        streams.find(|stream| stream.is_some()).is_some_and(|stream| stream.take().is_some())
    }

    /// Removes an entry of the directory, or if it is one itself goes down to it.
    fn remove(&mut self, name: &CStr, kind: FileType) {
        let kind = match kind {
            FileType::Unknown => match self.kind(name) {
                Ok(kind) => kind,
                Err(Errno::NOENT) => return,
                Err(error) => return self.fail(Step::Inspect, name, error),
            },
            known => known,
        };
        if kind == FileType::Directory {
            return self.descend(name);
        }
        match self.unlink(name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => self.descend(name),
            Err(error) => self.fail(Step::Remove, name, error),
        }
    }

    fn descend(&mut self, name: &CStr) {
        match self.enter(name) {
            Ok(frame) => self.frames.push(frame),
            Err(Errno::NOENT) => return,
            Err(Errno::XDEV) => return self.fail(Step::Open, name, Errno::XDEV),
            Err(error) => {
                // An empty one need not be readable, and what is no directory any more is a file.
                let empty = self.unlink(name, AtFlags::REMOVEDIR).is_ok();
                if !empty && self.unlink(name, AtFlags::empty()).is_err() {
                    self.fail(Step::Open, name, error);
                }
                return;
            }
        }
        let above = self.frames.len().checked_sub(OPEN + 1);
        if let Some(frame) = above.and_then(|index| self.frames.get_mut(index)) {
            frame.stream = None;
        }
    }

    /// Goes back up from a directory in which nothing is left to do, and removes it if it is empty.
    fn leave(&mut self) -> Result<(), Stop> {
        self.open_above()?;
        let Some(mut frame) = self.frames.pop() else { return Ok(()) };
        if !frame.left.is_empty() {
            if let Some(above) = self.frames.last_mut() {
                above.left.insert(frame.name);
            }
            return Ok(());
        }
        match self.unlink(&frame.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if frame.reads < READS => {
                frame.reads += 1;
                if let Some(stream) = &mut frame.stream {
                    stream.rewind();
                }
                self.frames.push(frame);
            }
            Err(error) => self.fail(Step::Remove, &frame.name, error),
        }
        Ok(())
    }

    /// Sees to it that the directory above the one that is being emptied is open.
    fn open_above(&mut self) -> Result<(), Stop> {
        let [.., above, frame] = self.frames.as_mut_slice() else { return Ok(()) };
        if above.stream.is_some() {
            return Ok(());
        }
        let opened = frame.fd().and_then(|fd| beneath::enter(fd, c".."));
        let opened = opened.and_then(|fd| Ok((Identity::of_fd(&fd)?, Dir::new(fd)?)));
        match opened {
            Ok((identity, stream)) if identity == above.identity => {
                above.stream = Some(stream);
                Ok(())
            }
            _ => Err(Stop::Moved),
        }
    }

    /// What was being done to an entry of the directory has failed: it will be left.
    fn fail(&mut self, step: Step, name: &CStr, error: Errno) {
        let path = self.path(Some(name));
        let is = |name: &CStr, obstacle| {
            self.here().is_ok_and(|here| beneath::obstacle(here, name) == obstacle)
        };
        let immutable = || is(name, Obstacle::Immutable) || is(c"", Obstacle::Immutable);
        let left = match error {
            Errno::XDEV => Left::Mount { path },
            Errno::BUSY if is(name, Obstacle::Mount) => Left::Mount { path },
            Errno::PERM if immutable() => Left::Immutable { path },
            error => Left::Call { step, path, source: error.into() },
        };
        self.note(left);
        if let Some(frame) = self.frames.last_mut() {
            frame.left.insert(name.to_owned());
        }
    }

    fn note(&mut self, left: Left) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert(left);
    }

    /// The path of an entry of the directory, or of the directory itself.
    fn path(&self, name: Option<&CStr>) -> PathBuf {
        let names = self.frames.iter().map(|frame| frame.name.as_c_str()).chain(name);
        names.filter(|name| *name != c".").map(|name| OsStr::from_bytes(name.to_bytes())).collect()
    }
}

impl Frame {
    fn new(name: &CStr, fd: OwnedFd) -> Result<Self, Errno> {
        let stat = fs::fstat(&fd)?;
        if !Mode::from_raw_mode(stat.st_mode).contains(Mode::RWXU) {
            // If it cannot be had, what needs it says so.
            let _ = fs::fchmod(&fd, Mode::RWXU);
        }
        Ok(Self {
            name: name.to_owned(),
            identity: Identity::of(&stat),
            stream: Some(Dir::new(fd)?),
            left: HashSet::new(),
            reads: 0,
        })
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.stream.as_ref().ok_or(Errno::BADF)?.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_taken() {
        for name in ["", ".", "..", "a/b", "/", "a\0b"] {
            assert_eq!(plain(OsStr::new(name)), None, "{name:?}");
        }
        for name in ["a", "...", " ", "a\n"] {
            assert!(plain(OsStr::new(name)).is_some(), "{name:?}");
        }
    }
}
