//! The manifest of an image (the specification's aci.md, image manifest schema).

use std::fmt;
use std::io::Read;

use sandbox_core::InsidePath;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check;
use super::error::{Field, ManifestError};
use super::json::{self, or_default};
use super::types::{AcIdentifier, AcName, AcVersion, Annotation, ImageId, Label, Variable};

/// What an image says of itself. Fields that the specification does not know are let be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImageManifest {
    ac_kind: String,
    /// The version of the specification that it is written for.
    pub ac_version: AcVersion,
    /// The name of the image.
    pub name: AcIdentifier,
    /// What it is among images of that name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// What it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppSection>,
    /// The images that are unpacked before it, in order.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// The only paths that remain of it and of its dependencies; empty for all.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub path_whitelist: Vec<InsidePath>,
    /// What else there is to know.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// What an image runs, or what an app of a pod runs instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AppSection {
    /// The program and its arguments.
    #[serde(default, deserialize_with = "or_default")]
    pub exec: Vec<String>,
    /// A name, a number, or the `/path` of a file whose owner it is.
    pub user: String,
    /// The same for the group.
    pub group: String,
    /// Supplementary groups. The specification's example spells the field another way.
    #[serde(
        default,
        deserialize_with = "or_default",
        rename = "supplementaryGIDs",
        alias = "supplementaryGids",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub supplementary_gids: Vec<u32>,
    /// What runs before and after it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub event_handlers: Vec<EventHandler>,
    /// Where it starts: absolute, or empty for `/`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub working_directory: String,
    /// Its variables.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
    /// Where volumes go.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub mount_points: Vec<MountPointEntry>,
    /// What it listens to.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortEntry>,
    /// What it is held to.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub isolators: Vec<IsolatorEntry>,
    /// What the user notes of it; never changes how it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_annotations: Option<UserNotes>,
    /// What the user groups it by; never changes how it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_labels: Option<UserNotes>,
}

/// Notes of a user, by name.
pub type UserNotes = std::collections::BTreeMap<String, String>;

/// Something that runs before or after an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventHandler {
    /// When.
    pub name: Event,
    /// The program and its arguments.
    #[serde(default, deserialize_with = "or_default")]
    pub exec: Vec<String>,
}

/// When a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Before the app, which starts when it has exited.
    PreStart,
    /// When the app has ended.
    PostStop,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreStart => "pre-start",
            Self::PostStop => "post-stop",
        })
    }
}

/// A place for a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountPointEntry {
    /// The name that a volume is given for.
    pub name: AcName,
    /// Where it goes.
    pub path: InsidePath,
    /// Whether it cannot be written.
    #[serde(default, deserialize_with = "or_default")]
    pub read_only: bool,
}

/// A port, or several in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortEntry {
    /// Its name.
    pub name: AcName,
    /// `tcp`, `udp` or another.
    pub protocol: String,
    /// The number of the first: 1 to 65535.
    pub port: u64,
    /// How many there are; 0 is 1.
    #[serde(default, deserialize_with = "or_default")]
    pub count: u64,
    /// Whether the app is given listening sockets.
    #[serde(default, deserialize_with = "or_default")]
    pub socket_activated: bool,
}

/// Something that an app or a pod is held to. What its value may be depends on its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IsolatorEntry {
    /// What it is.
    pub name: AcIdentifier,
    /// How much of it.
    #[serde(default)]
    pub value: Value,
}

/// An image that another one is unpacked upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Dependency {
    /// Its name.
    pub image_name: AcIdentifier,
    /// Its ID.
    #[serde(default, rename = "imageID", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// Labels that it has, among others.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// How long its file is, in bytes; 0 is as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl ImageManifest {
    /// What `acKind` says of an image.
    pub const KIND: &'static str = "ImageManifest";

    /// A manifest of an image that has nothing but a name.
    pub fn new(name: AcIdentifier) -> Self {
        Self {
            ac_kind: Self::KIND.to_owned(),
            ac_version: AcVersion::current(),
            name,
            labels: Vec::new(),
            app: None,
            dependencies: Vec::new(),
            path_whitelist: Vec::new(),
            annotations: Vec::new(),
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

    /// Checks what the types of the fields let pass.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        let top = Field::default();
        check::labels(&self.labels, &top.then("labels"))?;
        check::annotations(&self.annotations, &top.then("annotations"))?;
        for (index, dependency) in self.dependencies.iter().enumerate() {
            let at = top.then("dependencies").at(index);
            check::labels(&dependency.labels, &at.then("labels"))?;
        }
        self.app.as_ref().map_or(Ok(()), |app| check::app(app, &top.then("app")))
    }

    /// Whether it says what to run. An image that does not can be a dependency, or run a command that the
    /// user gives.
    ///
    /// # Errors
    /// There is no app, or its `exec` is empty.
    pub fn runnable(&self) -> Result<(), ManifestError> {
        match &self.app {
            None => Err(ManifestError::NoApp),
            Some(app) if app.exec.is_empty() => {
                Err(ManifestError::NoProgram { field: "app.exec".into() })
            }
            Some(_) => Ok(()),
        }
    }
}
