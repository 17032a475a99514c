//! Which local images an image is unpacked upon (the specification's aci.md, dependency matching).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{Dependency, ImageManifest};
use super::render::Tree;
use super::types::{ImageId, label};

/// How many layers an image may have. More come of images that need each other in many ways, and each
/// is unpacked.
pub const MAX_LAYERS: usize = 512;

/// An error of what reads images.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Reads images.
pub trait Reader {
    /// The manifest of the image in this file. Reads no further than to it.
    ///
    /// # Errors
    /// It cannot be read, or is not an image.
    fn manifest(&self, path: &Path) -> Result<ImageManifest, Source>;

    /// The ID of the image in this file. Reads all of it.
    ///
    /// # Errors
    /// It cannot be read.
    fn id(&self, path: &Path) -> Result<ImageId, Source>;
}

/// An image in a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Image {
    /// The file; `None` for an image that is not read from one.
    pub path: Option<PathBuf>,
    /// What it says.
    pub manifest: ImageManifest,
}

impl Image {
    /// An image from this file.
    pub fn new(path: Option<PathBuf>, manifest: ImageManifest) -> Self {
        Self { path, manifest }
    }
}

/// Dependencies that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DependencyError {
    /// There is no such image.
    #[error("{wanted}, which {by} depends on, is not in {looked}: say where with --image-path")]
    Missing {
        /// What is needed.
        wanted: Wanted,
        /// By which image.
        by: String,
        /// Where it was looked for.
        looked: Looked,
    },
    /// There are several.
    #[error(
        "{wanted}, which {by} depends on, is both {} and {}: name the one to use with --image-path first",
        .first.display(), .second.display()
    )]
    Ambiguous {
        /// What is needed.
        wanted: Wanted,
        /// By which image.
        by: String,
        /// One of them.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// An image depends on itself.
    #[error("the images depend on each other: {}", .images.join(" -> "))]
    Cycle {
        /// From the first image to itself again.
        images: Vec<String>,
    },
    /// There are more layers than are unpacked.
    #[error("{image} has more than {MAX_LAYERS} layers with its dependencies")]
    TooMany {
        /// The image.
        image: String,
    },
    /// A place that was named cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: Source,
    },
}

/// What an image depends on, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(Box<Dependency>);

impl Wanted {
    fn new(dependency: &Dependency) -> Self {
        Self(Box::new(dependency.clone()))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.image_name)?;
        for label in &self.0.labels {
            write!(f, ", {}={}", label.name, label.value)?;
        }
        if let Some(id) = &self.0.image_id {
            write!(f, ", {id}")?;
        }
        self.0.size.map_or(Ok(()), |size| write!(f, ", {size} bytes"))
    }
}

/// Where an image was looked for, and what was in its way there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// The files and directories.
    pub places: Vec<PathBuf>,
    /// Files that could not be used, and why.
    pub not: Vec<(PathBuf, String)>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.places.is_empty() {
            return f.write_str("any place that was named");
        }
        let places: Vec<_> = self.places.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&places.join(", "))?;
        let not: Vec<_> =
            self.not.iter().map(|(path, why)| format!("{}: {why}", path.display())).collect();
        if not.is_empty() { Ok(()) } else { write!(f, " ({})", not.join("; ")) }
    }
}

/// Files and directories with images, searched in order: the first place that has an image is the one
/// that it comes from. Of a directory the files with the suffix `.aci` count.
#[derive(Debug)]
pub struct Store<R> {
    places: Vec<PathBuf>,
    reader: R,
    ids: RefCell<BTreeMap<PathBuf, ImageId>>,
}

/// What is in a place.
struct Place {
    candidates: Vec<Candidate>,
    unusable: Vec<(PathBuf, String)>,
}

struct Candidate {
    path: PathBuf,
    size: u64,
    manifest: ImageManifest,
}

impl<R: Reader> Store<R> {
    /// A store of these places. Nothing is read yet.
    pub fn new(places: Vec<PathBuf>, reader: R) -> Self {
        Self { places, reader, ids: RefCell::default() }
    }

    /// An image with all that it is unpacked upon. The places are read only if there is a dependency.
    ///
    /// # Errors
    /// An image is missing, or needs itself; a place cannot be read.
    pub fn resolve(&self, image: Image) -> Result<Tree<Image>, DependencyError> {
        let places = if image.manifest.dependencies.is_empty() {
            Vec::new()
        } else {
            self.places.iter().map(|place| self.scan(place)).collect::<Result<_, _>>()?
        };
        let name = image.manifest.name.to_string();
        let mut layers = MAX_LAYERS;
        let image = Image { path: image.path.map(|path| canonical(&path)), ..image };
        self.tree(image, &places, &mut Vec::new(), &mut layers)?
            .ok_or(DependencyError::TooMany { image: name })
    }

