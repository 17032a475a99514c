//! What openat2(2) does with `RESOLVE_IN_ROOT`, for kernels before Linux 5.6: a path, one name at a time.
//!
//! No name is followed by the kernel: links are read and resolved here, below the root. `..` is a walk from
//! the root again, without the last name: a directory that is moved away meanwhile leads nowhere else. What
//! changes in between is "try again", as openat2(2) has it.

use super::super::word::Word;
use super::files::stat;
use super::{Errno, Fd, call, close, descriptor, text, word};

/// The kernel's limit of links in a path (path_resolution(7)).
const MOST_LINKS: u32 = 40;
const SIZE: usize = libc::PATH_MAX as usize;

/// A path that changes, without its NUL.
struct Path {
    bytes: [u8; SIZE],
    len: usize,
}

impl Path {
    fn of(bytes: &[u8]) -> Result<Self, Errno> {
        let mut path = Self { bytes: [0; SIZE], len: 0 };
        path.push(bytes).map(|()| path)
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, more: &[u8]) -> Result<(), Errno> {
        let end = self.len + more.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(libc::ENAMETOOLONG)?;
        room.copy_from_slice(more);
        self.len = end;
        Ok(())
    }

    /// Takes the last name off. There may be none.
    fn pop(&mut self) {
        self.len = self.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or_default();
    }
}

/// How far a path has been walked.
struct Walk {
    root: Fd,
    /// A descriptor of our own.
    here: Fd,
    /// Where that is below the root: names without links, each after a `/`.
    names: Path,
}

/// Opens a path below `root`, as openat2(2) with `RESOLVE_IN_ROOT`.
pub(super) fn open(root: Fd, path: &[u8], flags: i32, mode: u32) -> Result<Fd, Errno> {
    if path.is_empty() {
        return Err(libc::ENOENT);
    }
    let here = one(root, b".", libc::O_PATH | libc::O_DIRECTORY, 0)?;
    let mut walk = Walk { root, here, names: Path::of(b"")? };
    let done = walk.all(path, flags, mode);
    close(walk.here);
    done
}

impl Walk {
    fn all(&mut self, path: &[u8], flags: i32, mode: u32) -> Result<Fd, Errno> {
        let mut rest = Path::of(path)?;
        let mut links = 0;
        loop {
            let bytes = rest.as_bytes();
            let start = bytes.iter().position(|byte| *byte != b'/').unwrap_or(bytes.len());
            let bytes = bytes.get(start..).unwrap_or_default();
            let end = bytes.iter().position(|byte| *byte == b'/').unwrap_or(bytes.len());
            let (name, after) = bytes.split_at_checked(end).unwrap_or_default();
            let is_last = after.iter().all(|byte| *byte == b'/');
            match name {
                b"" => return one(self.here, b".", flags & !libc::O_NOFOLLOW, mode),
                b"." => {}
                b".." => self.up()?,
                _ => {
                    let directory = if after.is_empty() { 0 } else { libc::O_DIRECTORY };
                    let last = is_last.then_some((flags | directory, mode));
                    match self.step(name, last)? {
                        Step::Opened(fd) => return Ok(fd),
                        Step::Entered => {}
                        Step::Link(mut to) => {
                            links += 1;
                            if links > MOST_LINKS {
                                return Err(libc::ELOOP);
                            }
                            if to.as_bytes().first() == Some(&b'/') {
                                self.restart()?;
                            }
                            to.push(after)?;
                            rest = to;
                            continue;
                        }
                    }
                }
            }
            rest = Path::of(after)?;
        }
    }

    /// One name, which is none of the special ones. `last` is what the end of the path is opened with.
    fn step(&mut self, name: &[u8], last: Option<(i32, u32)>) -> Result<Step, Errno> {
        let found = one(self.here, name, libc::O_PATH | libc::O_NOFOLLOW, 0);
        let fd = match (found, last) {
            (Err(libc::ENOENT), Some((flags, mode))) if flags & libc::O_CREAT != 0 => {
                return self.open_last(name, flags, mode).map(Step::Opened);
            }
            (found, _) => found?,
        };
        let done = self.enter(fd, name, last);
        match &done {
            Ok(Step::Entered) => {}
            Ok(Step::Opened(opened)) if *opened == fd => {}
            _ => close(fd),
        }
        done
    }

    /// The same, where there is something, which `fd` refers to.
    fn enter(&mut self, fd: Fd, name: &[u8], last: Option<(i32, u32)>) -> Result<Step, Errno> {
        let kind = stat(fd)?.kind;
        let keeps_link = |flags| flags & libc::O_NOFOLLOW != 0 && flags & libc::O_DIRECTORY == 0;
        if kind == libc::S_IFLNK && !last.is_some_and(|(flags, _)| keeps_link(flags)) {
            return read_link(fd).map(Step::Link);
        }
        match last {
            Some((flags, _)) if flags & libc::O_DIRECTORY != 0 && kind != libc::S_IFDIR => {
                Err(libc::ENOTDIR)
            }
            Some((flags, _)) if flags & libc::O_PATH != 0 => Ok(Step::Opened(fd)),
            Some((flags, mode)) => self.open_last(name, flags, mode).map(Step::Opened),
            None if kind != libc::S_IFDIR => Err(libc::ENOTDIR),
            None => {
                self.names.push(b"/")?;
                self.names.push(name)?;
                close(core::mem::replace(&mut self.here, fd));
                Ok(Step::Entered)
            }
        }
    }

    fn open_last(&self, name: &[u8], flags: i32, mode: u32) -> Result<Fd, Errno> {
        match one(self.here, name, flags | libc::O_NOFOLLOW, mode) {
            // It has become a link.
            Err(libc::ELOOP) if flags & libc::O_NOFOLLOW == 0 => Err(libc::EAGAIN),
            done => done,
        }
    }

    fn restart(&mut self) -> Result<(), Errno> {
        let root = one(self.root, b".", libc::O_PATH | libc::O_DIRECTORY, 0)?;
        close(core::mem::replace(&mut self.here, root));
        self.names.len = 0;
        Ok(())
    }

    /// `..`; of the root, the root.
    fn up(&mut self) -> Result<(), Errno> {
        self.names.pop();
        let names = Path::of(self.names.as_bytes())?;
        self.restart()?;
        for name in names.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            match self.step(name, None)? {
                Step::Entered => {}
                // It was a directory before.
                Step::Link(_) | Step::Opened(_) => return Err(libc::EAGAIN),
            }
        }
        Ok(())
    }
}

#[allow(clippy::large_enum_variant, reason = "nothing is allocated here")]
enum Step {
    /// The end of the path.
    Opened(Fd),
    /// A directory on the way.
    Entered,
    /// A link, with what it says.
    Link(Path),
}

/// openat(2) of one name.
fn one(directory: Fd, name: &[u8], flags: i32, mode: u32) -> Result<Fd, Errno> {
    let name = Word::of(name)?;
    let flags = word(flags | libc::O_CLOEXEC);
    let words = [word(directory), text(name.as_c_str()), flags, mode as usize];
    call(libc::SYS_openat, words).map(descriptor)
}

/// readlinkat(2) of what a descriptor refers to.
fn read_link(fd: Fd) -> Result<Path, Errno> {
    let mut path = Path::of(b"")?;
    let room = path.bytes.as_mut_ptr() as usize;
    path.len = call(libc::SYS_readlinkat, [word(fd), text(c""), room, SIZE])?;
    match path.len {
        0 => Err(libc::ENOENT),
        SIZE => Err(libc::ENAMETOOLONG),
        _ => Ok(path),
    }
}
