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
mod oci;
mod tar;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use error::LoadError;
use input::Input;
pub use input::{Reading, Watch, Watcher};
pub use kind::Kind;

use crate::aci::ImageManifest;
use crate::app::{App, RootAccess, RootDirectory, RootSource, Rules};
use crate::archive::Digest;
use crate::oci::Bundle;
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
    /// What it runs.
    pub runs: Runs,
    /// The words of its command that arguments follow: those before its own arguments.
    pub entrypoint: Vec<OsString>,
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

/// What an image runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Runs {
    /// A tree says nothing of that.
    Nothing,
    /// An app.
    App(Box<App>),
    /// What a runtime bundle has put down to the last mount.
    Bundle(Box<Bundle>),
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

    /// Loads what is at a path; `-` is standard input. Of several images in one file, `PATH:NAME` is
    /// the one of that name.
    ///
    /// # Errors
    /// It cannot be read, is damaged, is not what it should be, or asks for something that is not there.
    pub fn load(&self, image: &Path) -> Result<Loaded, LoadError> {
        let (path, name) = split_name(image);
        let loaded = if path.is_dir() {
            match (Kind::of_directory(&path), name) {
                (Kind::OciLayout, name) => self.oci_layout(&path, name.as_deref())?,
                (kind, Some(_)) => return Err(not_taken(image, kind, "has no names")),
                (Kind::OciBundle, None) => Self::oci_bundle(&path)?,
                (_, None) => in_place(Kind::Tree, Runs::Nothing, &path)?,
            }
        } else {
            self.file(&path, name.as_deref())?
        };
        self.check_id(image, loaded)
    }

    fn file(&self, path: &Path, name: Option<&str>) -> Result<Loaded, LoadError> {
        let limit = self.unpack.budget.max_bytes();
        let input = if path.as_os_str() == "-" {
            Input::stdin(self.run, limit, &self.watch)?
        } else {
            Input::open(path, self.run, limit, &self.watch)?
        };
        match (Kind::of_file(&input, &self.watch)?, name) {
            (kind @ (Kind::OciArchive | Kind::DockerArchive), name) => {
                self.oci_archive(&input, kind, name)
            }
            (kind, Some(_)) => Err(not_taken(path, kind, "has no names")),
            (Kind::Aci, None) => self.aci(&input),
            (Kind::Squashfs, None) => {
                let why = "is not read here: unpack it with unsquashfs(1), and give the tree";
                Err(not_taken(path, Kind::Squashfs, why))
            }
            (_, None) => self.tar(&input),
        }
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

/// Files that are used where they are.
fn in_place(kind: Kind, runs: Runs, path: &Path) -> Result<Loaded, LoadError> {
    let at = |source| LoadError::Open { path: path.to_owned(), source };
    let root = RootDirectory::open(RootSource::Directory(path.to_owned())).map_err(at)?;
    Ok(Loaded {
        kind,
        runs,
        entrypoint: Vec::new(),
        rules: Rules::oci(),
        root_access: RootAccess::ReadWrite,
        id: None,
        aci: None,
        root,
        lost: Vec::new(),
        _entry: None,
    })
}

/// Whether something that is to be a sandbox's root is more than a directory tree. It need not exist.
pub fn is_image(root: &Path) -> bool {
    let (path, name) = split_name(root);
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            name.is_some() || Kind::of_directory(&path) != Kind::Tree
        }
        Ok(_) => true,
        Err(_) => path.as_os_str() == "-",
    }
}

fn not_taken(path: &Path, kind: Kind, why: &'static str) -> LoadError {
    LoadError::NotTaken { path: path.to_owned(), kind, why }
}

/// What is there, and the name that follows it after a colon, if the whole is no path.
fn split_name(image: &Path) -> (PathBuf, Option<String>) {
    let bytes = image.as_os_str().as_bytes();
    if image.symlink_metadata().is_err() {
        for at in (1..bytes.len()).rev().filter(|at| bytes[*at] == b':') {
            let path = PathBuf::from(OsStr::from_bytes(&bytes[..at]));
            let name = str::from_utf8(&bytes[at + 1..]);
            if let (true, Ok(name)) = (path.exists(), name) {
                return (path, Some(name.to_owned()));
            }
        }
    }
    (image.to_owned(), None)
}
