//! Volumes: what fulfils an app's mount points (ace.md, "Volume Setup").

use std::io;
use std::path::{Path, PathBuf};

use sandbox_core::{ConfigError, Field, Filesystem, InsidePath, Mount, MountFlag, Standing};

use super::error::AppError;
use super::inside::{self, Found, Node, RootDirectory, RootSource};
use super::model::{App, MountPoint};
use super::options::{MissingVolumes, Options};
use super::report::Warning;

/// A volume, for the mount points of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The name.
    pub name: String,
    /// What it shows.
    pub source: VolumeSource,
    /// Whether it cannot be written; a mount point can ask for that as well.
    pub read_only: bool,
}

/// What a volume shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeSource {
    /// A directory or file of the host, which must exist.
    HostPath(PathBuf),
    /// A fresh directory of this run.
    Empty,
}

/// What it means that the source of a volume is reached through a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceLinks {
    /// It is an error.
    #[default]
    Refused,
    /// The link is followed.
    Followed,
}

/// What volumes come to.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    pub(super) mounts: Vec<Mount>,
    /// Where they are, without links.
    pub(super) targets: Vec<InsidePath>,
    /// Those of them that can be written.
    pub(super) writable: Vec<InsidePath>,
    pub(super) warnings: Vec<Warning>,
}

/// A mount point with its volume, checked.
struct Fulfilled<'a> {
    point: &'a MountPoint,
    source: PathBuf,
    is_directory: bool,
    read_only: bool,
    target: InsidePath,
}

/// Checks all volumes, and then makes their places in the root where it is this run's own.
pub(super) fn mount(
    app: &App,
    root: &RootDirectory,
    options: &Options<'_>,
) -> Result<Mounted, AppError> {
    check_names(app, options)?;
    let mut all: Vec<Fulfilled<'_>> = Vec::new();
    for point in &app.mount_points {
        let Some(volume) = options.volumes.iter().find(|volume| volume.name == point.name) else {
            continue;
        };
        let target = root.find(&point.path)?.real;
        if target.is_root() {
            let field = Field::new(format!("path of mount point {}", point.name));
            return Err(ConfigError::TargetIsRoot { field }.into());
        }
        for other in &all {
            if target.is_within(&other.target) || other.target.is_within(&target) {
                return Err(AppError::Overlap {
                    first: other.point.name.clone(),
                    first_path: other.target.clone(),
                    second: point.name.clone(),
                    second_path: target,
                });
            }
        }
        let (source, is_directory) = source(volume, options)?;
        let read_only = point.read_only || volume.read_only;
        all.push(Fulfilled { point, source, is_directory, read_only, target });
    }
    let mut mounted = Mounted::default();
    for one in all {
        one.mount(root, options.standing, &mut mounted)?;
    }
    for point in &app.mount_points {
        if options.volumes.iter().all(|volume| volume.name != point.name) {
            own_files(&point.path, root, &mut mounted)?;
        }
    }
    Ok(mounted)
}

/// Makes a directory where the app will write, unless it is there or in a volume.
fn own_files(
    path: &InsidePath,
    root: &RootDirectory,
    mounted: &mut Mounted,
) -> Result<(), AppError> {
    let Found { real, node } = root.find(path)?;
    if mounted.targets.iter().any(|volume| real.is_within(volume)) {
        return Ok(());
    }
    if let Node::Missing { parent, names } = node {
        if matches!(root.source(), RootSource::Directory(_)) {
            let wrong = |source| AppError::Inside { path: real.clone(), source };
            inside::make_directories(parent, &names).map_err(wrong)?;
        } else {
            let directory = Filesystem::Directory { mode: None };
            mounted.mounts.push(Mount::new(real.as_os_str(), directory)?);
        }
    }
    mounted.writable.push(real);
    Ok(())
}

/// Each mount point needs a volume, and each volume a mount point.
fn check_names(app: &App, options: &Options<'_>) -> Result<(), AppError> {
    let volumes = &options.volumes;
    for (index, volume) in volumes.iter().enumerate() {
        let name = volume.name.clone();
        if volumes.iter().take(index).any(|other| other.name == name) {
            return Err(AppError::DuplicateVolume { name });
        }
        if app.mount_points.iter().all(|point| point.name != name) {
            let names = app.mount_points.iter().map(|point| point.name.clone()).collect();
            return Err(AppError::NoMountPoint { name, app: app.name.clone(), names });
        }
    }
    let fulfilled = |point: &&MountPoint| volumes.iter().any(|one| one.name == point.name);
    let missing = app.mount_points.iter().filter(|point| !fulfilled(point));
    let names: Vec<_> = missing.map(|point| point.name.clone()).collect();
    if names.is_empty() || options.rules.missing_volumes == MissingVolumes::OwnFiles {
        Ok(())
    } else {
        Err(AppError::Unfulfilled { app: app.name.clone(), names })
    }
}

