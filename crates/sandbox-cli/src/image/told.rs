//! What people and programs are told of an image.

use sandbox_image::app::{IsolatorReport, Warning};
use sandbox_image::load::{Loaded, Runs};
use serde::Serialize;

use crate::event::Event;
use crate::render::line;
use crate::report::Audience;
use crate::run::Verbosity;

/// One isolator, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Isolator {
    name: String,
    outcome: String,
    detail: String,
}

/// Tells of an image that was loaded, and of what it asks for.
pub(super) fn image(
    loaded: &Loaded,
    reports: &[IsolatorReport],
    warnings: &[String],
    verbosity: &Verbosity,
    audience: &Audience,
) {
    let id = loaded.id.as_ref().map(|id| match loaded.aci {
        Some(_) => id.appc(),
        None => id.to_string(),
    });
    let name = match &loaded.runs {
        Runs::App(app) => Some(app.name.clone()),
        _ => None,
    };
    let mut text = String::new();
    if let (Verbosity::Verbose, Some(id)) = (verbosity, &id) {
        text += &line("info", format_args!("the {} is {id}", loaded.kind));
    }
    text.extend(loaded.lost.iter().map(|lost| line("warning", lost)));
    text.extend(warnings.iter().map(|warning| line("warning", warning)));
    text.extend(reports.iter().map(|report| line("isolator", report)));
    audience.say(&text);
    audience.event(&Event::Image {
        kind: loaded.kind.to_string(),
        name,
        id,
        isolators: reports.iter().map(Isolator::from).collect(),
        warnings: loaded
            .lost
            .iter()
            .cloned()
            .chain(warnings.iter().map(ToString::to_string))
            .collect(),
    });
}

/// What the user should know, in words.
pub(super) fn words(warnings: &[Warning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}

impl From<&IsolatorReport> for Isolator {
    fn from(report: &IsolatorReport) -> Self {
        Self {
            name: report.name.clone(),
            outcome: report.disposition.to_string(),
            detail: report.detail.clone(),
        }
    }
}
