//! Mounts in the host's mount table, by its mount program, and their undoing.
//!
//! Targets are walked one component at a time, and none may be a symbolic link, so that nothing
//! outside of the tree is mounted on. mount(8) takes a path, though: whoever can replace a directory
//! of the tree by a link between the walk and the mount can still lead it elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use sandbox_core::NewFilesystem;

use super::program::Mounting;

/// What was made and mounted, to be undone, the last one first.
#[derive(Debug)]
pub(super) struct Mounts {
    root: PathBuf,
    done: Vec<Done>,
}

#[derive(Debug)]
enum Done {
    Made { parent: OwnedFd, name: OsString, flag: Removal },
    Mounted { target: PathBuf, id: Id },
}

/// What a mounted file system is known by: the device and the inode of its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id(libc::dev_t, libc::ino_t);

#[derive(Debug, Clone, Copy)]
enum Removal {
    Directory,
    File,
}

impl Mounts {
    pub(super) fn below(root: PathBuf) -> Self {
        Self { root, done: Vec::new() }
    }

    /// Does one thing. What an error leaves half-done is undone with the rest.
    pub(super) fn carry_out(&mut self, mounting: &Mounting) -> io::Result<()> {
        match mounting {
            Mounting::MakeDirectory(target) => self.make(target, Removal::Directory),
            Mounting::MakeLike(target, like) => {
                let directory = fs::metadata(like)?.is_dir();
                self.make(target, if directory { Removal::Directory } else { Removal::File })
            }
            Mounting::Bind { source, target } => {
                let words = bind_words().ok_or(io::ErrorKind::Unsupported)?;
                self.mount(words, source.as_os_str(), target)
            }
            Mounting::New { filesystem, target } => {
                let (kind, options) = kind_and_options(filesystem)?;
                let mut words = vec!["-t".to_owned(), kind.to_owned()];
                for option in options {
                    words.extend(["-o".to_owned(), option]);
                }
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                self.mount(&words, OsStr::new(kind), target)
            }
        }
    }

    fn make(&mut self, target: &Path, last: Removal) -> io::Result<()> {
        let mut parent = open(&self.root, DIRECTORY & !OFlag::O_NOFOLLOW, Mode::empty())?;
        let count = target.components().count();
        for (number, name) in (1..).zip(names(target)) {
            let kind = if number == count { last } else { Removal::Directory };
            let made = make_one(&parent, name, kind)?;
            if made {
                let done =
                    Done::Made { parent: parent.try_clone()?, name: name.into(), flag: kind };
                self.done.push(done);
            }
            if let Removal::Directory = kind {
                parent = step_into(&parent, name)?;
                // The umask is the whole process's, and not to be changed for a moment.
                if made {
                    fchmod(&parent, Mode::from_bits_truncate(0o755))?;
                }
            }
        }
        Ok(())
    }

    fn mount(&mut self, words: &[&str], source: &OsStr, target: &Path) -> io::Result<()> {
        self.walk(target)?;
        let place = self.root.join(target);
        run(Command::new(MOUNT).args(words).arg(source).arg(&place))?;
        let id = self.walk(target)?;
        self.done.push(Done::Mounted { target: target.to_owned(), id });
        Ok(())
    }

    /// Unmounts what was mounted. The command could change the tree meanwhile: a link on the way would
    /// lead the unmount program to a mount of the host's.
    fn unmount(&self, target: &Path, id: Id) -> io::Result<()> {
        let place = self.root.join(target);
        let unmounted = match self.walk(target) {
            Ok(now) if now == id => unmount(&place),
            Ok(_) => Err(io::Error::other("something else is there now")),
            Err(error) => Err(error),
        };
        unmounted.map_err(|error| {
            io::Error::other(format!("{} is still mounted: {error}", place.display()))
        })
    }

    /// Makes sure that there is no link on the way to a target, and says what is there.
    fn walk(&self, target: &Path) -> io::Result<Id> {
        let mut parent = open(&self.root, DIRECTORY & !OFlag::O_NOFOLLOW, Mode::empty())?;
        let count = target.components().count();
        for (number, name) in (1..).zip(names(target)) {
            if number == count {
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
                parent = openat(&parent, name, flags | OFlag::O_CLOEXEC, Mode::empty())
                    .map_err(|errno| refused(name, errno))?;
            } else {
                parent = step_into(&parent, name)?;
            }
        }
        let stat = fstat(&parent)?;
        Ok(Id(stat.st_dev, stat.st_ino))
    }

