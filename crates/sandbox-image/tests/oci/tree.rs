//! A tree of files as a value, to be compared with another.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr};

/// What a tree has at each path, as one line each: so that a difference can be read.
pub(crate) type Tree = BTreeMap<String, String>;

pub(crate) fn tree(root: &Path) -> Tree {
    let (mut tree, mut names) = (Tree::new(), BTreeMap::new());
    walk(root, root, &mut tree, &mut names);
    tree
}

fn walk(root: &Path, at: &Path, tree: &mut Tree, names: &mut BTreeMap<u64, String>) {
    let meta = fs::symlink_metadata(at).unwrap();
    let name = at.strip_prefix(root).unwrap().display().to_string();
    let kind = meta.file_type();
    let owner = (meta.uid(), meta.gid());
    let mut line = vec![format!("{:o}", meta.mode())];
    line.push(format!("{owner:?} {}.{:09}", meta.mtime(), meta.mtime_nsec()));
    if kind.is_symlink() {
        line.push(format!("-> {}", fs::read_link(at).unwrap().display()));
    } else if kind.is_file() {
        let content = fs::read(at).unwrap();
        let digest =
            sandbox_image::archive::Digest::of(sandbox_image::archive::Algorithm::Sha256, &content);
        line.push(format!("{} {digest}", content.len()));
        let first = names.entry(meta.ino()).or_insert_with(|| name.clone());
        if *first != name {
            line.push(format!("is {first}"));
        }
    } else if kind.is_char_device() || kind.is_block_device() {
        line.push(format!("{:x}", meta.rdev()));
    }
    for (name, value) in xattrs(at) {
        line.push(format!("{name}={value:?}"));
    }
    tree.insert(name, line.join(" "));
    if kind.is_dir() {
        let mut below: Vec<_> = fs::read_dir(at).unwrap().map(|at| at.unwrap().path()).collect();
        below.sort();
        for below in &below {
            walk(root, below, tree, names);
        }
    }
}

fn xattrs(at: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut list = vec![0; 4096];
    let length = llistxattr(at, &mut list[..]).unwrap_or(0);
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 4096];
        let length = lgetxattr(at, std::ffi::OsStr::from_bytes(name), &mut value[..]).unwrap();
        value.truncate(length);
        (String::from_utf8_lossy(name).into_owned(), value)
    };
    names.map(value).collect()
}

/// Fails with all that differs.
#[track_caller]
pub(crate) fn same(ours: &Tree, theirs: &Tree) {
    assert!(theirs.len() > 1, "there is nothing to compare with");
    let names: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let different: Vec<_> = names
        .into_iter()
        .filter(|name| ours.get(*name) != theirs.get(*name))
        .map(|name| {
            format!("{name:?}\n  ours   {:?}\n  theirs {:?}", ours.get(name), theirs.get(name))
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}
