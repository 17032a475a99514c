//! What layers are to make, in memory: a model that is too simple to be wrong.

use std::collections::BTreeMap;

/// Something that a layer says. Paths are clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// A file with this content.
    File(String, u8),
    Directory(String),
    Symlink(String),
    /// One more name, the first, of the file that the second names.
    HardLink(String, String),
    /// What lower layers have put there is to go.
    Whiteout(String),
    /// What lower layers have put into this directory is to go.
    Opaque(String),
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    Symlink,
    File(u8),
}

/// What becomes of something that is said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// It is an error.
    Refused,
    /// It goes through a link, which this model knows nothing about.
    Unknown,
}

/// Where a link leads: nowhere.
pub(crate) const NOWHERE: &str = "nowhere";

#[derive(Default)]
pub(crate) struct Model {
    /// Each with the layer that has said it last, or something below it, and the number of its inode.
    nodes: BTreeMap<String, (Node, usize, u64)>,
    layer: usize,
    inodes: u64,
}

impl Model {
    pub(crate) fn nodes(&self) -> BTreeMap<String, Node> {
        self.nodes.iter().map(|(path, (node, ..))| (path.clone(), *node)).collect()
    }

    pub(crate) fn next_layer(&mut self) {
        self.layer += 1;
    }

    pub(crate) fn say(&mut self, said: &Said) -> Verdict {
        match said {
            Said::File(path, content) => self.put(path, Node::File(*content), None),
            Said::Directory(path) => self.put(path, Node::Directory, None),
            Said::Symlink(path) => self.put(path, Node::Symlink, None),
            Said::HardLink(path, target) => self.link(path, target),
            Said::Whiteout(path) | Said::Opaque(path)
                if self.above(path) == Some(Node::Symlink) =>
            {
                Verdict::Unknown
            }
            Said::Whiteout(path) => self.hide(path),
            Said::Opaque(path) => {
                self.hide_below(path);
                Verdict::Done
            }
        }
    }

    fn put(&mut self, path: &str, node: Node, inode: Option<u64>) -> Verdict {
        match self.above(path) {
            Some(Node::Symlink) => return Verdict::Unknown,
            Some(_) => return Verdict::Refused,
            None => {}
        }
        for parent in parents(path) {
            self.inodes += 1;
            let new = (Node::Directory, self.layer, self.inodes);
            self.nodes.entry(parent.to_owned()).or_insert(new).1 = self.layer;
        }
        let there = self.nodes.get(path).map(|(node, ..)| *node);
        if !(there == Some(Node::Directory) && node == Node::Directory) {
            self.nodes.retain(|name, _| !is_below(name, path));
        }
        self.inodes += 1;
        self.nodes.insert(path.to_owned(), (node, self.layer, inode.unwrap_or(self.inodes)));
        Verdict::Done
    }

    fn link(&mut self, path: &str, target: &str) -> Verdict {
        if self.above(target) == Some(Node::Symlink) || self.above(path) == Some(Node::Symlink) {
            return Verdict::Unknown;
        }
        match self.nodes.get(target).copied() {
            None | Some((Node::Directory, ..)) => Verdict::Refused,
            // It would have to go for its own name.
            Some(_) if target != path && is_below(target, path) => Verdict::Refused,
            Some((node, _, inode)) => self.put(path, node, Some(inode)),
        }
    }

    fn hide(&mut self, path: &str) -> Verdict {
        match self.nodes.get(path) {
            Some((_, layer, _)) if *layer == self.layer => self.hide_below(path),
            _ => self.nodes.retain(|name, _| name != path && !is_below(name, path)),
        }
        Verdict::Done
    }

    fn hide_below(&mut self, path: &str) {
        let layer = self.layer;
        self.nodes.retain(|name, (_, by, _)| !is_below(name, path) || *by == layer);
    }

    /// What on the way to `path` is no directory.
    fn above(&self, path: &str) -> Option<Node> {
        let nodes = parents(path).filter_map(|parent| self.nodes.get(parent));
        nodes.map(|(node, ..)| *node).find(|node| *node != Node::Directory)
    }
}

fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at)).filter(|path| !path.is_empty())
}

fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}
