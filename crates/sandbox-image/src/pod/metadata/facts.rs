//! What the service of a pod knows, as plain data.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aci::types::Annotation;

/// What an app's annotations are: those of its image, with the values that its pod gives instead, then
/// those that only the pod has.
pub fn merged_annotations(image: &[Annotation], pod: &[Annotation]) -> Vec<Annotation> {
    let of_pod = |name: &Annotation| pod.iter().rfind(|annotation| annotation.name == name.name);
    let of_image = image.iter().map(|annotation| of_pod(annotation).unwrap_or(annotation));
    let new = |annotation: &&Annotation| image.iter().all(|other| other.name != annotation.name);
    of_image.chain(pod.iter().filter(new)).cloned().collect()
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFacts {
    /// Who it is.
    pub uuid: Uuid,
    /// Its manifest as it runs, JSON.
    pub manifest: Vec<u8>,
    /// Its manifest's annotations.
    pub annotations: Vec<Annotation>,
    /// Its apps.
    pub apps: Vec<AppFacts>,
}

/// An app of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFacts {
    /// Its `AC_APP_NAME`.
    pub name: String,
    /// Its image's ID: `sha512-` and 128 digits.
    pub image_id: String,
    /// The manifest of its image, every byte as it is there.
    pub image_manifest: Vec<u8>,
    /// Its annotations, [merged](merged_annotations).
    pub annotations: Vec<Annotation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> Vec<Annotation> {
        pairs
            .iter()
            .map(|(name, value)| Annotation { name: name.parse().unwrap(), value: (*value).into() })
            .collect()
    }

    #[test]
    fn the_pod_wins_over_the_image() {
        let image = annotations(&[("a", "image"), ("b", "image")]);
        let pod = annotations(&[("c", "pod"), ("b", "pod")]);
        let expected = annotations(&[("a", "image"), ("b", "pod"), ("c", "pod")]);
        assert_eq!(merged_annotations(&image, &pod), expected);
        assert_eq!(merged_annotations(&image, &[]), image);
        assert_eq!(merged_annotations(&[], &pod), pod);
    }
}
