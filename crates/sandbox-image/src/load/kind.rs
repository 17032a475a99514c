//! What an image is, by its content and never by its name.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::LoadError;
use super::input::{Input, Watch};
use crate::archive::{Entries, Limits};

/// The first bytes of a squashfs image, as little-endian machines write it.
const SQUASHFS: &[u8] = b"hsqs";
/// How many entries are looked at before an archive is taken for a plain one.
const LOOKED_AT: usize = 3;

/// The kinds of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A directory tree, which is used as it is.
    Tree,
    /// An App Container image.
    Aci,
    /// A directory with an OCI image layout.
    OciLayout,
    /// The same as a tar archive.
    OciArchive,
    /// A directory with an OCI runtime bundle.
    OciBundle,
    /// What `docker save` writes.
    DockerArchive,
    /// A tar archive of a tree.
    Tar,
    /// A squashfs image.
    Squashfs,
}

impl Kind {
    /// Of a directory.
    pub fn of_directory(path: &Path) -> Self {
        if path.join("oci-layout").is_file() {
            return Self::OciLayout;
        }
        let bundle = path.join("config.json").is_file() && is_bundle(&path.join("config.json"));
        if bundle { Self::OciBundle } else { Self::Tree }
    }

    /// Of a file.
    pub(crate) fn of_file(input: &Input, watch: &Watch) -> Result<Self, LoadError> {
        let mut start = [0; 4];
        let is_squashfs = input.bytes().read_exact(&mut start).is_ok() && start == SQUASHFS;
        if is_squashfs {
            return Ok(Self::Squashfs);
        }
        let mut entries = Entries::new(input.stream(&watch.silent(), None)?, Limits::default());
        for index in 0..LOOKED_AT {
            let entry = entries.next_entry().map_err(|error| input.failed(error))?;
            let Some(entry) = entry else {
                if index == 0 {
                    return Err(LoadError::Empty { path: input.path().to_owned() });
                }
                break;
            };
            if let Some(kind) = by_name(&entry.path) {
                return Ok(kind);
            }
        }
        Ok(Self::Tar)
    }
}

/// Bundles have the version of the specification in their configuration.
fn is_bundle(config: &Path) -> bool {
    const ENOUGH: u64 = 4 << 20;
    let mut text = Vec::new();
    let read = fs::File::open(config).and_then(|file| file.take(ENOUGH).read_to_end(&mut text));
    let json = serde_json::from_slice::<serde_json::Value>(&text);
    read.is_ok() && json.is_ok_and(|json| json.get("ociVersion").is_some())
}

/// What an archive is that has an entry of this name among its first. `None`: it could be anything.
fn by_name(name: &[u8]) -> Option<Kind> {
    let name = str::from_utf8(name).unwrap_or("\u{fffd}");
    let name = name.trim_start_matches("./").trim_end_matches('/');
    let top = name.split('/').next().unwrap_or_default();
    let is_id = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match top {
        "" | "." => None,
        "manifest" | "rootfs" => Some(Kind::Aci),
        "oci-layout" | "index.json" | "blobs" => Some(Kind::OciArchive),
        "manifest.json" | "repositories" => Some(Kind::DockerArchive),
        id if is_id(id.trim_end_matches(".json").trim_end_matches(".tar")) => {
            Some(Kind::DockerArchive)
        }
        _ => Some(Kind::Tar),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tree => "directory tree",
            Self::Aci => "App Container image",
            Self::OciLayout => "OCI image layout",
            Self::OciArchive => "archive of an OCI image layout",
            Self::OciBundle => "OCI runtime bundle",
            Self::DockerArchive => "docker archive",
            Self::Tar => "tar archive",
            Self::Squashfs => "squashfs image",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_tells() {
        let id = "0".repeat(64);
        for (name, kind) in [
            ("manifest", Some(Kind::Aci)),
            ("./rootfs/", Some(Kind::Aci)),
            ("rootfs/bin/sh", Some(Kind::Aci)),
            ("oci-layout", Some(Kind::OciArchive)),
            ("./blobs/sha256", Some(Kind::OciArchive)),
            ("manifest.json", Some(Kind::DockerArchive)),
            (&format!("{id}/layer.tar"), Some(Kind::DockerArchive)),
            (&format!("{id}.json"), Some(Kind::DockerArchive)),
            ("bin/", Some(Kind::Tar)),
            ("manifests", Some(Kind::Tar)),
            ("./", None),
        ] {
            assert_eq!(by_name(name.as_bytes()), kind, "{name}");
        }
    }

    #[test]
    fn directories() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Kind::of_directory(dir.path()), Kind::Tree);
        fs::write(dir.path().join("config.json"), "{}").unwrap();
        assert_eq!(Kind::of_directory(dir.path()), Kind::Tree);
        fs::write(dir.path().join("config.json"), r#"{"ociVersion": "1.0.2"}"#).unwrap();
        assert_eq!(Kind::of_directory(dir.path()), Kind::OciBundle);
        fs::write(dir.path().join("oci-layout"), "{}").unwrap();
        assert_eq!(Kind::of_directory(dir.path()), Kind::OciLayout);
    }
}
