//! An image layout, or what `docker save` writes: which images are in it, and their files.

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use super::error::OciError;
use super::image::{Image, Layer};
use super::json;
use super::media::{self, Kind};
use super::platform::Platform;
use super::select;
use super::store::Store;
use super::types::{Descriptor, ImageConfig, Index, LayoutFile, Manifest, SavedImage};
use crate::archive::{Algorithm, Digest};

/// The most layers of an image; runtimes take some hundreds at most.
const LAYERS: usize = 1024;

/// Images in a directory or an archive.
pub struct Layout {
    store: Store,
    format: Format,
}

enum Format {
    /// An image layout (image-layout.md).
    Layout(Index),
    /// A docker-archive without one.
    Saved(Vec<SavedImage>),
}

impl Layout {
    /// Opens the images in a directory. `path` is its name in errors.
    ///
    /// # Errors
    /// There is neither `oci-layout` nor `manifest.json`, or what says which images there are is broken.
    pub fn directory(directory: OwnedFd, path: &Path) -> Result<Self, OciError> {
        Self::new(Store::directory(directory, path))
    }

    /// Opens the images in a tar archive, however it is compressed; `path` is its name in errors. It is
    /// read where it lies, if that can be; else it is put, uncompressed, into the directory `scratch`, in
    /// a file that goes when this is dropped. An archive with more than `max_bytes` is an error then.
    ///
    /// # Errors
    /// As of [`Layout::directory`]; the archive is broken.
    pub fn archive(
        file: File,
        path: &Path,
        scratch: BorrowedFd<'_>,
        max_bytes: u64,
    ) -> Result<Self, OciError> {
        Self::new(Store::archive(file, path, scratch, max_bytes)?)
    }

    /// Newer archives of `docker save` are both; a layout has digests for all that is in it.
    fn new(store: Store) -> Result<Self, OciError> {
        let format = match store.json::<LayoutFile>("oci-layout")? {
            Some(LayoutFile { version }) if version != "1.0.0" => {
                return Err(OciError::LayoutVersion { version });
            }
            Some(_) => {
                let index = "index.json";
                let found = store.json::<Index>(index)?.ok_or_else(|| store.missing(index))?;
                schema(index, found.schema_version)?;
                Format::Layout(found)
            }
            None => match store.json("manifest.json")? {
                Some(images) => Format::Saved(images),
                None => return Err(OciError::NotAnImage { path: store.path().to_owned() }),
            },
        };
        Ok(Self { store, format })
    }

