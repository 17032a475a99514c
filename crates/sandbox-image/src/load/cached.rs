//! Where a tree comes to be: in the directory of the run, or once for all runs in a cache.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, Gid, Mode, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{LoadError, Loader, lost};
use crate::app::{RootDirectory, RootSource};
use crate::archive::Digest;
use crate::place::{self, Cache, Directory, Entry, Found, Key, PlaceError, Step, Upper};
use crate::unpack::{Devices, Owners, Report};

/// What unpacking gives.
pub(super) struct Unpacked {
    pub(super) report: Report,
    pub(super) id: Option<Digest>,
    /// What the tree is known by in a cache, made from what was read for it.
    pub(super) key: String,
    /// The digest of the manifest that was read with it.
    pub(super) manifest: Option<Digest>,
}

/// A tree that is there.
pub(super) struct Made {
    pub(super) root: RootDirectory,
    pub(super) entry: Option<Entry>,
    pub(super) id: Option<Digest>,
    pub(super) manifest: Option<Digest>,
    pub(super) lost: Vec<String>,
}

/// What is kept beside a tree in a cache.
#[derive(Serialize, Deserialize)]
struct Info {
    id: Option<String>,
    manifest: Option<String>,
    lost: Vec<String>,
}

impl Loader<'_> {
    /// Has a tree made by `unpack`, unless a cache has it: under the name that `key` gives. That was found
    /// by reading the file before it is unpacked; if it says something else by then, others would get
    /// the wrong tree for that name, so it is an error.
    pub(super) fn made(
        &self,
        path: &Path,
        key: &dyn Fn(&Cache) -> Result<String, LoadError>,
        unpack: &dyn Fn(OwnedFd) -> Result<Unpacked, LoadError>,
    ) -> Result<Made, LoadError> {
        let Some(cache) = self.cache else {
            let Directory { fd, path } = self.run.rootfs()?;
            let copy = fd.try_clone().map_err(|source| call(&path, source))?;
            let Unpacked { report, id, manifest, .. } = unpack(copy)?;
            let root = RootDirectory::new(RootSource::Directory(path), fd);
            return Ok(Made { root, entry: None, id, manifest, lost: lost::lines(&report) });
        };
        let digest = key(cache)?;
        let key = Key::new(&digest, self.variant())?;
        let mut wait = || {
            if self.watch.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let entry = match cache.get(&key, &mut wait) {
            Err(PlaceError::Interrupted { .. }) => return Err(LoadError::Interrupted),
            Ok(Found::Hit(entry)) => entry,
            Ok(Found::Miss(filling)) => {
                let Unpacked { report, id, key, manifest } = unpack(filling.rootfs()?.fd)?;
                if key != digest {
                    return Err(LoadError::Changed { path: path.to_owned() });
                }
                let [id, manifest] = [id, manifest].map(|digest| Some(digest?.appc()));
                let info = Info { id, manifest, lost: lost::lines(&report) };
                let info = serde_json::to_vec(&info)
                    .map_err(|error| call(self.run.path(), error.into()))?;
                filling.finish(&info, report.bytes)?
            }
            Err(error) => return Err(error.into()),
        };
        let lower = entry.rootfs()?;
        let info: Info = serde_json::from_slice(&entry.info()?)
            .map_err(|error| call(entry.path(), error.into()))?;
        let root = RootDirectory::new(self.over(&lower)?, lower.fd);
        let [id, manifest] = [info.id, info.manifest].map(|digest| digest?.parse().ok());
        Ok(Made { root, entry: Some(entry), id, manifest, lost: info.lost })
    }

    /// This run's own changes upon what all share.
    fn over(&self, lower: &Directory) -> Result<RootSource, LoadError> {
        let upper = self.run.upper()?;
        let path = &upper.path;
        if place::upper(&upper.fd).map_err(|error| call(path, error.into()))? != Upper::Disk {
            return Ok(RootSource::TemporaryOverlay { lower: lower.path.clone() });
        }
        alike(&lower.fd, &upper.fd).map_err(|error| call(path, error.into()))?;
        let work = self.run.work()?.path;
        Ok(RootSource::Overlay { lower: lower.path.clone(), upper: upper.path, work })
    }

    /// What makes the same image another tree.
    fn variant(&self) -> &'static str {
        match (self.unpack.owners, self.unpack.devices) {
            (Owners::Keep, Devices::Make) => "all",
            (Owners::Keep, Devices::Skip) => "owners",
            (Owners::Mine, Devices::Make) => "devices",
            (Owners::Mine, Devices::Skip) => "mine",
        }
    }
}

/// Makes the upper directory of an overlay like the lower one: the overlay's root is as that is.
fn alike(lower: &OwnedFd, upper: &OwnedFd) -> Result<(), Errno> {
    let (like, own) = (fs::fstat(lower)?, fs::fstat(upper)?);
    if (like.st_uid, like.st_gid) != (own.st_uid, own.st_gid) {
        let (uid, gid) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
        fs::fchown(upper, Some(uid), Some(gid))?;
    }
    fs::fchmod(upper, Mode::from_raw_mode(like.st_mode))?;
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(like.st_atime, like.st_atime_nsec.try_into().unwrap_or_default()),
        last_modification: time(like.st_mtime, like.st_mtime_nsec.try_into().unwrap_or_default()),
    };
    fs::futimens(upper, &times)
}

fn call(path: &Path, source: std::io::Error) -> LoadError {
    PlaceError::call(Step::Read, path)(source).into()
}
