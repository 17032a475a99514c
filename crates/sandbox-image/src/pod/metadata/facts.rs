//! What the service of a pod knows, as plain data.

use serde::Serialize;
use uuid::Uuid;

/// A word about a pod or an app, as manifests have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Its name, an AC Identifier.
    pub name: String,
    /// Any text.
    pub value: String,
}

impl Annotation {
    /// What an app's annotations are: those of its image, with the values that its pod gives instead,
    /// then those that only the pod has.
    pub fn merged(image: &[Self], pod: &[Self]) -> Vec<Self> {
        let named = |name: &str| pod.iter().rfind(|annotation| annotation.name == name);
        let of_image = image.iter().map(|annotation| named(&annotation.name).unwrap_or(annotation));
        let new = |annotation: &&Self| image.iter().all(|other| other.name != annotation.name);
        of_image.chain(pod.iter().filter(new)).cloned().collect()
    }
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFacts {
    /// Its `AC_APP_NAME`.
    pub name: String,
    /// Its image's ID: `sha512-` and 128 digits.
    pub image_id: String,
    /// The manifest of its image, every byte as it is there.
    pub image_manifest: Vec<u8>,
    /// Its annotations, [merged](Annotation::merged).
    pub annotations: Vec<Annotation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> Vec<Annotation> {
        pairs
            .iter()
            .map(|(name, value)| Annotation { name: (*name).into(), value: (*value).into() })
            .collect()
    }

    #[test]
    fn the_pod_wins_over_the_image() {
        let image = annotations(&[("a", "image"), ("b", "image")]);
        let pod = annotations(&[("c", "pod"), ("b", "pod")]);
        let expected = annotations(&[("a", "image"), ("b", "pod"), ("c", "pod")]);
        assert_eq!(Annotation::merged(&image, &pod), expected);
        assert_eq!(Annotation::merged(&image, &[]), image);
        assert_eq!(Annotation::merged(&[], &pod), pod);
    }
}