    /// `None`: there are more layers than `left`.
    fn tree(
        &self,
        image: Image,
        places: &[Place],
        above: &mut Vec<(Option<PathBuf>, String)>,
        left: &mut usize,
    ) -> Result<Option<Tree<Image>>, DependencyError> {
        let name = image.manifest.name.to_string();
        if let Some(at) = above.iter().position(|(path, _)| path.is_some() && *path == image.path) {
            let mut images: Vec<_> = above.iter().skip(at).map(|(_, name)| name.clone()).collect();
            images.push(name);
            return Err(DependencyError::Cycle { images });
        }
        let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
        *left = fewer;
        above.push((image.path.clone(), name.clone()));
        let mut dependencies = Vec::new();
        for wanted in &image.manifest.dependencies {
            let found = self.find(wanted, &name, places)?;
            match self.tree(found, places, above, left)? {
                Some(tree) => dependencies.push(tree),
                None => return Ok(None),
            }
        }
        above.pop();
        let path_whitelist = image.manifest.path_whitelist.clone();
        Ok(Some(Tree { image, path_whitelist, dependencies }))
    }

    fn find(
        &self,
        wanted: &Dependency,
        by: &str,
        places: &[Place],
    ) -> Result<Image, DependencyError> {
        let mut looked = Looked { places: self.places.clone(), not: Vec::new() };
        for place in places {
            let mut matching = Vec::new();
            for candidate in &place.candidates {
                match self.mismatch(wanted, candidate)? {
                    None => matching.push(candidate),
                    Some(why) if candidate.manifest.name == wanted.image_name => {
                        looked.not.push((candidate.path.clone(), why));
                    }
                    Some(_) => {}
                }
            }
            looked.not.extend(place.unusable.iter().cloned());
            let Some((first, others)) = matching.split_first() else { continue };
            for other in others {
                if self.id(&first.path)? != self.id(&other.path)? {
                    return Err(DependencyError::Ambiguous {
                        wanted: Wanted::new(wanted),
                        by: by.to_owned(),
                        first: first.path.clone(),
                        second: other.path.clone(),
                    });
                }
            }
            return Ok(Image { path: Some(first.path.clone()), manifest: first.manifest.clone() });
        }
        let (wanted, by) = (Wanted::new(wanted), by.to_owned());
        Err(DependencyError::Missing { wanted, by, looked })
    }

    /// Why this is not the image that is wanted. Its ID, where one is given, decides alone; else all labels
    /// that are given must be its own.
    fn mismatch(
        &self,
        wanted: &Dependency,
        candidate: &Candidate,
    ) -> Result<Option<String>, DependencyError> {
        if candidate.manifest.name != wanted.image_name {
            return Ok(Some(format!("it is {}", candidate.manifest.name)));
        }
        if let Some(size) = wanted.size.filter(|size| *size != 0 && *size != candidate.size) {
            return Ok(Some(format!("it has {} bytes, not {size}", candidate.size)));
        }
        if let Some(id) = &wanted.image_id {
            let own = self.id(&candidate.path)?;
            return Ok((!id.stands_for(&own)).then(|| format!("it is {own}")));
        }
        let differing = wanted.labels.iter().find_map(|wanted| {
            let name = wanted.name.as_str();
            match label(&candidate.manifest.labels, name) {
                Some(value) if value == wanted.value => None,
                Some(value) => Some(format!("its {name} is {value:?}, not {:?}", wanted.value)),
                None => Some(format!("it has no label {name}")),
            }
        });
        Ok(differing)
    }

    fn id(&self, path: &Path) -> Result<ImageId, DependencyError> {
        if let Some(id) = self.ids.borrow().get(path) {
            return Ok(id.clone());
        }
        let id = self.reader.id(path).map_err(|source| read_error(path, source))?;
        self.ids.borrow_mut().insert(path.to_owned(), id.clone());
        Ok(id)
    }

    /// A file that was named must be an image; in a directory others are passed over.
    fn scan(&self, place: &Path) -> Result<Place, DependencyError> {
        let failed = |source: io::Error| read_error(place, source.into());
        let mut found = Place { candidates: Vec::new(), unusable: Vec::new() };
        if !fs::metadata(place).map_err(failed)?.is_dir() {
            let candidate = self.candidate(place).map_err(|source| read_error(place, source))?;
            found.candidates.push(candidate);
            return Ok(found);
        }
        let entries = fs::read_dir(place).map_err(failed)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(failed)?;
        paths.retain(|path| path.extension() == Some(OsStr::new("aci")));
        paths.sort();
        let mut seen = HashSet::new();
        for path in paths {
            match self.candidate(&path) {
                Ok(candidate) if seen.insert(candidate.path.clone()) => {
                    found.candidates.push(candidate);
                }
                Ok(_) => {}
                Err(source) => found.unusable.push((path, source.to_string())),
            }
        }
        Ok(found)
    }

    fn candidate(&self, path: &Path) -> Result<Candidate, Source> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err("it is not a regular file".into());
        }
        let manifest = self.reader.manifest(path)?;
        Ok(Candidate { path: canonical(path), size: metadata.len(), manifest })
    }
}

/// The one name of a file. One that cannot be found keeps the name that it was given.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn read_error(path: &Path, source: Source) -> DependencyError {
    DependencyError::Read { path: path.to_owned(), source }
}
