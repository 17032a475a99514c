//! The files of the image specification: those of their fields that mean something here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::BlobDigest;
use super::json::nullable;
use super::platform::Platform;

/// The annotation that names an image in the index of a layout.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// `oci-layout` (image-layout.md).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LayoutFile {
    #[serde(rename = "imageLayoutVersion")]
    pub(super) version: String,
}

/// Refers to a blob (descriptor.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// What the blob is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: BlobDigest,
    /// Its size in bytes.
    pub size: u64,
    /// Where else it can be had.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Anything else that is said about it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// In an index: the platform that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// The name that the image has in a layout's index.
    pub fn reference(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }
}

/// `index.json` and indexes in blobs (image-index.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Index {
    /// 2.
    pub schema_version: u64,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Manifests, and further indexes.
    #[serde(default, deserialize_with = "nullable")]
    pub manifests: Vec<Descriptor>,
}

/// The manifest of one image (manifest.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    /// 2.
    pub schema_version: u64,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The image's configuration.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    #[serde(default, deserialize_with = "nullable")]
    pub layers: Vec<Descriptor>,
}

/// The configuration of one image (config.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageConfig {
    /// The operating system that it is for.
    pub os: String,
    /// The processor that it is for.
    pub architecture: String,
    /// Which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How it is run.
    #[serde(default, deserialize_with = "nullable")]
    pub config: Execution,
    /// What its files are.
    pub rootfs: RootFs,
}

impl ImageConfig {
    /// The platform that it is for.
    pub fn platform(&self) -> Platform {
        Platform::new(&*self.os, &*self.architecture)
            .variant(self.variant.clone().unwrap_or_default())
    }
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RootFs {
    /// `layers`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The digest of each layer's uncompressed archive, the lowest first.
    #[serde(default, deserialize_with = "nullable")]
    pub diff_ids: Vec<BlobDigest>,
}

/// The parameters of a container that is made of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[non_exhaustive]
pub struct Execution {
    /// `user[:group]`, names or numbers. Empty: user 0.
    #[serde(deserialize_with = "nullable")]
    pub user: String,
    /// Ports that it listens to: `80`, `80/tcp`, `8000-8010/udp`.
    #[serde(deserialize_with = "nullable")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// Variables: `NAME=VALUE`.
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// The words that any arguments follow.
    #[serde(deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// The arguments where none are given; the command where there is no entry point.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// Directories for data that is not the image's.
    #[serde(deserialize_with = "nullable")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    /// Where it starts.
    #[serde(deserialize_with = "nullable")]
    pub working_dir: String,
    /// What is said about it.
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// The signal that ends it: `SIGTERM`.
    #[serde(deserialize_with = "nullable")]
    pub stop_signal: String,
}

/// An item of a docker-archive's `manifest.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SavedImage {
    pub(super) config: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) layers: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    #[test]
    fn lists_that_are_null_are_empty() {
        let text = r#"{"architecture": "amd64", "os": "linux", "config": null,
            "rootfs": {"type": "layers", "diff_ids": null}, "history": [{}]}"#;
        let config: ImageConfig = parse("config", text.as_bytes()).unwrap();
        assert_eq!(config.platform(), Platform::new("linux", "amd64"));
        assert_eq!(config.config, Execution::default());
        let text = r#"{"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": []},
            "config": {"Env": null, "Cmd": null, "Volumes": null, "Entrypoint": ["/a"]}}"#;
        let config: ImageConfig = parse("config", text.as_bytes()).unwrap();
        assert_eq!(config.config.entrypoint, ["/a"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        let zeros = "0".repeat(64);
        let descriptor = format!(r#"{{"digest": "sha256:{zeros}", "size": 1}}"#);
        for (text, want) in [
            ("{}".to_owned(), "index.json: .: missing field `schemaVersion`"),
            (
                r#"{"schemaVersion": 2, "manifests": [{"digest": "sha256:00", "size": 1}]}"#
                    .to_owned(),
                "index.json: manifests[0].digest: \"sha256:00\" is not a digest",
            ),
            (
                descriptor
                    .replace("1}", "-1}")
                    .replace('{', r#"{"schemaVersion": 2, "manifests": [{"#)
                    + "]}",
                "index.json: manifests[0].size: invalid value: integer `-1`",
            ),
            ("7".to_owned(), "index.json: .: invalid type: integer `7`"),
        ] {
            let error = parse::<Index>("index.json", text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
    }
}
