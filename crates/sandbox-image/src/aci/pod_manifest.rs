//! The manifest of a pod (the specification's pods.md, pod manifest schema).

use std::io::Read;
use std::path::PathBuf;

use sandbox_core::InsidePath;
use serde::{Deserialize, Serialize};

use super::check;
use super::error::{Field, ManifestError};
use super::isolators;
use super::json::{self, or_default};
use super::manifest::{AppSection, IsolatorEntry, UserNotes};
use super::types::{AcIdentifier, AcName, AcVersion, Annotation, ImageId, Label};

/// Apps that run together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PodManifest {
    /// The version of the specification that it is written for.
    pub ac_version: AcVersion,
    ac_kind: String,
    /// The apps.
    #[serde(default, deserialize_with = "or_default")]
    pub apps: Vec<PodApp>,
    /// What they share.
    #[serde(default, deserialize_with = "or_default")]
    pub volumes: Vec<Volume>,
    /// What all of them together are held to.
    #[serde(default, deserialize_with = "or_default")]
    pub isolators: Vec<IsolatorEntry>,
    /// What else there is to know.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: Vec<Annotation>,
    /// Ports that are to be reached from the host.
    #[serde(default, deserialize_with = "or_default")]
    pub ports: Vec<ExposedPort>,
    /// What the user notes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_annotations: Option<UserNotes>,
    /// What the user groups it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_labels: Option<UserNotes>,
}

/// An app of a pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PodApp {
    /// Its name in the pod: `AC_APP_NAME`.
    pub name: AcName,
    /// What it is unpacked from.
    pub image: PodImage,
    /// What runs instead of what the image says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppSection>,
    /// Whether the root file system cannot be written.
    #[serde(default, rename = "readOnlyRootFS", deserialize_with = "or_default")]
    pub read_only_root_fs: bool,
    /// Which volume goes where.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// What else there is to know; these come before the image's.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// Which image an app is unpacked from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PodImage {
    /// Its ID.
    pub id: ImageId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<AcIdentifier>,
    /// Its labels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
}

/// A volume's place in an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Mount {
    /// The name of the volume.
    pub volume: AcName,
    /// Where it goes.
    pub path: InsidePath,
    /// A volume of this app only, instead of the pod's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_volume: Option<Volume>,
}

/// Files that apps share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Volume {
    /// Its name.
    pub name: AcName,
    /// Where its files come from.
    pub kind: VolumeKind,
    /// What of the host: absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// Whether it cannot be written, wherever it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Whether what is mounted below the source comes along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recursive: Option<bool>,
    /// The mode of an empty one, in octal digits; absent for 0755.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The owner of an empty one; absent for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The group of an empty one; absent for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// Where the files of a volume come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeKind {
    /// It is new, and gone with the pod.
    Empty,
    /// It is a directory of the host.
    Host,
}

/// A port that is to be reached from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExposedPort {
    /// The name of an app's port.
    pub name: AcName,
    /// The number on the host: 1 to 65535.
    pub host_port: u64,
}

impl PodManifest {
    /// What `acKind` says of a pod.
    pub const KIND: &'static str = "PodManifest";

    /// A pod of these apps.
    pub fn new(apps: Vec<PodApp>) -> Self {
        Self {
            ac_version: AcVersion::current(),
            ac_kind: Self::KIND.to_owned(),
            apps,
            volumes: Vec::new(),
            isolators: Vec::new(),
            annotations: Vec::new(),
            ports: Vec::new(),
            user_annotations: None,
            user_labels: None,
        }
    }

    /// The manifest that these bytes are.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = json::manifest(bytes, Self::KIND)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads no more than [`MAX_MANIFEST`](super::MAX_MANIFEST) bytes, and what they say.
    ///
    /// # Errors
    /// What cannot be read, more bytes, and the first field that is wrong.
    pub fn read(from: impl Read) -> Result<Self, ManifestError> {
        Self::parse(&json::read(from)?)
    }

    /// Whether there is anything to run.
    ///
    /// # Errors
    /// There are no apps.
    pub fn runnable(&self) -> Result<(), ManifestError> {
        if self.apps.is_empty() { Err(ManifestError::NoApps) } else { Ok(()) }
    }

