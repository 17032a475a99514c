//! Modes and times of directories, which they are given when all is in them.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use rustix::io::Errno;

use super::Error;
use super::error::failed;
use super::metadata::{Owner, mode, times};
use super::tree::Tree;
use crate::archive::{Time, shown};

/// What a directory is given in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finally {
    pub(super) mode: u32,
    pub(super) owner: Owner,
    /// `None` for one that the archive has no entry of.
    pub(super) times: Option<(Time, Option<Time>)>,
}

/// The most memory for what directories are given in the end: enough for more than 150,000 of them with
/// names of usual length. Names can be as long as 4 KB, and there can be a million.
const MEMORY: usize = 28 << 20;
/// What one takes beside its name, with its share of the map's free room.
const EACH: usize = 120;

/// Of all directories, by name.
#[derive(Default)]
pub(super) struct Directories {
    all: BTreeMap<Box<[u8]>, Finally>,
    memory: usize,
}

impl Directories {
    /// What was said of it before no longer counts.
    pub(super) fn insert(&mut self, path: &[u8], finally: Finally) -> Result<(), Error> {
        if self.all.insert(path.into(), finally).is_none() {
            self.memory = self.memory.saturating_add(memory(path));
        }
        if self.memory > MEMORY {
            return Err(Error::Directories { path: shown(path), limit: MEMORY });
        }
        Ok(())
    }

    /// It has been removed, and all below it.
    pub(super) fn remove(&mut self, path: &[u8]) {
        let from = [path, b"/"].concat().into_boxed_slice();
        // "0" comes right after "/".
        let to = [path, b"0"].concat().into_boxed_slice();
        self.forget(path);
        while let Some(key) =
            self.all.range(from.clone()..to.clone()).next().map(|(k, _)| k.clone())
        {
            self.forget(&key);
        }
    }

    fn forget(&mut self, path: &[u8]) {
        if self.all.remove(path).is_some() {
            self.memory = self.memory.saturating_sub(memory(path));
        }
    }

    /// Gives all of them what they are to have: what is below another first, which may not be
    /// reachable after that.
    pub(super) fn finish(self, tree: &Tree) -> Result<(), Error> {
        for (path, finally) in self.all.iter().rev() {
            let fd = match tree.open(path) {
                Ok(fd) => fd,
                // Something else is there by now, through a name of its own.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(error) => return Err(failed(path, "open the directory")(error)),
            };
            let fd = fd.as_fd();
            if let Some((uid, gid)) = finally.owner {
                rustix::fs::fchown(fd, Some(uid), Some(gid))
                    .map_err(failed(path, "give it its owner"))?;
            }
            rustix::fs::fchmod(fd, mode(finally.mode)).map_err(failed(path, "give it its mode"))?;
            if let Some((mtime, atime)) = finally.times {
                rustix::fs::futimens(fd, &times(mtime, atime))
                    .map_err(failed(path, "give it its times"))?;
            }
        }
        Ok(())
    }
}

fn memory(path: &[u8]) -> usize {
    path.len().saturating_add(EACH)
}
