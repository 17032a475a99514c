//! From what a pod is to be made of to what it is: names, which volume goes where in which app, and the
//! manifest in which nothing is left open (the specification's pods.md).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sandbox_core::InsidePath;
use uuid::{Builder, Uuid};

use crate::aci::PodManifest;
use crate::aci::pod_manifest::{Mount, PodApp, PodImage, Volume};
use crate::aci::types::{AcIdentifier, AcName};
use crate::app::MountPoint;

mod error;

pub use error::PodError;

/// The digits of a whole image ID, which begins with `sha512-`.
const IMAGE_ID: usize = "sha512-".len() + 128;

/// What becomes of a mount point that no volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is an error.
    Refused,
    /// An empty volume of its name, which all apps with a mount point of this name share.
    Empty,
}

/// What a pod is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PodPlan {
    /// Its manifest: every mount point has its mount, every mount its volume.
    pub manifest: PodManifest,
    /// Its apps, in the manifest's order.
    pub apps: Vec<AppPlan>,
}

/// An app of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppPlan {
    /// Its `AC_APP_NAME`.
    pub name: AcName,
    /// Which volumes go where, by path. None is inside another.
    pub mounts: Vec<MountPlan>,
}

/// A volume in an app of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MountPlan {
    /// The volume.
    pub volume: Volume,
    /// Who has it. An empty one is the same directory wherever the same owner's goes.
    pub owner: VolumeOwner,
    /// Where it goes.
    pub path: InsidePath,
    /// Whether this app can't write there: the volume or the mount point says so.
    pub read_only: bool,
}

/// Whose volume one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeOwner {
    /// The pod's: its apps share it.
    Pod,
    /// The one app's.
    App,
}

impl PodPlan {
    /// The manifest as the metadata service is to show it: JSON.
    ///
    /// # Errors
    /// The path of a volume isn't text.
    pub fn json(&self) -> Result<Vec<u8>, PodError> {
        Ok(serde_json::to_vec(&self.manifest)?)
    }
}

/// A UUID for a pod: random, version 4.
///
/// # Errors
/// getrandom(2) failed.
pub fn new_uuid() -> io::Result<Uuid> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid())
}

/// The manifest of a pod that runs each of these images. An app's name is the last part of its image's.
///
/// # Errors
/// An image has no name that an app's could be made of.
pub fn of_images(images: impl IntoIterator<Item = PodImage>) -> Result<PodManifest, PodError> {
    let app = |image: PodImage| {
        let whole = image.name.as_ref().map_or("", AcIdentifier::as_str);
        let name = app_name(whole)
            .ok_or_else(|| PodError::AppName { image: whole.to_owned(), id: image.id.clone() })?;
        Ok(PodApp { image: image.clone(), ..PodApp::new(name, image.id) })
    };
    Ok(PodManifest::new(images.into_iter().map(app).collect::<Result<_, PodError>>()?))
}

/// The last part of an image's name as an AC Name, which has no `.`, `_` or `~`.
fn app_name(image: &str) -> Option<AcName> {
    let last = image.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let words = last.split(|letter: char| !letter.is_ascii_alphanumeric());
    let name = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    AcName::try_from(name).ok()
}

/// Plans a pod. `points` is where the mount points of an app are from: its image, or what the pod has
/// instead. A mount point has the mount that the manifest has for its path, else the volume of its name.
///
/// # Errors
/// Names that are not unique, images that aren't told by their whole ID, mounts without a volume, paths
/// that overlap: see [`PodError`].
pub fn plan(
    mut manifest: PodManifest,
    points: impl Fn(&PodApp) -> Vec<MountPoint>,
    missing: Missing,
) -> Result<PodPlan, PodError> {
    manifest.runnable()?;
    manifest.check()?;
    let mut volumes: BTreeMap<String, Volume> = manifest
        .volumes
        .iter()
        .map(|volume| (volume.name.as_str().to_owned(), volume.clone()))
        .collect();
    let mut apps = Vec::new();
    for app in &mut manifest.apps {
        if app.image.id.as_str().len() != IMAGE_ID {
            return Err(PodError::ImageId { app: app.name.clone(), id: app.image.id.clone() });
        }
        let points = points(app);
        let new = with_mounts(app, &points, &volumes, missing)?;
        for volume in new {
            volumes.insert(volume.name.as_str().to_owned(), volume.clone());
            manifest.volumes.push(volume);
        }
        apps.push(app_plan(app, &points, &volumes)?);
    }
    Ok(PodPlan { manifest, apps })
}

/// Gives an app the mounts of the mount points that have none. What comes back are new volumes.
fn with_mounts(
    app: &mut PodApp,
    points: &[MountPoint],
    volumes: &BTreeMap<String, Volume>,
    missing: Missing,
) -> Result<Vec<Volume>, PodError> {
    let taken: BTreeSet<_> = app.mounts.iter().map(|mount| mount.path.clone()).collect();
    let mut new: BTreeMap<String, Volume> = BTreeMap::new();
    for MountPoint { name, path, .. } in points.iter().filter(|one| !taken.contains(&one.path)) {
        let unfulfilled = || PodError::Unfulfilled {
            app: app.name.clone(),
            mount_point: name.clone(),
            path: path.clone(),
        };
        let volume = match volumes.get(name).or_else(|| new.get(name)) {
            Some(volume) => volume.name.clone(),
            None if missing == Missing::Refused => return Err(unfulfilled()),
            None => {
                let volume = AcName::try_from(name.clone()).map_err(|_| unfulfilled())?;
                new.insert(name.clone(), Volume::empty(volume.clone()));
                volume
            }
        };
        app.mounts.push(Mount { volume, path: path.clone(), app_volume: None });
    }
    Ok(new.into_values().collect())
}

fn app_plan(
    app: &PodApp,
    points: &[MountPoint],
    volumes: &BTreeMap<String, Volume>,
) -> Result<AppPlan, PodError> {
    let read_only: BTreeSet<_> =
        points.iter().filter(|point| point.read_only).map(|point| &point.path).collect();
    let one = |mount: &Mount| {
        let (volume, owner) = if let Some(volume) = &mount.app_volume {
            (volume, VolumeOwner::App)
        } else {
            let volume = volumes.get(mount.volume.as_str()).ok_or_else(|| PodError::NoVolume {
                app: app.name.clone(),
                volume: mount.volume.clone(),
                path: mount.path.clone(),
            })?;
            (volume, VolumeOwner::Pod)
        };
        Ok(MountPlan {
            volume: volume.clone(),
            owner,
            path: mount.path.clone(),
            read_only: volume.read_only == Some(true) || read_only.contains(&mount.path),
        })
    };
    let mounts = app.mounts.iter().map(one).collect::<Result<_, PodError>>()?;
    Ok(AppPlan { name: app.name.clone(), mounts: without_overlap(&app.name, mounts)? })
}

/// Sorted by path, component by component: what is inside another comes right after it, or after what is
/// inside it as well.
fn without_overlap(app: &AcName, mut mounts: Vec<MountPlan>) -> Result<Vec<MountPlan>, PodError> {
    mounts.sort_by(|a, b| a.path.components().cmp(b.path.components()));
    let overlap = mounts.windows(2).find_map(|pair| match pair {
        [outer, inner] if inner.path.is_within(&outer.path) => Some((outer, inner)),
        _ => None,
    });
    match overlap {
        Some((outer, inner)) => Err(PodError::Overlap {
            app: app.clone(),
            outer: outer.path.clone(),
            inner: inner.path.clone(),
        }),
        None => Ok(mounts),
    }
}

#[cfg(test)]
mod tests;