    /// Undoes everything that can be undone; the first thing that cannot be is the error.
    pub(super) fn undo(&mut self) -> io::Result<()> {
        let mut first = Ok(());
        while let Some(done) = self.done.pop() {
            let undone = match &done {
                Done::Mounted { target, id } => self.unmount(target, *id),
                Done::Made { parent, name, flag } => remove(parent.as_fd(), name, *flag),
            };
            first = first.and(undone);
        }
        first
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.undo();
    }
}

const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

fn names(target: &Path) -> impl Iterator<Item = &OsStr> {
    target.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

/// Says whether it was missing.
fn make_one(parent: &OwnedFd, name: &OsStr, kind: Removal) -> io::Result<bool> {
    let made = match kind {
        Removal::Directory => mkdirat(parent, name, Mode::from_bits_truncate(0o755)),
        Removal::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(0o644);
            openat(parent, name, flags, mode).and_then(|file| fchmod(&file, mode))
        }
    };
    match made {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn step_into(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    openat(parent, name, DIRECTORY, Mode::empty()).map_err(|errno| refused(name, errno))
}

/// What the systems say of a link that is not followed.
fn refused(name: &OsStr, errno: Errno) -> io::Error {
    match errno {
        Errno::ELOOP | Errno::EMLINK | Errno::ENOTDIR => {
            let name = name.display();
            let text = format!("{name} is not a directory, or a link, which is not followed here");
            io::Error::new(io::Error::from(errno).kind(), text)
        }
        errno => errno.into(),
    }
}

fn unmount(target: &Path) -> io::Result<()> {
    run(Command::new(UMOUNT).arg(target))
        .or_else(|_| run(Command::new(UMOUNT).arg(FORCE).arg(target)))
}

/// What somebody has used meanwhile stays.
fn remove(parent: std::os::fd::BorrowedFd<'_>, name: &OsStr, flag: Removal) -> io::Result<()> {
    let flag = match flag {
        Removal::Directory => UnlinkatFlags::RemoveDir,
        Removal::File => UnlinkatFlags::NoRemoveDir,
    };
    match unlinkat(parent, name, flag) {
        Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Runs one of the programs; what it says is the error.
fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).env_clear().output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().replace('\n', "; ");
    Err(io::Error::other(if said.is_empty() { output.status.to_string() } else { said }))
}

#[cfg(target_os = "linux")]
const MOUNT: &str = "/bin/mount";
#[cfg(target_os = "linux")]
const UMOUNT: &str = "/bin/umount";
#[cfg(not(target_os = "linux"))]
const MOUNT: &str = "/sbin/mount";
#[cfg(not(target_os = "linux"))]
const UMOUNT: &str = "/sbin/umount";

/// A mount that is still used: on Linux detached, elsewhere taken from its users.
const FORCE: &str = if cfg!(target_os = "linux") { "-l" } else { "-f" };

/// The words that make the mount program bind a directory; none where nothing does.
pub(super) fn bind_words() -> Option<&'static [&'static str]> {
    if cfg!(target_os = "linux") {
        Some(&["--bind"])
    } else if cfg!(any(target_os = "freebsd", target_os = "dragonfly")) {
        Some(&["-t", "nullfs"])
    } else if cfg!(target_os = "netbsd") {
        Some(&["-t", "null"])
    } else {
        None
    }
}

fn kind_and_options(filesystem: &NewFilesystem) -> io::Result<(&'static str, Vec<String>)> {
    Ok(match filesystem {
        NewFilesystem::Proc if cfg!(target_os = "linux") => ("proc", Vec::new()),
        NewFilesystem::Proc => ("procfs", Vec::new()),
        NewFilesystem::Tmpfs { size, mode } => {
            // NetBSD's mount hands what begins with a dash on to mount_tmpfs.
            let dash = if cfg!(target_os = "netbsd") { ["-s=", "-m="] } else { ["size=", "mode="] };
            let size = size.map(|size| format!("{}{size}", dash[0]));
            ("tmpfs", size.into_iter().chain([format!("{}{mode:o}", dash[1])]).collect())
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    })
}