    /// Checks what the types of the fields let pass.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        let top = Field::default();
        let apps = top.then("apps");
        check::unique(self.apps.iter().map(|app| app.name.as_str()), &apps)?;
        for (index, app) in self.apps.iter().enumerate() {
            check_app(app, &apps.at(index))?;
        }
        let volumes = top.then("volumes");
        check::unique(self.volumes.iter().map(|volume| volume.name.as_str()), &volumes)?;
        for (index, volume) in self.volumes.iter().enumerate() {
            check_volume(volume, &volumes.at(index))?;
        }
        isolators::read(&self.isolators, &top.then("isolators"))?;
        check::annotations(&self.annotations, &top.then("annotations"))?;
        for (index, port) in self.ports.iter().enumerate() {
            check::port_number(port.host_port, top.then("ports").at(index).then("hostPort"))?;
        }
        Ok(())
    }
}

impl PodApp {
    /// An app that runs what its image says.
    pub fn new(name: AcName, image: ImageId) -> Self {
        Self {
            name,
            image: PodImage::new(image),
            app: None,
            read_only_root_fs: false,
            mounts: Vec::new(),
            annotations: Vec::new(),
        }
    }
}

impl PodImage {
    /// The image with this ID.
    pub fn new(id: ImageId) -> Self {
        Self { id, name: None, labels: Vec::new() }
    }
}

impl Volume {
    /// A new, empty volume.
    pub fn empty(name: AcName) -> Self {
        Self {
            name,
            kind: VolumeKind::Empty,
            source: None,
            read_only: None,
            recursive: None,
            mode: None,
            uid: None,
            gid: None,
        }
    }

    /// A directory of the host.
    pub fn host(name: AcName, source: PathBuf) -> Self {
        Self { kind: VolumeKind::Host, source: Some(source), ..Self::empty(name) }
    }

    /// The mode of an empty volume.
    pub fn mode_bits(&self) -> u32 {
        self.mode.as_deref().and_then(mode).unwrap_or(0o755)
    }
}

fn check_app(app: &PodApp, at: &Field) -> Result<(), ManifestError> {
    check::labels(&app.image.labels, &at.then("image").then("labels"))?;
    check::annotations(&app.annotations, &at.then("annotations"))?;
    for (index, mount) in app.mounts.iter().enumerate() {
        if let Some(volume) = &mount.app_volume {
            check_volume(volume, &at.then("mounts").at(index).then("appVolume"))?;
        }
    }
    app.app.as_ref().map_or(Ok(()), |section| check::app(section, &at.then("app")))
}

fn check_volume(volume: &Volume, at: &Field) -> Result<(), ManifestError> {
    match (volume.kind, &volume.source) {
        (VolumeKind::Empty, Some(source)) if !source.as_os_str().is_empty() => {
            let expected = "an empty volume has no source: leave it out, or the kind is host";
            return Err(ManifestError::invalid(at.then("source"), shown(source), expected));
        }
        (VolumeKind::Host, source) => {
            let source = source.clone().unwrap_or_default();
            if !source.is_absolute() {
                let expected = "an absolute path of the host is";
                return Err(ManifestError::invalid(at.then("source"), shown(&source), expected));
            }
            let owner = [("uid", volume.uid), ("gid", volume.gid)]
                .map(|(name, id)| (name, id.map(|id| id.to_string())));
            for (name, value) in owner.into_iter().chain([("mode", volume.mode.clone())]) {
                if let Some(value) = value {
                    let expected = "a volume of the host has its own: leave it out";
                    return Err(ManifestError::invalid(at.then(name), value, expected));
                }
            }
        }
        (VolumeKind::Empty, _) => {}
    }
    if let Some(text) = volume.mode.as_deref().filter(|text| mode(text).is_none()) {
        let expected = "octal digits up to 7777 are, as 0755";
        return Err(ManifestError::invalid(at.then("mode"), text, expected));
    }
    Ok(())
}

fn shown(path: &std::path::Path) -> String {
    path.display().to_string()
}

fn mode(text: &str) -> Option<u32> {
    let octal = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    octal.then(|| u32::from_str_radix(text, 8).ok())?.filter(|mode| *mode <= 0o7777)
}
