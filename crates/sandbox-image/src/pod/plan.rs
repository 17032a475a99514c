//! From what a pod is to be made of to what it is: names, a UUID, which volume goes where in which app, and
//! the manifest that says it (the specification's pods.md).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use sandbox_core::InsidePath;
use serde_json::Value;
use uuid::{Builder, Uuid};

use super::metadata::Annotation;
use crate::app::MountPoint;

mod error;
mod manifest;

pub use error::PodError;

/// What a pod is to be made of: a pod manifest's data, or [a list of images](Pod::of_images).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pod {
    /// Its apps; at least one.
    pub apps: Vec<PodApp>,
    /// Its volumes.
    pub volumes: Vec<PodVolume>,
    /// Words about it.
    pub annotations: Vec<Annotation>,
    /// What it is held to as a whole, as a manifest has it.
    pub isolators: Vec<Value>,
    /// The ports that the host is to have of it, as a manifest has them.
    pub ports: Vec<Value>,
}

/// An app of a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodApp {
    /// Its name, an AC Name that no other app of the pod has.
    pub name: String,
    /// What it runs.
    pub image: PodImage,
    /// What a pod manifest has instead of the image's `app`.
    pub app: Option<Value>,
    /// Where volumes go. A mount point that isn't here has the volume of its own name.
    pub mounts: Vec<PodMount>,
    /// Words about it, besides those of its image.
    pub annotations: Vec<Annotation>,
}

/// The image of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct PodImage {
    /// Its name, such as `example.com/reduce-worker`.
    pub name: String,
    /// Its ID: `sha512-` and 128 hexadecimal digits.
    pub id: String,
    /// Its labels: names and values.
    pub labels: Vec<(String, String)>,
    /// The mount points of the app: the image's, or those of what the pod has instead.
    pub mount_points: Vec<MountPoint>,
}

/// A volume in an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodMount {
    /// The volume's name.
    pub volume: String,
    /// Where it goes.
    pub path: InsidePath,
}

/// A directory that apps share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodVolume {
    /// Its name, an AC Name.
    pub name: String,
    /// What is in it.
    pub source: VolumeSource,
    /// Whether no app can write to it.
    pub read_only: bool,
}

/// Where a volume comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// A new directory, which goes when the pod does.
    Empty,
    /// What the host has at an absolute path.
    Host(PathBuf),
}

/// What becomes of a mount point that no volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is an error.
    Refused,
    /// An empty volume of its name, which all apps with a mount point of this name share.
    Empty,
}

/// What a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PodPlan {
    /// Who it is.
    pub uuid: Uuid,
    /// Its apps, in the order that was asked for.
    pub apps: Vec<AppPlan>,
    /// Its volumes: those that were asked for, then new ones.
    pub volumes: Vec<PodVolume>,
    /// Its manifest, JSON, in which nothing is left open.
    pub manifest: Vec<u8>,
}

/// An app of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppPlan {
    /// Its `AC_APP_NAME`.
    pub name: String,
    /// Which volumes go where, by path. None is inside another.
    pub mounts: Vec<MountPlan>,
}

/// A volume in an app of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MountPlan {
    /// The volume's name.
    pub volume: String,
    /// Where it goes.
    pub path: InsidePath,
    /// Whether this app can't write there: the volume or the mount point says so.
    pub read_only: bool,
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

impl Pod {
    /// A pod that runs each of these images. An app's name is the last part of its image's.
    pub fn of_images(images: impl IntoIterator<Item = PodImage>, volumes: Vec<PodVolume>) -> Self {
        let app = |image: PodImage| PodApp {
            name: app_name(&image.name),
            image,
            app: None,
            mounts: Vec::new(),
            annotations: Vec::new(),
        };
        Self { apps: images.into_iter().map(app).collect(), volumes, ..Self::default() }
    }
}

/// The last part of an image's name as an AC Name, which has no `.`, `_` or `~`.
fn app_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let words = last.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Whether it is an AC Name (the specification's types.md): words of lower-case letters and digits, with
/// one `-` between two.
fn is_ac_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.split('-').all(word)
}

fn is_image_id(id: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.strip_prefix("sha512-").is_some_and(|hash| hash.len() == 128 && hash.bytes().all(digit))
}

/// Plans a pod.
///
/// # Errors
/// Names that are none or not unique, mounts without a volume, paths that overlap: see [`PodError`].
pub fn plan(pod: &Pod, uuid: Uuid, missing: Missing) -> Result<PodPlan, PodError> {
    check_names(pod)?;
    let mut volumes = Volumes::new(&pod.volumes)?;
    let apps: Vec<AppPlan> = pod
        .apps
        .iter()
        .map(|app| {
            let mounts = app_mounts(app, &mut volumes, missing)?;
            Ok(AppPlan { name: app.name.clone(), mounts })
        })
        .collect::<Result<_, PodError>>()?;
    let volumes = volumes.list;
    let manifest = manifest::json(pod, &apps, &volumes)?;
    Ok(PodPlan { uuid, apps, volumes, manifest })
}

