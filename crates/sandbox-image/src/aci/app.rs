//! From an image's manifest to what it runs.

use std::ffi::OsString;

use sandbox_core::InsidePath;

use super::error::{Field, ManifestError};
use super::isolators;
use super::manifest::{AppSection, Event, ImageManifest};
use crate::app::{App, MountPoint, Port};

/// What an image runs: its name is the last part of the image's. Whether it says a program is for
/// [`ImageManifest::runnable`].
///
/// # Errors
/// The first field that is wrong: none, for a manifest that was parsed.
pub fn app(manifest: &ImageManifest) -> Result<App, ManifestError> {
    let name = manifest.name.last_component();
    match &manifest.app {
        Some(section) => from_section(name, section, &"app".into()),
        None => Ok(App::new(name, Vec::new())),
    }
}

/// What this section of a manifest, which is at `field`, makes an app of this name run.
///
/// # Errors
/// The first field that is wrong: none, for a manifest that was parsed.
pub fn from_section(name: &str, section: &AppSection, field: &Field) -> Result<App, ManifestError> {
    let handler = |event| {
        let mut handlers = section.event_handlers.iter();
        let handler = handlers.find(|handler| handler.name == event);
        handler.map(|handler| arguments(&handler.exec)).filter(|exec| !exec.is_empty())
    };
    let mut app = App::new(name, arguments(&section.exec));
    app.user.clone_from(&section.user);
    app.group = Some(section.group.clone());
    app.supplementary_gids.clone_from(&section.supplementary_gids);
    app.working_directory = working_directory(section, field)?;
    app.environment = section
        .environment
        .iter()
        .map(|variable| (variable.name.clone(), variable.value.clone().into()))
        .collect();
    app.pre_start = handler(Event::PreStart);
    app.post_stop = handler(Event::PostStop);
    app.mount_points = section
        .mount_points
        .iter()
        .map(|point| MountPoint {
            name: point.name.to_string(),
            path: point.path.clone(),
            read_only: point.read_only,
        })
        .collect();
    app.ports = ports(section, field)?;
    app.isolators = isolators::read(&section.isolators, &field.then("isolators"))?;
    Ok(app)
}

fn arguments(exec: &[String]) -> Vec<OsString> {
    exec.iter().map(OsString::from).collect()
}

fn working_directory(section: &AppSection, field: &Field) -> Result<InsidePath, ManifestError> {
    let directory = section.working_directory.as_str();
    if directory.is_empty() {
        return Ok(InsidePath::root());
    }
    InsidePath::absolute(directory, "workingDirectory").map_err(|_| {
        let expected = "an absolute path inside the image is";
        ManifestError::invalid(field.then("workingDirectory"), directory, expected)
    })
}

fn ports(section: &AppSection, field: &Field) -> Result<Vec<Port>, ManifestError> {
    let list = field.then("ports");
    let narrow = |number: u64, index: usize, name: &str| {
        u16::try_from(number).map_err(|_| {
            let field = list.at(index).then(name);
            ManifestError::invalid(field, number.to_string(), "65535 is the most")
        })
    };
    let ports = section.ports.iter().enumerate();
    ports
        .map(|(index, entry)| {
            Ok(Port {
                name: entry.name.to_string(),
                protocol: entry.protocol.clone(),
                port: narrow(entry.port, index, "port")?,
                count: narrow(entry.count.max(1), index, "count")?,
                socket_activated: entry.socket_activated,
            })
        })
        .collect()
}
