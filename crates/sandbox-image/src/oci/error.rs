//! What can be wrong with an OCI image or bundle, or with an archive that holds one.

use std::io;
use std::path::PathBuf;

use sandbox_core::ConfigError;

use super::digest::BlobDigest;
use super::platform::Platform;
use crate::archive::Digest;
use crate::{archive, unpack};

/// An image or bundle that cannot be used.
///
/// Every variant names the file or field and the value, and says what would work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OciError {
    /// Neither an image layout nor what `docker save` writes.
    #[error(
        "{} is no image: it has neither `oci-layout` nor `manifest.json` at its top",
        path.display()
    )]
    NotAnImage {
        /// The directory or archive.
        path: PathBuf,
    },
    /// A layout of another version.
    #[error("oci-layout: imageLayoutVersion {version:?}: only 1.0.0 is known")]
    LayoutVersion {
        /// What it says.
        version: String,
    },
    /// A file that a layout must have.
    #[error("{} has no {file}: the image is incomplete", path.display())]
    NoFile {
        /// The directory or archive.
        path: PathBuf,
        /// What is missing.
        file: String,
    },
    /// A layer that registries do not give on.
    #[error("layer {digest} ({media_type}) is not in the image, and nothing is downloaded: put it at {}{}",
        digest.path(), from(urls))]
    ForeignLayer {
        /// The layer.
        digest: BlobDigest,
        /// Its media type.
        media_type: String,
        /// Where it can be had.
        urls: Vec<String>,
    },
    /// JSON that is broken, or not what the specification says.
    #[error("{file}: {field}: {source}")]
    Json {
        /// The file.
        file: String,
        /// Where in it.
        field: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A JSON file that is too large to be read.
    #[error("{file}: {size} bytes of JSON: at most {limit} are read")]
    JsonTooLarge {
        /// The file.
        file: String,
        /// Its size in bytes, as far as known.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A JSON file that is nested too deeply.
    #[error("{file}: nested deeper than {limit} levels: no image needs that")]
    JsonTooDeep {
        /// The file.
        file: String,
        /// The most that is read.
        limit: usize,
    },
    /// A field with a value that does not work.
    #[error("{file}: {field}: {value:?}: {expected}")]
    Field {
        /// The file.
        file: String,
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// What would work.
        expected: &'static str,
    },
    /// A field that has to be there.
    #[error("{file}: {field} is missing: {expected}")]
    NoField {
        /// The file.
        file: String,
        /// The field.
        field: String,
        /// What would work.
        expected: &'static str,
    },
    /// A media type that is not known.
    #[error("{field}: media type {value:?} is not supported: supported are {}", supported.join(", "))]
    MediaType {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// What would work.
        supported: Vec<&'static str>,
    },
    /// More of something than any image needs.
    #[error("{file}: more than {limit} {what}")]
    TooMany {
        /// The file.
        file: String,
        /// Of what.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
    },
    /// No image for the platform that is wanted.
    #[error("no image for {wanted} in {}: it has {}", path.display(), list(found))]
    NoPlatform {
        /// The directory or archive.
        path: PathBuf,
        /// The platform that is wanted.
        wanted: Box<Platform>,
        /// Those that are there.
        found: Vec<Platform>,
    },
    /// No image of that name.
    #[error("no image {wanted:?} in {}: it has {}", path.display(), list(found))]
    NoReference {
        /// The directory or archive.
        path: PathBuf,
        /// The name that is wanted.
        wanted: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// Several images, and no name says which.
    #[error("{} has several images: give the name of one: {}", path.display(), list(found))]
    Ambiguous {
        /// The directory or archive.
        path: PathBuf,
        /// Their names.
        found: Vec<String>,
    },
    /// A blob that is not what its descriptor says.
    #[error("{file}: its digest is {found}, and {expected} is wanted: the image is damaged")]
    DigestMismatch {
        /// The blob, or the layer whose uncompressed archive it is.
        file: String,
        /// The digest that it should have.
        expected: Digest,
        /// The one that it has.
        found: Digest,
    },
    /// A blob of another size than its descriptor says.
    #[error("{file}: it has {found} bytes, and {expected} are wanted: the image is damaged")]
    SizeMismatch {
        /// The blob.
        file: String,
        /// The size that it should have, in bytes.
        expected: u64,
        /// The one that it has.
        found: u64,
    },
    /// Layers and their digests do not pair up.
    #[error(
        "{file}: rootfs.diff_ids has {diff_ids} digests for {layers} layers: the image is damaged"
    )]
    DiffIds {
        /// The image's configuration.
        file: String,
        /// How many layers there are.
        layers: usize,
        /// How many digests.
        diff_ids: usize,
    },
    /// Nothing to run.
    #[error("the image has neither Entrypoint nor Cmd: give a command")]
    NoCommand,
    /// A value that no sandbox can have.
    #[error("{file}: {field}: {source}")]
    Config {
        /// The file.
        file: String,
        /// The field.
        field: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// An archive, or a layer's, that is broken.
    #[error("{file}: {source}")]
    Archive {
        /// The file.
        file: String,
        /// What is wrong.
        source: archive::Error,
    },
    /// A layer that cannot be unpacked.
    #[error("{layer}: {source}")]
    Unpack {
        /// The layer.
        layer: String,
        /// What is wrong.
        source: unpack::Error,
    },
    /// A file that cannot be read.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn list(items: &[impl ToString]) -> String {
    match items {
        [] => "none".to_owned(),
        items => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn from(urls: &[String]) -> String {
    if urls.is_empty() { String::new() } else { format!(" (it can be had from {})", list(urls)) }
}