fn check_names(pod: &Pod) -> Result<(), PodError> {
    if pod.apps.is_empty() {
        return Err(PodError::NoApps);
    }
    let mut names = BTreeSet::new();
    for PodApp { name, image, .. } in &pod.apps {
        if !is_ac_name(name) {
            return Err(PodError::AppName { name: name.clone(), image: image.name.clone() });
        }
        if !names.insert(name) {
            return Err(PodError::SameApp { name: name.clone() });
        }
        if !is_image_id(&image.id) {
            return Err(PodError::ImageId { app: name.clone(), id: image.id.clone() });
        }
    }
    Ok(())
}

/// The volumes of a pod, and which is where in the list.
struct Volumes {
    list: Vec<PodVolume>,
    by_name: BTreeMap<String, bool>,
}

impl Volumes {
    fn new(given: &[PodVolume]) -> Result<Self, PodError> {
        let mut volumes = Self { list: Vec::new(), by_name: BTreeMap::new() };
        for volume in given {
            if !is_ac_name(&volume.name) {
                return Err(PodError::VolumeName { name: volume.name.clone() });
            }
            if let VolumeSource::Host(path) = &volume.source
                && !path.is_absolute()
            {
                return Err(PodError::Source { volume: volume.name.clone(), path: path.clone() });
            }
            if !volumes.add(volume.clone()) {
                return Err(PodError::SameVolume { name: volume.name.clone() });
            }
        }
        Ok(volumes)
    }

    /// Whether no other has its name.
    fn add(&mut self, volume: PodVolume) -> bool {
        let new = self.by_name.insert(volume.name.clone(), volume.read_only).is_none();
        self.list.push(volume);
        new
    }

    /// Whether a volume is read-only, where there is one of this name.
    fn read_only(&self, name: &str) -> Option<bool> {
        self.by_name.get(name).copied()
    }
}

fn app_mounts(
    app: &PodApp,
    volumes: &mut Volumes,
    missing: Missing,
) -> Result<Vec<MountPlan>, PodError> {
    // By path: whether the app's own mount point there is read-only.
    let points: BTreeMap<_, _> =
        app.image.mount_points.iter().map(|point| (&point.path, point.read_only)).collect();
    let mut mounts = Vec::new();
    let mut taken = BTreeSet::new();
    for PodMount { volume, path } in &app.mounts {
        let read_only = volumes.read_only(volume).ok_or_else(|| PodError::NoVolume {
            app: app.name.clone(),
            volume: volume.clone(),
            path: path.clone(),
        })?;
        let read_only = read_only || points.get(path).copied().unwrap_or(false);
        taken.insert(path);
        mounts.push(MountPlan { volume: volume.clone(), path: path.clone(), read_only });
    }
    for point in app.image.mount_points.iter().filter(|point| !taken.contains(&point.path)) {
        let read_only = match (volumes.read_only(&point.name), missing) {
            (Some(read_only), _) => read_only,
            (None, Missing::Empty) if is_ac_name(&point.name) => {
                let name = point.name.clone();
                volumes.add(PodVolume { name, source: VolumeSource::Empty, read_only: false });
                false
            }
            (None, _) => {
                return Err(PodError::Unfulfilled {
                    app: app.name.clone(),
                    mount_point: point.name.clone(),
                    path: point.path.clone(),
                });
            }
        };
        let read_only = read_only || point.read_only;
        mounts.push(MountPlan { volume: point.name.clone(), path: point.path.clone(), read_only });
    }
    without_overlap(&app.name, mounts)
}

/// Sorted by path, component by component: what is inside another comes right after it, or after what is
/// inside it as well.
fn without_overlap(app: &str, mut mounts: Vec<MountPlan>) -> Result<Vec<MountPlan>, PodError> {
    mounts.sort_by(|a, b| a.path.components().cmp(b.path.components()));
    let overlap = mounts.windows(2).find_map(|pair| match pair {
        [outer, inner] if inner.path.is_within(&outer.path) => Some((outer, inner)),
        _ => None,
    });
    match overlap {
        Some((outer, inner)) => Err(PodError::Overlap {
            app: app.to_owned(),
            outer: outer.path.clone(),
            inner: inner.path.clone(),
        }),
        None => Ok(mounts),
    }
}

#[cfg(test)]
mod tests;
