//! OCI images and bundles, and docker archives.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use super::cached::{Made, Unpacked};
use super::input::Input;
use super::{Kind, LoadError, Loaded, Loader, Runs, in_place};
use crate::app::{MissingDirectory, RootAccess, Rules};
use crate::oci::{Bundle, Layout, Platform, WorkingDirectory};
use crate::place::Cache;
use crate::unpack::Options;

impl Loader<'_> {
    /// A directory with an image layout.
    pub(super) fn oci_layout(&self, path: &Path, name: Option<&str>) -> Result<Loaded, LoadError> {
        let open = |source| LoadError::Open { path: path.to_owned(), source };
        let directory = File::open(path).map_err(open)?;
        let layout = Layout::directory(directory.into(), path);
        self.oci(path, Kind::OciLayout, &layout.map_err(|error| LoadError::oci(path, error))?, name)
    }

    /// The same as an archive, or what `docker save` writes.
    pub(super) fn oci_archive(
        &self,
        input: &Input,
        kind: Kind,
        name: Option<&str>,
    ) -> Result<Loaded, LoadError> {
        let path = input.path();
        let open = |source| LoadError::Open { path: path.to_owned(), source };
        let file = input.file().try_clone().map_err(open)?;
        let limit = self.unpack.budget.max_bytes();
        let layout = Layout::archive(file, path, self.run.as_fd(), limit);
        self.oci(path, kind, &layout.map_err(|error| LoadError::oci(path, error))?, name)
    }

    fn oci(
        &self,
        path: &Path,
        kind: Kind,
        layout: &Layout,
        name: Option<&str>,
    ) -> Result<Loaded, LoadError> {
        let failed = |error| LoadError::oci(path, error);
        let image = layout.image(name, &Platform::host()).map_err(failed)?;
        let key = |_: &Cache| Ok(image.digest.appc());
        let unpack = |root| {
            let total = layout.stored_bytes(&image).map_err(failed)?;
            let progress = self.watch.of(&path.display().to_string(), Some(total));
            let layers = Options::for_layers();
            let options = Options {
                names: layers.names,
                duplicates: layers.duplicates,
                over: layers.over,
                whiteouts: layers.whiteouts,
                ..self.unpack.clone()
            };
            let report = layout.unpack(&image, root, options, Some(progress)).map_err(failed)?;
            // What is unpacked is what this digest says, down to the last byte.
            let (id, key) = (Some(image.digest.clone()), image.digest.appc());
            Ok(Unpacked { report, id, key, manifest: None })
        };
        let Made { root, entry, lost, .. } = self.made(path, &key, &unpack)?;
        let mut rules = Rules::oci();
        rules.missing_directory = match image.run.working_directory {
            WorkingDirectory::Made => MissingDirectory::Made,
            WorkingDirectory::Required => MissingDirectory::Fails,
        };
        Ok(Loaded {
            kind,
            runs: Runs::App(image.run.app.clone().into()),
            entrypoint: image.run.entrypoint,
            rules,
            root_access: RootAccess::ReadWrite,
            id: Some(image.digest),
            aci: None,
            root,
            lost,
            _entry: entry,
        })
    }

    /// A directory with a runtime bundle, whose root is used as it is.
    pub(super) fn oci_bundle(path: &Path) -> Result<Loaded, LoadError> {
        let bundle = Bundle::read(path).map_err(|error| LoadError::oci(path, error))?;
        let directory = match &bundle.config.root {
            sandbox_core::Root::Directory(directory) => directory.clone(),
            _ => path.to_owned(),
        };
        in_place(Kind::OciBundle, Runs::Bundle(Box::new(bundle)), &directory)
    }
}
