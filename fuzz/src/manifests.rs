//! Manifests of the App Container specification: what was taken once is taken again, and means the same.

use sandbox_image::aci::{ImageManifest, PodManifest, app};

/// The manifest of an image.
pub fn aci_manifest(bytes: &[u8]) {
    let Ok(manifest) = ImageManifest::parse(bytes) else { return };
    let made = app::app(&manifest).expect("a manifest that was parsed is an app");
    let runnable = manifest.runnable().is_ok();
    assert_eq!(runnable, !made.exec.is_empty(), "runnable is what has a program");
    let text = serde_json::to_vec(&manifest).expect("it is written");
    let again = ImageManifest::parse(&text).expect("what was written is read");
    assert_eq!(manifest, again);
    assert_eq!(made, app::app(&again).expect("it is an app still"));
}

/// The manifest of a pod.
pub fn pod_manifest(bytes: &[u8]) {
    let Ok(manifest) = PodManifest::parse(bytes) else { return };
    assert_eq!(manifest.runnable().is_ok(), !manifest.apps.is_empty());
    for pod_app in &manifest.apps {
        if let Some(section) = &pod_app.app {
            app::from_section(pod_app.name.as_str(), section, &"app".into())
                .expect("a section that was parsed is an app");
        }
    }
    let text = serde_json::to_vec(&manifest).expect("it is written");
    assert_eq!(manifest, PodManifest::parse(&text).expect("what was written is read"));
}
