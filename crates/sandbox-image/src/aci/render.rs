//! In which order images are unpacked upon each other, and what of each (the specification's ace.md,
//! filesystem setup).

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use sandbox_core::InsidePath;

/// An image and what it is unpacked upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree<I> {
    /// The image.
    pub image: I,
    /// The only paths that remain of it and of its dependencies; empty for all.
    pub path_whitelist: Vec<InsidePath>,
    /// Its dependencies, in the order of its manifest.
    pub dependencies: Vec<Tree<I>>,
}

/// An image to unpack, and what of it.
#[derive(Debug, Clone)]
pub struct Layer<'a, I> {
    /// The image.
    pub image: &'a I,
    /// What of it.
    pub filter: Filter,
}

/// What of an image is unpacked: what its own whitelist and those of all images above it let pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    lists: Vec<Rc<HashSet<PathBuf>>>,
}

impl Filter {
    /// Whether this path of an image is unpacked. It is taken from the root, whether it starts with `/`
    /// or not. The root always is.
    ///
    /// A whitelist names each path: a directory's name stands for the directory, not for what is in it.
    /// The directories that lead to a path are implied.
    pub fn keeps(&self, path: impl AsRef<Path>) -> bool {
        let path = from_root(path.as_ref());
        self.lists.iter().all(|list| list.contains(&path))
    }

    fn with(&self, whitelist: &[InsidePath]) -> Self {
        let mut lists = self.lists.clone();
        if !whitelist.is_empty() {
            let mut list = HashSet::from([PathBuf::new()]);
            for path in whitelist {
                list.extend(from_root(path.as_path()).ancestors().map(Path::to_owned));
            }
            lists.push(Rc::new(list));
        }
        Self { lists }
    }
}

/// A path from the root, without `.`, and with `..` taken as what comes before it.
fn from_root(path: &Path) -> PathBuf {
    let mut parts: Vec<&OsStr> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts.into_iter().collect()
}

/// The images of a tree, in the order in which they are unpacked into one directory. Where two have a
/// path, the later one replaces it: a symbolic link as well, which is not followed.
///
/// Dependencies come before what depends on them, in the order of its manifest: A that needs B and C, with C
/// that needs D, gives B, D, C, A. An image that is needed twice is there twice, each time with its own
/// filter.
pub fn layers<I>(tree: &Tree<I>) -> Vec<Layer<'_, I>> {
    let mut layers = Vec::new();
    append(tree, &Filter::default(), &mut layers);
    layers
}

fn append<'a, I>(tree: &'a Tree<I>, above: &Filter, layers: &mut Vec<Layer<'a, I>>) {
    let filter = above.with(&tree.path_whitelist);
    for dependency in &tree.dependencies {
        append(dependency, &filter, layers);
    }
    layers.push(Layer { image: &tree.image, filter });
}
