//! The mount table of one sandbox, as the kernel keeps it: who is mounted on whom.

use std::collections::BTreeSet;

use sandbox_core::{MountFlag, Recursion};

use super::Fault;
use super::host::{Host, Kind, Node, Tree, is_within};

/// A place: a mount, and a path in its file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At {
    pub(super) mount: usize,
    pub(super) path: String,
}

#[derive(Debug, Clone)]
pub(super) struct Mount {
    pub(super) tree: usize,
    /// The path of its file system that it shows as its root.
    root: String,
    /// What it is mounted on; nothing, where it is a copy that is not attached.
    on: Option<At>,
    pub(super) flags: BTreeSet<MountFlag>,
    /// Nothing may uncover what is below it.
    locked: bool,
    unbindable: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) trees: Vec<Tree>,
    mounts: Vec<Mount>,
}

/// Whether what a user namespace is given of mounts is locked there (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    Locked,
    Free,
}

/// Whether `..` of the root leads to what is mounted on it, as it does in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Top {
    Entered,
    Stays,
}

impl Table {
    pub(super) fn of(host: &Host, locks: Locks) -> Self {
        let mut table = Self { trees: host.trees.clone(), mounts: Vec::new() };
        for mount in &host.mounts {
            let on = table.walk_host(&mount.at);
            let on = (!mount.at.is_empty()).then_some(on);
            let locked = locks == Locks::Locked && on.is_some();
            let (tree, flags, root) = (mount.tree, mount.flags.clone(), String::new());
            table.mounts.push(Mount { tree, root, on, flags, locked, unbindable: false });
        }
        table
    }

