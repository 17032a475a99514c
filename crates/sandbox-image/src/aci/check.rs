//! The rules of manifests that are about more than one field, or that a type cannot tell.

use std::collections::BTreeMap;

use super::error::{Field, ManifestError};
use super::isolators;
use super::manifest::{AppSection, PortEntry};
use super::platform;
use super::text;
use super::types::{Annotation, Label};

/// The highest port.
pub(super) const LAST_PORT: u64 = 65_535;

/// Names that are given once in their list.
pub(super) fn unique<'a>(
    names: impl Iterator<Item = &'a str>,
    list: &Field,
) -> Result<(), ManifestError> {
    let mut seen = BTreeMap::new();
    for (index, name) in names.enumerate() {
        if let Some(first) = seen.insert(name, index) {
            return Err(ManifestError::Duplicate {
                field: list.at(index).then("name"),
                value: name.to_owned(),
                first: list.at(first).then("name"),
            });
        }
    }
    Ok(())
}

pub(super) fn labels(labels: &[Label], list: &Field) -> Result<(), ManifestError> {
    unique(labels.iter().map(|label| label.name.as_str()), list)?;
    let of = |name| labels.iter().enumerate().find(|(_, label)| label.name.as_str() == name);
    if let Some((index, _)) = of("name") {
        let expected = "it would be taken for the image's name: call the label something else";
        return Err(ManifestError::invalid(list.at(index).then("name"), "name", expected));
    }
    // Without an os the architecture means nothing, and may say anything.
    let Some((index, os)) = of("os") else { return Ok(()) };
    let Some(architectures) = platform::architectures(&os.value) else {
        let expected = format!("{} are known", platform::systems().join(", "));
        return Err(ManifestError::invalid(list.at(index).then("value"), &os.value, expected));
    };
    match of("arch") {
        Some((index, arch)) if !architectures.contains(&arch.value.as_str()) => {
            let expected = format!("{} are known for {}", architectures.join(", "), os.value);
            Err(ManifestError::invalid(list.at(index).then("value"), &arch.value, expected))
        }
        _ => Ok(()),
    }
}

pub(super) fn annotations(annotations: &[Annotation], list: &Field) -> Result<(), ManifestError> {
    unique(annotations.iter().map(|annotation| annotation.name.as_str()), list)?;
    for (index, annotation) in annotations.iter().enumerate() {
        let value = annotation.value.as_str();
        let (sound, expected) = match annotation.name.as_str() {
            "created" => (text::is_date(value), "a time as 2014-10-27T19:32:27Z is (RFC 3339)"),
            "homepage" | "documentation" => {
                (text::is_web_address(value), "an address with http or https is")
            }
            _ => (true, ""),
        };
        if !sound {
            return Err(ManifestError::invalid(list.at(index).then("value"), value, expected));
        }
    }
    Ok(())
}

pub(super) fn app(app: &AppSection, at: &Field) -> Result<(), ManifestError> {
    for (name, value) in [("user", &app.user), ("group", &app.group)] {
        if value.is_empty() {
            let expected = "a name, a number or the path of a file is, as 0";
            return Err(ManifestError::invalid(at.then(name), value, expected));
        }
    }
    if !app.working_directory.is_empty() && !app.working_directory.starts_with('/') {
        let field = at.then("workingDirectory");
        let expected = "an absolute path inside the image is";
        return Err(ManifestError::invalid(field, &app.working_directory, expected));
    }
    event_handlers(app, &at.then("eventHandlers"))?;
    environment(app, &at.then("environment"))?;
    let mount_points = app.mount_points.iter().map(|point| point.name.as_str());
    unique(mount_points, &at.then("mountPoints"))?;
    unique(app.ports.iter().map(|port| port.name.as_str()), &at.then("ports"))?;
    for (index, entry) in app.ports.iter().enumerate() {
        port(entry, &at.then("ports").at(index))?;
    }
    isolators::read(&app.isolators, &at.then("isolators")).map(drop)
}

fn event_handlers(app: &AppSection, list: &Field) -> Result<(), ManifestError> {
    for (index, handler) in app.event_handlers.iter().enumerate() {
        let earlier = app.event_handlers.iter().take(index);
        if let Some(first) = earlier.clone().position(|other| other.name == handler.name) {
            return Err(ManifestError::Duplicate {
                field: list.at(index).then("name"),
                value: handler.name.to_string(),
                first: list.at(first).then("name"),
            });
        }
    }
    Ok(())
}

fn environment(app: &AppSection, list: &Field) -> Result<(), ManifestError> {
    for (index, variable) in app.environment.iter().enumerate() {
        if !text::is_variable(&variable.name) {
            let field = list.at(index).then("name");
            let expected = "letters, digits and `_.-` are, not a digit first";
            return Err(ManifestError::invalid(field, &variable.name, expected));
        }
    }
    unique(app.environment.iter().map(|variable| variable.name.as_str()), list)
}

fn port(port: &PortEntry, at: &Field) -> Result<(), ManifestError> {
    port_number(port.port, at.then("port"))?;
    let last = port.port.saturating_add(port.count.max(1)).saturating_sub(1);
    if last > LAST_PORT {
        let expected = format!("from port {} on there are none after {LAST_PORT}", port.port);
        return Err(ManifestError::invalid(at.then("count"), port.count.to_string(), expected));
    }
    Ok(())
}

pub(super) fn port_number(number: u64, field: Field) -> Result<(), ManifestError> {
    if (1..=LAST_PORT).contains(&number) {
        return Ok(());
    }
    Err(ManifestError::invalid(field, number.to_string(), format!("1 to {LAST_PORT} are")))
}
