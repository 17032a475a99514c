//! Where a tree comes to be: in the directory of the run, or once for all runs in a cache.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

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
}

/// A tree that is there.
pub(super) struct Made {
    pub(super) root: RootDirectory,
    pub(super) entry: Option<Entry>,
    pub(super) id: Option<Digest>,
    pub(super) lost: Vec<String>,
}

/// What is kept beside a tree in a cache.
#[derive(Serialize, Deserialize)]
struct Info {
    id: Option<String>,
    lost: Vec<String>,
}

impl Loader<'_> {
    /// Has a tree made by `unpack`, unless a cache has it: under the name that `key` gives.
    pub(super) fn made(
        &self,
        key: &dyn Fn(&Cache) -> Result<String, LoadError>,
        unpack: &dyn Fn(OwnedFd) -> Result<Unpacked, LoadError>,
    ) -> Result<Made, LoadError> {
        let Some(cache) = self.cache else {
            let Directory { fd, path } = self.run.rootfs()?;
            let copy = fd.try_clone().map_err(|source| call(&path, source))?;
            let Unpacked { report, id } = unpack(copy)?;
            let root = RootDirectory::new(RootSource::Directory(path), fd);
            return Ok(Made { root, entry: None, id, lost: lost::lines(&report) });
        };
        let key = Key::new(&key(cache)?, self.variant())?;
        let mut wait = || {
            if self.watch.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let entry = match cache.get(&key, &mut wait) {
            Err(PlaceError::Interrupted { .. }) => return Err(LoadError::Interrupted),
            Ok(Found::Hit(entry)) => entry,
            Ok(Found::Miss(filling)) => {
                let Unpacked { report, id } = unpack(filling.rootfs()?.fd)?;
                let id = id.as_ref().map(Digest::appc);
                let info = Info { id, lost: lost::lines(&report) };
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
        let id = info.id.and_then(|id| id.parse().ok());
        Ok(Made { root, entry: Some(entry), id, lost: info.lost })
    }

    /// This run's own changes upon what all share.
    fn over(&self, lower: &Directory) -> Result<RootSource, LoadError> {
        let upper = self.run.upper()?;
        let path = &upper.path;
        if place::upper(&upper.fd).map_err(|error| call(path, error.into()))? != Upper::Disk {
            return Ok(RootSource::TemporaryOverlay { lower: lower.path.clone() });
        }
        // The overlay's root is as the upper directory is.
        let permissions = |fd: &OwnedFd| Ok(File::from(fd.try_clone()?).metadata()?.permissions());
        permissions(&lower.fd)
            .and_then(|like| File::from(upper.fd.try_clone()?).set_permissions(like))
            .map_err(|error| call(path, error))?;
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

fn call(path: &std::path::Path, source: std::io::Error) -> LoadError {
    PlaceError::call(Step::Read, path)(source).into()
}
