//! One image of a layout, and its files in order.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use super::app::Run;
use super::digest::BlobDigest;
use super::error::OciError;
use super::layout::Layout;
use super::media::{self, Kind};
use super::platform::Platform;
use super::types::{Descriptor, ImageConfig};
use crate::archive::{Digest, Entries, Limits, Progress, Stream, StreamOptions};
use crate::unpack::{Budget, Choice, Options, Report, Unpacker};

/// An image for one platform.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Image {
    /// The name that it was found by, if it has one.
    pub reference: Option<String>,
    /// What it is known by: the digest of its manifest; in a docker-archive, of its configuration. Both
    /// hold the digests of all its layers.
    pub digest: Digest,
    /// What it is for.
    pub platform: Platform,
    /// How it is run.
    pub run: Run,
    layers: Vec<Layer>,
    diff_ids: Vec<BlobDigest>,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    path: String,
    descriptor: Option<Descriptor>,
}

impl Layer {
    pub(super) fn of_layout(descriptor: Descriptor) -> Self {
        Self { path: descriptor.digest.path(), descriptor: Some(descriptor) }
    }

    pub(super) fn of_archive(path: &str) -> Self {
        Self { path: path.to_owned(), descriptor: None }
    }
}

impl Image {
    /// `file` is the configuration's name in errors.
    pub(super) fn new(
        file: String,
        reference: Option<&str>,
        digest: Digest,
        config: &ImageConfig,
        layers: Vec<Layer>,
    ) -> Result<Self, OciError> {
        let kind = &config.rootfs.kind;
        if !kind.is_empty() && kind != "layers" {
            let (field, value) = ("rootfs.type".to_owned(), kind.clone());
            return Err(OciError::Field { file, field, value, expected: "only `layers` is known" });
        }
        let diff_ids = config.rootfs.diff_ids.clone();
        if diff_ids.len() != layers.len() {
            let (layers, diff_ids) = (layers.len(), diff_ids.len());
            return Err(OciError::DiffIds { file, layers, diff_ids });
        }
        Ok(Self {
            reference: reference.map(str::to_owned),
            digest,
            platform: config.platform(),
            run: Run::new(&file, &app_name(reference.unwrap_or_default()), &config.config)?,
            layers,
            diff_ids,
        })
    }
}

impl Layout {
    /// Bytes of an image's layers as they are stored: as many as progress goes to.
    ///
    /// # Errors
    /// A layer is missing.
    pub fn stored_bytes(&self, image: &Image) -> Result<u64, OciError> {
        // Files with holes can be so long that their sum is no number.
        let add = |sum: u64, layer| Ok(sum.saturating_add(self.layer(layer)?.size));
        image.layers.iter().try_fold(0, add)
    }

    /// Unpacks an image's layers, one over the other, below `root`: an empty directory, opened for
    /// reading. Sizes and digests are checked meanwhile, those of the layers as they are stored and of the
    /// archives in them. `progress` hears how many of the [stored bytes](Self::stored_bytes) have been
    /// read.
    ///
    /// [`Options::for_layers`] is what runtimes do. After an error `root` is good for removal only.
    ///
    /// # Errors
    /// A layer is missing, damaged or not what its digest says; it cannot be unpacked.
    pub fn unpack(
        &self,
        image: &Image,
        root: OwnedFd,
        options: Options,
        progress: Option<Progress>,
    ) -> Result<Report, OciError> {
        let progress = progress.map(|progress| Arc::new(Mutex::new(progress)));
        // This ends what has nothing but headers and padding.
        let max_bytes = Budget::stream_limit(options.budget.max_bytes());
        let mut unpacker = Unpacker::new(root, options);
        let mut before = 0_u64;
        for (layer, diff_id) in image.layers.iter().zip(&image.diff_ids) {
            let blob = self.layer(layer)?;
            let size = blob.size;
            let stored = layer.descriptor.as_ref().map(|at| at.digest.digest());
            // A layer that is stored uncompressed has the same digest: once is enough.
            let stored = stored.filter(|digest| *digest != diff_id.digest());
            let options = StreamOptions {
                raw_digest: stored.map(Digest::algorithm),
                digest: Some(diff_id.digest().algorithm()),
                progress: progress.clone().map(|progress| shifted(progress, before)),
                max_bytes: Some(max_bytes),
            };
            let archive = |source| OciError::Archive { file: layer.path.clone(), source };
            let stream = Stream::new(blob.content, options).map_err(archive)?;
            let mut entries = Entries::new(stream, Limits::default());
            unpacker
                .apply(&mut entries, &mut |_| Choice::Unpack)
                .map_err(|source| OciError::Unpack { layer: layer.path.clone(), source })?;
            let totals = entries.finish().and_then(Stream::finish).map_err(archive)?;
            if totals.raw_bytes != size {
                let (file, found) = (layer.path.clone(), totals.raw_bytes);
                return Err(OciError::SizeMismatch { file, expected: size, found });
            }
            same(&layer.path, stored, totals.raw_digest)?;
            let inside = format!("the archive in {}", layer.path);
            same(&inside, Some(diff_id.digest()), totals.digest)?;
            before = before.saturating_add(size);
        }
        let last = image.layers.last().map(|layer| layer.path.clone()).unwrap_or_default();
        unpacker.finish().map_err(|source| OciError::Unpack { layer: last, source })
    }

    /// Opens a layer, which has the size that it should have.
    fn layer(&self, layer: &Layer) -> Result<super::store::Blob, OciError> {
        let blob = self.store().open(&layer.path)?;
        match (blob, &layer.descriptor) {
            (Some(blob), Some(at)) if blob.size != at.size => {
                let (file, expected, found) = (layer.path.clone(), at.size, blob.size);
                Err(OciError::SizeMismatch { file, expected, found })
            }
            (Some(blob), _) => Ok(blob),
            (None, Some(at)) if media::kind(&at.media_type) == Kind::ForeignLayer => {
                let (digest, media_type) = (at.digest.clone(), at.media_type.clone());
                Err(OciError::ForeignLayer { digest, media_type, urls: at.urls.clone() })
            }
            (None, _) => Err(self.store().missing(&layer.path)),
        }
    }
}

/// Progress of a layer that begins after so many bytes.
fn shifted(progress: Arc<Mutex<Progress>>, before: u64) -> Progress {
    Box::new(move |read| {
        // One that has panicked is told nothing more.
        progress.lock().map_or(Ok(()), |mut progress| progress(before.saturating_add(read)))
    })
}

fn same(file: &str, expected: Option<&Digest>, found: Option<Digest>) -> Result<(), OciError> {
    match (expected, found) {
        (Some(expected), Some(found)) if *expected != found => {
            let (file, expected) = (file.to_owned(), expected.clone());
            Err(OciError::DigestMismatch { file, expected, found })
        }
        _ => Ok(()),
    }
}

/// A name for the app from an image's: `host/debian/Shell:1.0` is `shell`.
fn app_name(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or_default();
    let bare = last.split([':', '@']).next().unwrap_or_default().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let words: Vec<_> = bare.split(|c| !plain(c)).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "image".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_named_after_images() {
        for (reference, want) in [
            ("", "image"),
            ("latest", "latest"),
            ("alpine:3.19", "alpine"),
            ("host:5000/library/My_App:1", "my-app"),
            ("a/b@sha256:00", "b"),
            ("x/::", "image"),
        ] {
            assert_eq!(app_name(reference), want, "{reference}");
        }
    }
}