/// The host's path of a volume, and whether it is a directory.
fn source(volume: &Volume, options: &Options<'_>) -> Result<(PathBuf, bool), AppError> {
    let name = || volume.name.clone();
    match &volume.source {
        VolumeSource::Empty => match (options.empty_volumes)(&volume.name) {
            Ok(path) => Ok((path, true)),
            Err(source) => Err(AppError::EmptyVolume { name: name(), source }),
        },
        VolumeSource::HostPath(given) => {
            let wrong =
                |source| AppError::VolumeSource { name: name(), path: given.clone(), source };
            let path = std::path::absolute(given).map_err(wrong)?;
            if options.source_links == SourceLinks::Refused
                && let Some(link) = first_link(&path).map_err(wrong)?
            {
                return Err(AppError::VolumeThroughLink { name: name(), path, link });
            }
            let metadata = path.metadata().map_err(wrong)?;
            Ok((path, metadata.is_dir()))
        }
    }
}

/// The first symbolic link on the way to a path, be it the path itself.
fn first_link(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut on_the_way: Vec<_> = path.ancestors().collect();
    on_the_way.reverse();
    for place in on_the_way {
        if place.symlink_metadata()?.is_symlink() {
            return Ok(Some(place.to_owned()));
        }
    }
    Ok(None)
}

impl Fulfilled<'_> {
    fn mount(
        self,
        root: &RootDirectory,
        standing: Standing,
        mounted: &mut Mounted,
    ) -> Result<(), AppError> {
        let name = || self.point.name.clone();
        let wrong = |source| AppError::Inside { path: self.target.clone(), source };
        let is_own = matches!(root.source(), RootSource::Directory(_));
        // What was made for another volume may be on the way.
        let Found { node, .. } = root.find(&self.target)?;
        match (node, self.is_directory) {
            (Node::Directory(directory), true) => {
                if !inside::is_empty(&directory).map_err(wrong)? {
                    let path = self.target.clone();
                    mounted.warnings.push(Warning::Masked { name: name(), path });
                }
            }
            (Node::Other { .. }, false) => {
                let path = self.target.clone();
                mounted.warnings.push(Warning::Masked { name: name(), path });
            }
            (Node::Other { parent, name: file }, true) if is_own => {
                inside::replace_by_directory(parent, &file).map_err(wrong)?;
                let path = self.target.clone();
                mounted.warnings.push(Warning::Replaced { name: name(), path });
            }
            (Node::Missing { parent, names }, true) if is_own => {
                inside::make_directories(parent, &names).map_err(wrong)?;
            }
            (Node::Missing { parent, names }, false) if is_own => {
                inside::make_file(parent, &names).map_err(wrong)?;
            }
            // What others share stays as it is: the place is made in what is this run's own.
            (Node::Missing { .. }, true) => {
                let directory = Filesystem::Directory { mode: None };
                mounted.mounts.push(Mount::new(self.target.as_os_str(), directory)?);
            }
            (Node::Missing { .. }, false) => {
                let file = Filesystem::File { content: Vec::new(), mode: None };
                mounted.mounts.push(Mount::new(self.target.as_os_str(), file)?);
            }
            (Node::Directory(_) | Node::Other { .. }, _) => {
                return Err(AppError::VolumeKind {
                    name: name(),
                    path: self.source,
                    target: self.target,
                });
            }
        }
        let mut mount = Mount::bind(self.source, self.target.as_os_str())?;
        // Nor can the app make devices there (see `files` of the lifecycle). A volume that is one is meant.
        if self.is_directory && standing == Standing::Privileged {
            mount = mount.with(MountFlag::NoDev);
        }
        if self.read_only {
            mount = mount.with(MountFlag::ReadOnly);
        } else {
            mounted.writable.push(self.target.clone());
        }
        mounted.mounts.push(mount);
        mounted.targets.push(self.target);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
