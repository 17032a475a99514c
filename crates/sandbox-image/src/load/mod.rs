//! From whatever a user names to a tree that is there, and what it runs.
//!
//! What an image is, is found out by its content ([`Kind`]). It is unpacked to the directory of the run
//! ([`RunDir`]), or to a [`Cache`] that runs share.

mod aci;
mod cached;
mod error;
mod input;
mod kind;
mod lost;
mod tar;

use std::path::{Path, PathBuf};

pub use error::LoadError;
use input::Input;
pub use input::{Reading, Watch, Watcher};
pub use kind::Kind;

use crate::aci::ImageManifest;
use crate::app::{App, RootAccess, RootDirectory, RootSource, Rules};
use crate::archive::Digest;
use crate::place::{Cache, Entry, RunDir};
use crate::unpack;

/// How images are loaded.
#[derive(Clone)]
pub struct Loader<'a> {
    /// Where they are unpacked, and what else a run needs.
    pub run: &'a RunDir,
    /// Where unpacked trees are kept for the next run. Default: nowhere.
    pub cache: Option<&'a Cache>,
    /// Files and directories with images that others depend on. Default: none.
    pub image_path: &'a [PathBuf],
    /// The ID that the image must have. Default: any.
    pub image_id: Option<&'a Digest>,
    /// Whether the caller has a command of its own, so that the image need not have one.
    pub has_command: bool,
    /// What is kept of an archive, and how much is unpacked at most.
    pub unpack: unpack::Options,
    /// Who watches.
    pub watch: Watch,
}

/// An image that is unpacked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// What it is.
    pub kind: Kind,
    /// What it runs. A tree says nothing of that.
    pub app: Option<App>,
    /// Those of its format.
    pub rules: Rules,
    /// Whether the app can change its files.
    pub root_access: RootAccess,
    /// Its ID, where it has one.
    pub id: Option<Digest>,
    /// The manifest of an App Container image, and its text.
    pub aci: Option<(ImageManifest, Vec<u8>)>,
    /// Its files.
    pub root: RootDirectory,
    /// What of them could not be kept, in words.
    pub lost: Vec<String>,
    /// Keeps what a cache has from being removed.
    _entry: Option<Entry>,
}

impl<'a> Loader<'a> {
    /// With nothing but a place to unpack to.
    pub fn new(run: &'a RunDir) -> Self {
        Self {
            run,
            cache: None,
            image_path: &[],
            image_id: None,
            has_command: false,
            unpack: unpack::Options::for_caller(),
            watch: Watch::default(),
        }
    }

    /// Loads what is at a path; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be read, is damaged, is not what it should be, or asks for something that is not there.
    pub fn load(&self, image: &Path) -> Result<Loaded, LoadError> {
        if image.as_os_str() != "-" && image.is_dir() {
            return match Kind::of_directory(image) {
                Kind::Tree => self.tree(image),
                kind => Err(self.not_taken(image, kind)),
            };
        }
        let limit = self.unpack.budget.max_bytes();
        let input = if image.as_os_str() == "-" {
            Input::stdin(self.run, limit, &self.watch)?
        } else {
            Input::open(image, self.run, limit, &self.watch)?
        };
        let loaded = match Kind::of_file(&input, &self.watch)? {
            Kind::Aci => self.aci(&input)?,
            Kind::Tar => self.tar(&input)?,
            kind => return Err(self.not_taken(image, kind)),
        };
        self.check_id(image, loaded)
    }

    fn not_taken(&self, image: &Path, kind: Kind) -> LoadError {
        LoadError::NotTaken { path: image.to_owned(), kind, why: "cannot be run yet" }
    }

    /// A directory tree as it is.
    fn tree(&self, path: &Path) -> Result<Loaded, LoadError> {
        let at = |source| LoadError::Open { path: path.to_owned(), source };
        let root = RootDirectory::open(RootSource::Directory(path.to_owned())).map_err(at)?;
        Ok(Loaded {
            kind: Kind::Tree,
            app: None,
            rules: Rules::oci(),
            root_access: RootAccess::ReadWrite,
            id: None,
            aci: None,
            root,
            lost: Vec::new(),
            _entry: None,
        })
    }

    fn check_id(&self, path: &Path, loaded: Loaded) -> Result<Loaded, LoadError> {
        let Some(wanted) = self.image_id else { return Ok(loaded) };
        let path = path.to_owned();
        match &loaded.id {
            Some(found) if found == wanted => Ok(loaded),
            Some(found) if found.algorithm() == wanted.algorithm() => {
                let (wanted, found) = (wanted.appc(), found.appc());
                Err(LoadError::OtherImage { path, wanted, found })
            }
            found => {
                let expected = found.as_ref().map_or("none", |found| found.algorithm().name());
                let (wanted, kind) = (wanted.clone(), loaded.kind);
                Err(LoadError::IdKind { path, wanted, kind, expected })
            }
        }
    }
}