    /// The image of this name for this platform. Without a name there has to be only one. In a layout
    /// names are those of the annotation `org.opencontainers.image.ref.name`; in a docker-archive
    /// `NAME:TAG`, `NAME` for `NAME:latest`, or just the tag; `docker.io/` need not be there.
    ///
    /// # Errors
    /// There is none, or several are possible: what there is is listed. Its manifest or configuration is
    /// broken, not what its digest says, or of a type that is not supported.
    pub fn image(&self, name: Option<&str>, platform: &Platform) -> Result<Image, OciError> {
        match &self.format {
            Format::Layout(index) => {
                let chosen = select::manifest(self, index, name, platform)?;
                self.in_layout(&chosen)
            }
            Format::Saved(images) => self.in_archive(select::saved(self, images, name)?, platform),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn in_layout(&self, chosen: &Descriptor) -> Result<Image, OciError> {
        let (file, manifest) = self.manifest(chosen)?;
        let config = self.config(&file, &manifest)?;
        let layer = |(index, layer): (usize, &Descriptor)| {
            let kinds = [Kind::Layer, Kind::ForeignLayer];
            let field = format!("{file}: layers[{index}].mediaType");
            expect(field, &layer.media_type, &kinds)
        };
        manifest.layers.iter().enumerate().try_for_each(layer)?;
        let layers = manifest.layers.into_iter().map(Layer::of_layout).collect();
        let digest = chosen.digest.digest().clone();
        let config_file = manifest.config.digest.path();
        Image::new(config_file, chosen.reference(), digest, &config, layers)
    }

    fn in_archive(&self, saved: &SavedImage, platform: &Platform) -> Result<Image, OciError> {
        let file = &saved.config;
        let bytes = self.store.bytes(file)?.ok_or_else(|| self.store.missing(file))?;
        let config: ImageConfig = json::parse(file, &bytes)?;
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        // Its name is its digest, unless somebody has given it another.
        let name = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        if let Ok(expected) = format!("sha256:{name}").parse::<Digest>()
            && expected != digest
        {
            return Err(OciError::DigestMismatch { file: file.clone(), expected, found: digest });
        }
        if !config.platform().is_for(platform) {
            return Err(OciError::NoPlatform {
                path: self.store.path().to_owned(),
                wanted: platform.clone().into(),
                found: vec![config.platform()],
            });
        }
        if saved.layers.len() > LAYERS {
            return Err(too_many("manifest.json"));
        }
        let layers = saved.layers.iter().map(|path| Layer::of_archive(path)).collect();
        let name = saved.repo_tags.first().map(String::as_str);
        Image::new(file.clone(), name, digest, &config, layers)
    }

    /// A manifest, with the name of its file.
    pub(super) fn manifest(&self, at: &Descriptor) -> Result<(String, Manifest), OciError> {
        let (file, manifest) = self.blob::<Manifest>(at)?;
        schema(&file, manifest.schema_version)?;
        if let Some(own) = &manifest.media_type {
            expect(format!("{file}: mediaType"), own, &[Kind::Manifest])?;
        }
        if manifest.layers.len() > LAYERS {
            return Err(too_many(&file));
        }
        Ok((file, manifest))
    }

    /// An index in a blob, with the name of its file.
    pub(super) fn index(&self, at: &Descriptor) -> Result<Index, OciError> {
        let (file, index) = self.blob::<Index>(at)?;
        schema(&file, index.schema_version)?;
        if let Some(own) = &index.media_type {
            expect(format!("{file}: mediaType"), own, &[Kind::Index])?;
        }
        Ok(index)
    }

    pub(super) fn config(&self, file: &str, manifest: &Manifest) -> Result<ImageConfig, OciError> {
        let field = format!("{file}: config.mediaType");
        expect(field, &manifest.config.media_type, &[Kind::Config])?;
        Ok(self.blob(&manifest.config)?.1)
    }

    /// What a blob says that is JSON, with the name of its file.
    fn blob<T: serde::de::DeserializeOwned>(
        &self,
        at: &Descriptor,
    ) -> Result<(String, T), OciError> {
        let file = at.digest.path();
        let bytes = self.store.bytes(&file)?.ok_or_else(|| self.store.missing(&file))?;
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if found != at.size {
            return Err(OciError::SizeMismatch { file, expected: at.size, found });
        }
        let expected = at.digest.digest();
        let found = Digest::of(expected.algorithm(), &bytes);
        if found != *expected {
            let expected = expected.clone();
            return Err(OciError::DigestMismatch { file, expected, found });
        }
        let value = json::parse(&file, &bytes)?;
        Ok((file, value))
    }
}

fn schema(file: &str, version: u64) -> Result<(), OciError> {
    if version == 2 {
        return Ok(());
    }
    Err(OciError::Field {
        file: file.to_owned(),
        field: "schemaVersion".to_owned(),
        value: version.to_string(),
        expected: "only 2 is known",
    })
}

pub(super) fn expect(field: String, media_type: &str, kinds: &[Kind]) -> Result<(), OciError> {
    if kinds.contains(&media::kind(media_type)) {
        return Ok(());
    }
    let supported = media::supported(kinds);
    Err(OciError::MediaType { field, value: media_type.to_owned(), supported })
}

fn too_many(file: &str) -> OciError {
    OciError::TooMany { file: file.to_owned(), what: "layers", limit: LAYERS }
}
