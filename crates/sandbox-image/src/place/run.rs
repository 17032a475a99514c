//! The directory of one run.

use std::env;
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode};
use rustix::io::Errno;

use super::beneath;
use super::error::{PlaceError, Step};
use super::private::{Base, Private};

/// How the names of directories of runs begin.
pub(super) const PREFIX: &str = "run-sandbox.";

/// A private directory for one run, in `TMPDIR`: `run-sandbox.` and twelve random letters, mode 0700. It
/// is removed when this is dropped. What a killed process leaves, [`sweep`](super::sweep()) removes.
#[derive(Debug)]
pub struct RunDir {
    base: Base,
    /// Its lock says that the run lives.
    private: Private,
    path: PathBuf,
    removed: bool,
}

/// A directory by descriptor, which always means the same one, and by path.
#[derive(Debug)]
pub struct Directory {
    /// Open for reading; closed when a program is executed.
    pub fd: OwnedFd,
    /// Absolute.
    pub path: PathBuf,
}

impl RunDir {
    /// Makes one in `base`; `None`: in `TMPDIR`, or `/tmp` where that is unset or empty.
    ///
    /// # Errors
    /// There is no such base, it cannot be written to, all can write to it and it has no sticky bit, or
    /// flock(2) does not work there.
    pub fn new(base: Option<&Path>) -> Result<Self, PlaceError> {
        let base = open_base(base)?;
        let private = Private::make(&base, PREFIX)?;
        let path = base.join(&private.name);
        Ok(Self { base, private, path, removed: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where an image is unpacked, mode 0755. Made when it is first asked for, as are the others.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn rootfs(&self) -> Result<Directory, PlaceError> {
        self.directory(c"rootfs", Mode::from_raw_mode(0o755))
    }

    /// The upper directory of an overlay, mode 0755, which becomes that of the overlay's root.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn upper(&self) -> Result<Directory, PlaceError> {
        self.directory(c"upper", Mode::from_raw_mode(0o755))
    }

    /// The work directory of an overlay, on the file system of the upper one.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn work(&self) -> Result<Directory, PlaceError> {
        self.directory(c"work", Mode::RWXU)
    }

    /// Where empty volumes are made.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn volumes(&self) -> Result<Directory, PlaceError> {
        self.directory(c"volumes", Mode::RWXU)
    }

    /// Removes it now.
    ///
    /// # Errors
    /// What is left, or that somebody else has moved it.
    pub fn remove(mut self) -> Result<(), PlaceError> {
        self.removed = true;
        self.private.remove(&self.base)
    }

    fn directory(&self, name: &CStr, mode: Mode) -> Result<Directory, PlaceError> {
        sub_directory(self.as_fd(), &self.path, name, mode)
    }
}

impl AsFd for RunDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.private.fd.as_fd()
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.removed {
            // Nobody can be told. What is left now, the next run tries again.
            let _ = self.private.remove(&self.base);
        }
    }
}

/// Opens a directory in another, and makes it first if it is missing.
pub(super) fn sub_directory(
    parent: BorrowedFd<'_>,
    parent_path: &Path,
    name: &CStr,
    mode: Mode,
) -> Result<Directory, PlaceError> {
    let path = parent_path.join(OsStr::from_bytes(name.to_bytes()));
    let is_new = match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(PlaceError::call(Step::Make, &path)(error)),
    };
    let fd = beneath::open_directory(parent, name).map_err(PlaceError::call(Step::Open, &path))?;
    if is_new {
        // Whatever the umask is.
        fs::fchmod(&fd, mode).map_err(PlaceError::call(Step::ChangeMode, &path))?;
    }
    Ok(Directory { fd, path })
}

/// Opens that directory, or the one for temporary files.
pub(super) fn open_base(base: Option<&Path>) -> Result<Base, PlaceError> {
    let base = match base {
        Some(base) => Base::open(base),
        None => match env::var_os("TMPDIR").filter(|value| !value.is_empty()) {
            Some(directory) => Base::open(Path::new(&directory)),
            None => Base::open(Path::new("/tmp")),
        },
    }?;
    let stat = fs::fstat(&base.fd).map_err(PlaceError::call(Step::Inspect, &base.path))?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    // Whoever may rename what is in it could put another tree in the place of the one that is run. A
    // group is often the user's own.
    if mode.contains(Mode::WOTH) && !mode.contains(Mode::SVTX) {
        return Err(PlaceError::Open { path: base.path, mode: beneath::permissions(&stat) });
    }
    Ok(base)
}
