//! Which digest a file has, remembered for as long as the file is not changed.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{self, Mode, OFlags};

use super::cache::Cache;

/// How the names of these notes begin.
pub(super) const KNOWN: &str = "known.";
/// The longest digest in words, `sha512-` and 128 digits, and some room.
const LONGEST: u64 = 160;
/// A file that was changed a moment ago can be changed once more with the same time.
const SETTLED: i64 = 2;

/// How a file was before it was read.
#[derive(Debug)]
pub struct Mark(CString);

impl Mark {
    /// Of a file that is about to be read. `None`: it was changed just now, and could be again with the
    /// same time.
    pub fn of(file: &File) -> Option<Self> {
        name(file).map(Self)
    }
}

impl Cache {
    /// The digest that was noted for a file which has been neither written nor replaced since: its
    /// device, inode, size, and times of modification and status change (stat(2)) are the same. The
    /// last of these nobody can set. It is a hint, not a proof: who has mapped a file into memory can
    /// write to it without a change of these.
    pub fn known(&self, file: &File) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let note = fs::openat(&self.base.fd, name(file)?, flags, Mode::empty()).ok()?;
        // In a directory with the sticky bit others can make things as well.
        let user = rustix::process::geteuid().as_raw();
        fs::fstat(&note).ok().filter(|stat| stat.st_uid == user)?;
        let mut digest = String::new();
        File::from(note).take(LONGEST).read_to_string(&mut digest).ok()?;
        Some(digest)
    }

    /// Notes the digest of what was read of a file after it had been marked. A file that has been changed
    /// since is not noted: nobody knows which of its bytes were read. Where it is not noted, the file
    /// is read once more the next time.
    pub fn learn(&self, file: &File, before: &Mark, digest: &str) {
        let _ =
            name(file).filter(|name| *name == before.0).and_then(|name| self.note(&name, digest));
    }

    fn note(&self, name: &CString, digest: &str) -> Option<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let note = fs::openat(&self.base.fd, name, flags | OFlags::CLOEXEC, mode).ok()?;
        // Half of a digest is none, for whoever reads it meanwhile.
        File::from(note).write_all(digest.as_bytes()).ok()
    }
}

/// The name of a file's note. `None`: it was changed just now.
fn name(file: &File) -> Option<CString> {
    use std::os::unix::fs::MetadataExt;
    let stat = file.metadata().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let now = i64::try_from(now).ok()?;
    if stat.ctime() > now - SETTLED {
        return None;
    }
    let times = [stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec()];
    let times = times.map(|number| number.to_string()).join(".");
    let name = format!("{KNOWN}{}.{}.{}.{times}", stat.dev(), stat.ino(), stat.size());
    CString::new(name).ok()
}
