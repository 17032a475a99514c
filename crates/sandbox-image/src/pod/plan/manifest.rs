//! The manifest of a planned pod (PodManifest of the specification's pods.md).

use serde::Serialize;
use serde_json::Value;

use super::{AppPlan, Pod, PodApp, PodError, PodVolume, VolumeSource};
use crate::pod::metadata::Annotation;

/// The version of the specification.
const AC_VERSION: &str = "0.8.11";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    ac_version: &'static str,
    ac_kind: &'static str,
    apps: Vec<App<'a>>,
    volumes: Vec<Volume<'a>>,
    isolators: &'a [Value],
    annotations: &'a [Annotation],
    ports: &'a [Value],
}

#[derive(Serialize)]
struct App<'a> {
    name: &'a str,
    image: Image<'a>,
    #[serde(rename = "app", skip_serializing_if = "Option::is_none")]
    replaced: Option<&'a Value>,
    mounts: Vec<Mount<'a>>,
    annotations: &'a [Annotation],
}

#[derive(Serialize)]
struct Image<'a> {
    name: &'a str,
    id: &'a str,
    labels: Vec<Label<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Mount<'a> {
    volume: &'a str,
    path: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Volume<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    read_only: bool,
}

/// The JSON of a pod's manifest.
pub(super) fn json(
    pod: &Pod,
    plans: &[AppPlan],
    volumes: &[PodVolume],
) -> Result<Vec<u8>, PodError> {
    let apps = pod.apps.iter().zip(plans).map(|(app, plan)| one_app(app, plan));
    let manifest = Manifest {
        ac_version: AC_VERSION,
        ac_kind: "PodManifest",
        apps: apps.collect::<Result<_, _>>()?,
        volumes: volumes.iter().map(volume).collect::<Result<_, _>>()?,
        isolators: &pod.isolators,
        annotations: &pod.annotations,
        ports: &pod.ports,
    };
    Ok(serde_json::to_vec(&manifest)?)
}

fn one_app<'a>(app: &'a PodApp, plan: &'a AppPlan) -> Result<App<'a>, PodError> {
    let mounts = plan.mounts.iter().map(|mount| {
        let text = mount.path.as_os_str().to_str();
        let path =
            text.ok_or_else(|| PodError::Path { app: app.name.clone(), path: mount.path.clone() })?;
        Ok(Mount { volume: &mount.volume, path })
    });
    let labels = app.image.labels.iter().map(|(name, value)| Label { name, value });
    Ok(App {
        name: &app.name,
        image: Image { name: &app.image.name, id: &app.image.id, labels: labels.collect() },
        replaced: app.app.as_ref(),
        mounts: mounts.collect::<Result<_, PodError>>()?,
        annotations: &app.annotations,
    })
}

fn volume(volume: &PodVolume) -> Result<Volume<'_>, PodError> {
    let (kind, source) = match &volume.source {
        VolumeSource::Empty => ("empty", None),
        VolumeSource::Host(path) => {
            let text = path.to_str().ok_or_else(|| PodError::Source {
                volume: volume.name.clone(),
                path: path.clone(),
            })?;
            ("host", Some(text))
        }
    };
    Ok(Volume { name: &volume.name, kind, source, read_only: volume.read_only })
}
