//! App Container images: the situations of the specification's own tests, and what else can be wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod app;
mod app_section;
mod build;
mod dependencies;
mod isolators;
mod manifest;
mod pod;
mod quantities;
mod render;
mod types;

use sandbox_image::aci::ImageManifest;

/// An image's manifest with these further fields, as in `"labels": []`.
fn image(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(
        r#"{{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/test"{comma} {fields}}}"#
    )
}

/// An image whose app has these further fields.
fn image_with_app(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    image(&format!(r#""app": {{"exec": ["/app"], "user": "0", "group": "0"{comma} {fields}}}"#))
}

#[track_caller]
fn parse(text: &str) -> ImageManifest {
    ImageManifest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The error of a manifest that isn't one.
#[track_caller]
fn error(text: &str) -> String {
    match ImageManifest::parse(text.as_bytes()) {
        Ok(manifest) => panic!("{manifest:?}"),
        Err(error) => error.to_string(),
    }
}

/// Each manifest has an error that begins so.
#[track_caller]
fn errors(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let error = error(text);
        assert!(error.starts_with(expected), "{error}\n{expected}\n{text}");
        assert!(!error.contains('\n'), "{error}");
    }
}
