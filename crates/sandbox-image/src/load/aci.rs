//! App Container images: from a file and its dependencies to a tree and what it runs.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::cached::{Made, Unpacked};
use super::input::{Input, Watch};
use super::{Kind, LoadError, Loaded, Loader, Runs};
use crate::aci::dependencies::{Image, Reader, Source, Store};
use crate::aci::layout::{EntryKind, Layout, LayoutError, MANIFEST, Place};
use crate::aci::platform::Platform;
use crate::aci::render::{Filter, Layer, layers};
use crate::aci::types::ImageId;
use crate::aci::{self, ImageManifest, MAX_MANIFEST, ManifestError};
use crate::app::{RootAccess, Rules};
use crate::archive::{Algorithm, Digest, Entries, Entry, Kind as Is, Limits};
use crate::place::Cache;
use crate::unpack::{Choice, Duplicates, Options, Over, Unpacker};

impl Loader<'_> {
    /// Reads manifests, then unpacks the image over its dependencies.
    pub(super) fn aci(&self, input: &Input) -> Result<Loaded, LoadError> {
        let path = input.path().to_owned();
        let bytes = manifest_bytes(input, &self.watch)?;
        let at =
            |error: ManifestError| LoadError::Manifest { path: path.clone(), source: error.into() };
        let manifest = ImageManifest::parse(&bytes).map_err(at)?;
        Platform::host()
            .runs(&manifest.labels)
            .map_err(|error| LoadError::Platform { path: path.clone(), source: error.into() })?;
        if !self.has_command {
            manifest.runnable().map_err(at)?;
        }
        let app = aci::app::app(&manifest).map_err(at)?;
        let image = Image { path: Some(path.clone()), manifest: manifest.clone() };
        let files = Files { loader: self, top: input };
        let tree = Store::new(self.image_path.to_vec(), &files).resolve(image)?;
        let layers = layers(&tree);
        let key = |cache: &Cache| files.key(cache, &layers);
        let made = self.made(&path, &key, &|root| files.unpack(root, &layers))?;
        let Made { root, entry, id, manifest: unpacked, lost } = made;
        // What it runs is to be from the same image as the tree, whose ID is checked.
        if unpacked != Some(Digest::of(Algorithm::Sha512, &bytes)) {
            return Err(LoadError::Changed { path });
        }
        Ok(Loaded {
            kind: Kind::Aci,
            runs: Runs::App(app.into()),
            entrypoint: Vec::new(),
            rules: Rules::app_container(),
            root_access: RootAccess::ReadWrite,
            id,
            aci: Some((manifest, bytes)),
            root,
            lost,
            _entry: entry,
        })
    }
}

impl Loader<'_> {
    /// The image with this ID among the files and directories of the image path.
    ///
    /// # Errors
    /// There is none, or one of them cannot be read.
    pub fn find(&self, id: &ImageId) -> Result<PathBuf, LoadError> {
        for place in self.image_path {
            let at = |source| LoadError::Open { path: place.clone(), source };
            let mut files = vec![place.clone()];
            if place.is_dir() {
                let inside = place.read_dir().map_err(at)?;
                let paths = inside.map(|file| file.map(|file| file.path()));
                files = paths.collect::<Result<_, _>>().map_err(at)?;
                files.retain(|path| path.extension().is_some_and(|suffix| suffix == "aci"));
                files.sort();
            }
            for file in files {
                let limit = self.unpack.budget.max_bytes();
                let input = Input::open(&file, self.run, limit, &self.watch)?;
                // What is no archive is not the one.
                match self.digest(&input, self.cache) {
                    Ok(digest) if digest.appc() == id.as_str() => return Ok(file),
                    Err(LoadError::Interrupted) => return Err(LoadError::Interrupted),
                    _ => {}
                }
            }
        }
        Err(LoadError::NoImage { id: id.clone(), places: self.image_path.to_vec() })
    }
}

/// The manifest of an image: what comes before it is read over.
fn manifest_bytes(input: &Input, watch: &Watch) -> Result<Vec<u8>, LoadError> {
    let mut entries = Entries::new(input.stream(&watch.silent(), None)?, Limits::default());
    let failed = |error| input.failed(error);
    let layout = |error: LayoutError| LoadError::Layout {
        path: input.path().to_owned(),
        source: error.into(),
    };
    while let Some(entry) = entries.next_entry().map_err(failed)? {
        // That names come once, and of what kinds they are, is checked when all is unpacked.
        let place = Layout::new().entry(&entry.path, kind(&entry)).map_err(layout)?;
        if place == Place::Manifest {
            let mut bytes = Vec::new();
            if entry.size > MAX_MANIFEST {
                let path = input.path().to_owned();
                return Err(LoadError::ManifestTooLong { path, size: entry.size });
            }
            entries
                .content::<crate::archive::Error>(&mut |_, some| {
                    bytes.extend_from_slice(some);
                    Ok(())
                })
                .map_err(failed)?;
            return Ok(bytes);
        }
    }
    Err(layout(LayoutError::Missing { entry: MANIFEST }))
}

/// What the layout of an image wants to know of an entry.
fn kind(entry: &Entry) -> EntryKind {
    match entry.kind {
        Is::File | Is::Sparse => EntryKind::File,
        Is::Directory => EntryKind::Directory,
        _ => EntryKind::Other,
    }
}

