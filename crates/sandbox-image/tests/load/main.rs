//! Files that are changed while they are loaded, never end, or never begin.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside #[test] functions"
)]

mod changed;
mod endless;
mod root;

use std::fs;
use std::path::{Path, PathBuf};

use sandbox_image::load::{LoadError, Loaded, Loader};
use sandbox_image::place::{Cache, RunDir};
use sandbox_image::unpack::Budget;
use tempfile::TempDir;

/// A directory with a cache, in which images are loaded.
struct World {
    at: TempDir,
    run: RunDir,
    cache: Cache,
}

impl World {
    fn new() -> Self {
        let at = TempDir::new().unwrap();
        let run = RunDir::new(Some(at.path())).unwrap();
        let cache = Cache::open(&at.path().join("cache")).unwrap();
        Self { at, run, cache }
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.at.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Without a cache, and at most a MiB.
    fn loader(&self) -> Loader<'_> {
        let mut loader = Loader::new(&self.run);
        loader.has_command = true;
        loader.unpack.budget = Budget::new(1 << 20);
        loader
    }

    fn cached(&self) -> Loader<'_> {
        Loader { cache: Some(&self.cache), ..self.loader() }
    }

    /// How many entries the cache has, unfinished ones among them.
    fn entries(&self) -> usize {
        let all = self.at.path().join("cache").read_dir().unwrap();
        all.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }
}

/// An archive of files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        let is_directory = name.ends_with('/');
        header.set_entry_type(if is_directory {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_mode(if is_directory { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An App Container image whose manifest comes last, with this name.
fn aci(name: &str, content: &[u8]) -> Vec<u8> {
    let manifest = format!(
        r#"{{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/{name}"}}"#
    );
    tar(&[("rootfs/", b""), ("rootfs/file", content), ("manifest", manifest.as_bytes())])
}

fn is_changed(loaded: Result<Loaded, LoadError>, image: &Path) {
    let error = loaded.map(|loaded| loaded.id).unwrap_err();
    assert!(matches!(&error, LoadError::Changed { path } if path == image), "{error}");
}