    /// Where a path without links of the host is, while the host's mounts are made.
    fn walk_host(&self, path: &str) -> At {
        let mut at = At { mount: 0, path: String::new() };
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = self.top(At { mount: at.mount, path: format!("{}/{name}", at.path) });
        }
        at
    }

    pub(super) fn mount(&self, id: usize) -> Result<&Mount, Fault> {
        self.mounts.get(id).ok_or(Fault::Missing)
    }

    pub(super) fn tree(&self, at: &At) -> Result<&Tree, Fault> {
        self.trees.get(self.mount(at.mount)?.tree).ok_or(Fault::Missing)
    }

    fn tree_mut(&mut self, at: &At) -> Result<&mut Tree, Fault> {
        let tree = self.mount(at.mount)?.tree;
        self.trees.get_mut(tree).ok_or(Fault::Missing)
    }

    pub(super) fn node(&self, at: &At) -> Option<&Node> {
        self.tree(at).ok()?.nodes.get(&at.path)
    }

    /// What is mounted on a place, and on that, and so on.
    pub(super) fn top(&self, mut at: At) -> At {
        while let Some((mount, found)) =
            self.mounts.iter().enumerate().find(|(_, mount)| mount.on.as_ref() == Some(&at))
        {
            at = At { mount, path: found.root.clone() };
        }
        at
    }

    pub(super) fn is_mount_root(&self, at: &At) -> bool {
        self.mount(at.mount).is_ok_and(|mount| mount.root == at.path)
    }

    /// `..` of a place.
    fn up(&self, root: &At, mut at: At, top: Top) -> At {
        loop {
            if at == *root {
                return if top == Top::Entered { self.top(at) } else { at };
            }
            if !self.is_mount_root(&at) {
                at.path.truncate(at.path.rfind('/').unwrap_or_default());
                return if at == *root && top == Top::Stays { at } else { self.top(at) };
            }
            match self.mount(at.mount).ok().and_then(|mount| mount.on.clone()) {
                Some(below) => at = below,
                None => return at,
            }
        }
    }

    /// Follows a path as openat2(2) does with `RESOLVE_IN_ROOT`, the last link too.
    pub(super) fn walk(&self, root: &At, path: &str, top: Top) -> Result<At, Fault> {
        const MOST_LINKS: usize = 40;
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let (mut at, mut links) = (root.clone(), 0);
        while let Some(name) = left.pop() {
            match self.node(&at) {
                Some(Node::Directory) => {}
                Some(_) => return Err(Fault::NotADirectory),
                None => return Err(Fault::Missing),
            }
            if name.is_empty() || name == "." {
                continue;
            }
            if name == ".." {
                at = self.up(root, at, top);
                continue;
            }
            let next = At { mount: at.mount, path: format!("{}/{name}", at.path) };
            match self.node(&next) {
                None => return Err(Fault::Missing),
                Some(Node::Link(to)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Fault::Loop);
                    }
                    if to.starts_with('/') {
                        at = root.clone();
                    }
                    left.extend(to.split('/').rev().map(str::to_owned));
                }
                Some(_) => at = self.top(next),
            }
        }
        Ok(at)
    }

    /// Whether a name can be made at a place, or what is there written.
    fn may_change(&self, at: &At) -> Result<(), Fault> {
        let read_only = self.mount(at.mount)?.flags.contains(&MountFlag::ReadOnly);
        match self.tree(at)?.kind {
            _ if read_only => Err(Fault::ReadOnly),
            Kind::ReadOnly => Err(Fault::ReadOnly),
            Kind::Fixed | Kind::Writable => Ok(()),
        }
    }

    pub(super) fn change(&self, at: &At) -> Result<(), Fault> {
        self.may_change(at)
    }

    /// Makes a name, in a directory that is there.
    pub(super) fn make(&mut self, parent: &At, name: &str, node: Node) -> Result<(), Fault> {
        if self.node(parent) != Some(&Node::Directory) {
            return Err(Fault::NotADirectory);
        }
        let at = At { mount: parent.mount, path: format!("{}/{name}", parent.path) };
        if matches!(name, ".." | "") || self.node(&at).is_some() {
            return Err(Fault::Exists);
        }
        self.may_change(&at)?;
        if self.tree(&at)?.kind == Kind::Fixed {
            return Err(Fault::Fixed);
        }
        self.tree_mut(&at)?.nodes.insert(at.path, node);
        Ok(())
    }

    /// A mount of a new file system, not attached.
    pub(super) fn fresh(&mut self, tree: Tree, flags: BTreeSet<MountFlag>) -> usize {
        let number = self.trees.len();
        self.trees.push(tree);
        let (root, on) = (String::new(), None);
        self.mounts.push(Mount { tree: number, root, on, flags, locked: false, unbindable: false });
        self.mounts.len() - 1
    }

    pub(super) fn set_unbindable(&mut self, id: usize) {
        if let Some(mount) = self.mounts.get_mut(id) {
            mount.unbindable = true;
        }
    }

    fn below(&self, at: &At) -> Vec<usize> {
        let inside = |on: &At| on.mount == at.mount && is_within(&on.path, &at.path);
        let mounts = self.mounts.iter().enumerate();
        mounts.filter(|(_, m)| m.on.as_ref().is_some_and(inside)).map(|(id, _)| id).collect()
    }

    /// A copy of what is at a place, not attached: open_tree(2).
    pub(super) fn copy(&mut self, at: &At, recursion: Recursion) -> Result<usize, Fault> {
        let original = self.mount(at.mount)?.clone();
        if original.unbindable {
            return Err(Fault::Invalid);
        }
        let below = self.below(at);
        let locked = below.iter().any(|id| self.mount(*id).is_ok_and(|mount| mount.locked));
        if locked && recursion == Recursion::Single {
            return Err(Fault::Invalid);
        }
        let copy = self.mounts.len();
        self.mounts.push(Mount { root: at.path.clone(), on: None, locked: false, ..original });
        if recursion == Recursion::Recursive || recursion == Recursion::SinglePreferred && locked {
            for id in below {
                let child = self.mount(id)?.clone();
                if child.unbindable {
                    continue;
                }
                let at = At { mount: id, path: child.root.clone() };
                let copied = self.copy(&at, Recursion::Recursive)?;
                if let Some(mount) = self.mounts.get_mut(copied) {
                    let path = child.on.map(|on| on.path).unwrap_or_default();
                    mount.on = Some(At { mount: copy, path });
                    mount.locked = child.locked;
                }
            }
        }
        Ok(copy)
    }

    /// Restricts a mount, or it and all that are on it: mount_setattr(2).
    pub(super) fn restrict(&mut self, id: usize, flags: &[MountFlag], recursion: Recursion) {
        if let Some(mount) = self.mounts.get_mut(id) {
            mount.flags.extend(flags);
        }
        if recursion == Recursion::Single {
            return;
        }
        let on_it = |mount: &Mount| mount.on.as_ref().is_some_and(|on| on.mount == id);
        let above: Vec<_> =
            self.mounts.iter().enumerate().filter(|(_, m)| on_it(m)).map(|(id, _)| id).collect();
        for id in above {
            self.restrict(id, flags, recursion);
        }
    }

    pub(super) fn make_writable(&mut self, id: usize) {
        if let Some(mount) = self.mounts.get_mut(id) {
            mount.flags.remove(&MountFlag::ReadOnly);
        }
    }

    /// Attaches a mount on top of what is at a place: move_mount(2).
    pub(super) fn attach(&mut self, id: usize, at: &At) -> Result<(), Fault> {
        let on = self.top(at.clone());
        let root = At { mount: id, path: self.mount(id)?.root.clone() };
        let is_directory = |at: &At| self.node(at) == Some(&Node::Directory);
        if is_directory(&root) != is_directory(&on) {
            return Err(Fault::NotADirectory);
        }
        if let Some(mount) = self.mounts.get_mut(id) {
            mount.on = Some(on);
        }
        Ok(())
    }

    /// The root of a mount.
    pub(super) fn root_of(&self, id: usize) -> At {
        let path = self.mount(id).map(|mount| mount.root.clone()).unwrap_or_default();
        At { mount: id, path }
    }

    /// The root becomes the first of all mounts, and what it was on is gone: pivot_root(2).
    pub(super) fn pivot(&mut self, root: &At) -> Result<(), Fault> {
        if !self.is_mount_root(root) {
            return Err(Fault::Invalid);
        }
        if let Some(mount) = self.mounts.get_mut(root.mount) {
            mount.on = None;
        }
        Ok(())
    }
}