/// The files of an image and of what it depends on.
struct Files<'a> {
    loader: &'a Loader<'a>,
    /// The one that was asked for, which may have come from a pipe.
    top: &'a Input,
}

impl Files<'_> {
    /// Does something with a file, the first of which is open already.
    fn with<T>(
        &self,
        path: &Path,
        act: impl FnOnce(&Input) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        if path == self.top.path() || self.top.is_file_of(path) {
            return act(self.top);
        }
        let Loader { run, unpack, watch, .. } = self.loader;
        act(&Input::open(path, run, unpack.budget.max_bytes(), watch)?)
    }

    fn of_layer<T>(
        &self,
        layer: &Layer<'_, Image>,
        act: impl FnOnce(&Input) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let top = self.top.path();
        self.with(layer.image.path.as_deref().unwrap_or(top), act)
    }

    /// The IDs of all layers, as one.
    fn key(&self, cache: &Cache, layers: &[Layer<'_, Image>]) -> Result<String, LoadError> {
        let id = |layer| self.of_layer(layer, |input| self.loader.digest(input, Some(cache)));
        Ok(as_one(&layers.iter().map(id).collect::<Result<Vec<_>, _>>()?))
    }

    /// Unpacks all layers, and gives the ID of the last, the image itself.
    fn unpack(&self, root: OwnedFd, layers: &[Layer<'_, Image>]) -> Result<Unpacked, LoadError> {
        let options = Options {
            // The layout of each is checked here, and a layer replaces what those below it have.
            duplicates: Duplicates::LastWins,
            over: if layers.len() > 1 { Over::Remove } else { Over::Error },
            ..self.loader.unpack.clone()
        };
        let mut unpacker = Unpacker::new(root, options);
        let (mut ids, mut manifest) = (Vec::new(), None);
        for layer in layers {
            let (id, own) = self.of_layer(layer, |input| {
                let (id, own) = self.layer(input, &layer.filter, &mut unpacker)?;
                self.loader.learn(input, &id);
                Ok((id, own))
            })?;
            ids.push(id);
            manifest = Some(own);
        }
        let report =
            unpacker.finish().map_err(|error| LoadError::unpack(self.top.path(), error))?;
        let key = as_one(&ids);
        Ok(Unpacked { report, id: ids.pop(), key, manifest })
    }

    /// Unpacks one, and gives its ID and the digest of its manifest.
    fn layer(
        &self,
        input: &Input,
        filter: &Filter,
        unpacker: &mut Unpacker,
    ) -> Result<(Digest, Digest), LoadError> {
        let stream = input.stream(&self.loader.watch, Some(Algorithm::Sha512))?;
        let mut entries = Entries::new(stream, Limits::default());
        let (mut places, mut misplaced) = (Layout::new(), None);
        let mut choose = |entry: &Entry| {
            if misplaced.is_some() {
                return Choice::Skip;
            }
            match places.entry(&entry.path, kind(entry)) {
                Ok(Place::Inside(path)) if filter.keeps(&path) => Choice::Strip(1),
                Ok(Place::Root) => Choice::Strip(1),
                Ok(Place::Manifest) => Choice::Capture(MAX_MANIFEST),
                Ok(_) => Choice::Skip,
                Err(error) => {
                    misplaced = Some(error);
                    Choice::Skip
                }
            }
        };
        let applied = unpacker.apply(&mut entries, &mut choose);
        let layout = match misplaced {
            Some(error) => Err(error),
            None => places.finish(),
        };
        let applied = applied.map_err(|error| LoadError::unpack(input.path(), error));
        let captured = match (applied, layout) {
            // That something is missing follows from any other error.
            (Err(error), Err(LayoutError::Missing { .. }) | Ok(())) => return Err(error),
            (_, Err(error)) => {
                let (path, source) = (input.path().to_owned(), error.into());
                return Err(LoadError::Layout { path, source });
            }
            (Ok(captured), Ok(())) => captured,
        };
        // There is one, and no more is captured: the layout says so.
        let manifest = captured.into_values().next().unwrap_or_default();
        let manifest = Digest::of(Algorithm::Sha512, &manifest);
        let stream = entries.finish().map_err(|error| input.failed(error))?;
        let totals = stream.finish().map_err(|error| input.failed(error))?;
        Ok((totals.digest.ok_or(LoadError::Interrupted)?, manifest))
    }
}

/// What a tree of several layers is known by.
fn as_one(ids: &[Digest]) -> String {
    match ids {
        [id] => id.appc(),
        ids => {
            let text = ids.iter().map(Digest::appc).collect::<Vec<_>>().join("\n");
            Digest::of(Algorithm::Sha512, text.as_bytes()).appc()
        }
    }
}

impl Reader for &Files<'_> {
    fn manifest(&self, path: &Path) -> Result<ImageManifest, Source> {
        let bytes = self.with(path, |input| manifest_bytes(input, &self.loader.watch))?;
        Ok(ImageManifest::parse(&bytes)?)
    }

    fn id(&self, path: &Path) -> Result<ImageId, Source> {
        let digest = self.with(path, |input| self.loader.digest(input, self.loader.cache))?;
        Ok(digest.appc().parse()?)
    }
}
