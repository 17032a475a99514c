//! Names that are made on the way to a mount, or because they were asked for.

use sandbox_core::{InsidePath, MountFlag};

use super::Fault;
use super::asked::Asked;
use super::host::{Kind, Node};
use super::replay::text;

impl Asked<'_> {
    /// Makes each part of a path that is missing.
    pub(super) fn make_all(&mut self, path: &str, kind: &Node) -> Result<(), Fault> {
        let ends: Vec<_> = path.match_indices('/').map(|(at, _)| at).skip(1).collect();
        for end in ends {
            self.make(&path[..end], Node::Directory)?;
        }
        self.make(path, kind.clone())
    }

    /// Makes one name, if it is not there.
    fn make(&mut self, path: &str, node: Node) -> Result<(), Fault> {
        match self.make_new(path, node) {
            Err(Fault::Exists) => Ok(()),
            done => done,
        }
    }

    fn make_new(&mut self, path: &str, node: Node) -> Result<(), Fault> {
        let (parent, name) = path.rsplit_once('/').ok_or(Fault::Missing)?;
        let parent = self.resolve(parent)?;
        if self.node(&parent) != Some(Node::Directory) {
            return Err(Fault::NotADirectory);
        }
        let at = format!("{parent}/{name}");
        if matches!(name, "" | "..") || self.node(&at).is_some() {
            return Err(Fault::Exists);
        }
        let found = self.look(&at).ok_or(Fault::Missing)?;
        self.may_change(&at)?;
        let tree = self.trees.get_mut(found.tree).ok_or(Fault::Missing)?;
        if tree.kind == Kind::Fixed {
            return Err(Fault::Fixed);
        }
        tree.nodes.insert(found.path, node);
        Ok(())
    }

    pub(super) fn may_change(&self, at: &str) -> Result<(), Fault> {
        let found = self.look(at).ok_or(Fault::Missing)?;
        let fixed = self.trees.get(found.tree).is_none_or(|tree| tree.kind == Kind::ReadOnly);
        if found.flags.contains(&MountFlag::ReadOnly) || fixed {
            Err(Fault::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Makes one name, and what it is in, for good.
    pub(super) fn make_for_good(&mut self, path: &str, node: Node) -> Result<(), Fault> {
        // What ends so is no name to make.
        if path == "/" || path.ends_with("/..") {
            return Err(Fault::Exists);
        }
        match self.make_new(path, node.clone()) {
            Err(Fault::Missing) => {
                let ends: Vec<_> = path.match_indices('/').map(|(at, _)| at).skip(1).collect();
                for end in ends {
                    self.make(&path[..end], Node::Directory)?;
                    let at = self.resolve(&path[..end])?;
                    if self.node(&at) != Some(Node::Directory) {
                        return Err(Fault::NotADirectory);
                    }
                }
                self.make_new(path, node)
            }
            done => done,
        }
    }

    pub(super) fn is_directory(&self, target: &InsidePath) -> Result<(), Fault> {
        let at = self.inside(target)?;
        let is = self.node(&at) == Some(Node::Directory);
        if is { Ok(()) } else { Err(Fault::NotADirectory) }
    }

    pub(super) fn symlink(&mut self, path: &str, to: &str) -> Result<(), Fault> {
        match self.make_for_good(path, Node::Link(to.to_owned())) {
            Err(Fault::Exists) => {
                let (parent, name) = path.rsplit_once('/').ok_or(Fault::Missing)?;
                let at = format!("{}/{name}", self.resolve(parent)?);
                let same = self.node(&at) == Some(Node::Link(to.to_owned()));
                if same { Ok(()) } else { Err(Fault::Exists) }
            }
            done => done,
        }
    }

    pub(super) fn file(&mut self, target: &InsidePath) -> Result<(), Fault> {
        let at = match self.inside(target) {
            Err(Fault::Missing) => {
                return match self.make_for_good(&text(target.as_path()), Node::File) {
                    Err(Fault::Exists) => Err(Fault::Missing),
                    done => done,
                };
            }
            at => at?,
        };
        match self.node(&at) {
            Some(Node::Directory) => Err(Fault::Directory),
            Some(Node::Device) => Ok(()),
            _ => self.may_change(&at),
        }
    }
}
