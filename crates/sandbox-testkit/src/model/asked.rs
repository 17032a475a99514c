//! What was asked, settled from the configuration alone: neither the plan nor a mount table is looked at.
//!
//! What a path shows is decided by the last thing that was put on it or around it; restrictions add up
//! from there; and what can be written is what `writable` says, less those.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sandbox_core::{
    BackendName, HostFacts, InsidePath, Isolation, MountFlag, Root, SandboxConfig, Standing, User,
    UserNamespace, Writable,
};

use super::host::{Host, HostMount, Kind, Node, Tree, follow, is_within};
use super::replay::text;
use super::{Fault, Seen, Write};

/// What one thing that is put somewhere does there.
#[derive(Debug, Clone)]
pub(super) enum Shows {
    /// What the host has at a path, with all that is mounted there.
    Host(String),
    /// A part of one file system, alone.
    Tree { tree: usize, path: String },
    /// What is there already, all of it, with restrictions.
    Same,
    /// What is there already, with restrictions of that one mount.
    SameMount,
}

#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// Where, without links.
    pub(super) at: String,
    pub(super) shows: Shows,
    pub(super) flags: BTreeSet<MountFlag>,
}

/// What there is at a path, so far.
pub(super) struct Found {
    pub(super) tree: usize,
    pub(super) path: String,
    pub(super) flags: BTreeSet<MountFlag>,
    /// Where the mount begins that it is in.
    pub(super) begins: String,
    /// Its path on the host, where it is the host's with all that is mounted there.
    pub(super) host: Option<String>,
}

/// Everything that was asked.
pub(super) struct Asked<'a> {
    pub(super) config: &'a SandboxConfig,
    pub(super) facts: &'a HostFacts,
    pub(super) host: &'a Host,
    pub(super) trees: Vec<Tree>,
    pub(super) layers: Vec<Layer>,
    pub(super) names: BTreeMap<String, usize>,
    pub(super) is_luc: bool,
    /// Paths without links; nothing where all is writable.
    writable: Option<Vec<String>>,
}

pub(super) fn asked<'a>(
    backend: BackendName,
    config: &'a SandboxConfig,
    facts: &'a HostFacts,
    host: &'a Host,
) -> Result<Asked<'a>, Fault> {
    let mut asked = Asked {
        config,
        facts,
        host,
        trees: host.trees.clone(),
        layers: Vec::new(),
        names: BTreeMap::new(),
        is_luc: backend.as_str() == "linux-user-chroot",
        writable: None,
    };
    asked.root()?;
    asked.hosts_own()?;
    for mount in &config.extra_mounts {
        asked.extra(mount)?;
    }
    if asked.has_mounts() {
        asked.protect()?;
    }
    asked.settle_writable()?;
    asked.settle_directory()?;
    Ok(asked)
}

impl<'a> Asked<'a> {
    /// Whether it acts on the host with the caller's own rights.
    pub(super) fn privileged(&self) -> bool {
        let own = self.config.user_namespace == UserNamespace::Undefined;
        !self.is_luc || self.facts.standing == Standing::Privileged && own
    }

    fn has_mounts(&self) -> bool {
        let config = self.config;
        let isolated = [config.mounts, config.processes, config.ipc].contains(&Isolation::Isolated);
        let some = !config.extra_mounts.is_empty() || !config.limits.is_none();
        let luc = config.root != Root::Host
            || config.writable != Writable::All
            || !config.process.locks.is_empty();
        isolated || some || self.is_luc && luc
    }

    /// Who the command is on the host.
    pub(super) fn uid(&self) -> u32 {
        match self.config.user {
            User::Root if self.privileged() => 0,
            User::Ids { uid, .. } if self.privileged() => uid,
            _ => self.facts.uid,
        }
    }

    fn root(&mut self) -> Result<(), Fault> {
        let shows = match &self.config.root {
            Root::Empty => {
                let tree = self.add(Tree::new("empty root", Kind::Writable, &[]));
                let flags = [MountFlag::NoSuid, MountFlag::NoDev].into();
                let shows = Shows::Tree { tree, path: String::new() };
                self.layers.push(Layer { at: String::new(), shows, flags });
                return Ok(());
            }
            Root::Directory(path) => match self.find_host(path)? {
                (path, Node::Directory) => Shows::Host(path),
                _ => return Err(Fault::NotADirectory),
            },
            _ => Shows::Host(String::new()),
        };
        self.layers.push(Layer { at: String::new(), shows, flags: BTreeSet::new() });
        Ok(())
    }

    pub(super) fn add(&mut self, tree: Tree) -> usize {
        self.trees.push(tree);
        self.trees.len() - 1
    }

    /// A path of the host, followed, as the host is now.
    pub(super) fn find_host(&self, path: &Path) -> Result<(String, Node), Fault> {
        let node = |at: &str| {
            let mount = self.host.mount_of(at)?;
            self.trees.get(mount.tree)?.nodes.get(&at[mount.at.len()..]).cloned()
        };
        let at = follow(&text(path), &node)?;
        let node = node(&at).ok_or(Fault::Missing)?;
        Ok((at, node))
    }

    /// The mounts of the host that are below a path of it, and seen.
    pub(super) fn mounts_below(&self, path: &str) -> Vec<&'a HostMount> {
        let mounts = &self.host.mounts;
        let own = mounts.iter().rposition(|mount| is_within(path, &mount.at)).unwrap_or_default();
        mounts.iter().skip(own + 1).filter(|mount| is_within(&mount.at, path)).collect()
    }

    /// What there is at a path without links.
    pub(super) fn look(&self, path: &str) -> Option<Found> {
        let is_base = |layer: &Layer| {
            matches!(layer.shows, Shows::Host(_) | Shows::Tree { .. }) && is_within(path, &layer.at)
        };
        let base = self.layers.iter().rposition(is_base)?;
        let layer = self.layers.get(base)?;
        let rest = &path[layer.at.len()..];
        let mut found = match &layer.shows {
            Shows::Host(source) => {
                let host = format!("{source}{rest}");
                let mount = self.host.mount_of(&host)?;
                let below = mount.at.get(source.len()..).filter(|_| is_within(&mount.at, source));
                Found {
                    tree: mount.tree,
                    path: host[mount.at.len()..].to_owned(),
                    flags: &mount.flags | &layer.flags,
                    begins: format!("{}{}", layer.at, below.unwrap_or_default()),
                    host: Some(host),
                }
            }
            Shows::Tree { tree, path } => Found {
                tree: *tree,
                path: format!("{path}{rest}"),
                flags: layer.flags.clone(),
                begins: layer.at.clone(),
                host: None,
            },
            _ => return None,
        };
        for layer in self.layers.iter().skip(base + 1) {
            match layer.shows {
                Shows::Same if is_within(path, &layer.at) => {
                    found.flags.extend(&layer.flags);
                    if layer.at.len() > found.begins.len() {
                        found.begins.clone_from(&layer.at);
                    }
                }
                Shows::SameMount if found.begins == layer.at => found.flags.extend(&layer.flags),
                _ => {}
            }
        }
        Some(found)
    }

    pub(super) fn node(&self, path: &str) -> Option<Node> {
        let found = self.look(path)?;
        self.trees.get(found.tree)?.nodes.get(&found.path).cloned()
    }

    /// A path inside, followed.
    pub(super) fn resolve(&self, path: &str) -> Result<String, Fault> {
        follow(path, &|at| self.node(at))
    }

    pub(super) fn inside(&self, path: &InsidePath) -> Result<String, Fault> {
        self.resolve(&text(path.as_path()))
    }

    fn settle_writable(&mut self) -> Result<(), Fault> {
        self.writable = match &self.config.writable {
            Writable::All => None,
            Writable::Only(paths) => {
                let whole = paths.iter().any(InsidePath::is_root);
                let followed = paths.iter().map(|path| self.inside(path));
                let followed = followed.collect::<Result<Vec<_>, _>>()?;
                if !whole && followed.iter().any(String::is_empty) {
                    return Err(Fault::Invalid);
                }
                (!whole).then_some(followed)
            }
            _ => Some(Vec::new()),
        };
        Ok(())
    }

    /// Whether something writable, or what is mounted, is named by a way that leads over a link.
    pub(super) fn has_other_names(&self) -> bool {
        let mounts = self.config.extra_mounts.iter().map(|mount| &mount.target);
        let writable = match &self.config.writable {
            Writable::Only(paths) => paths.as_slice(),
            _ => return false,
        };
        let mut targets = mounts.chain(writable).filter(|path| !path.is_root());
        targets.any(|path| self.inside(path).as_deref() != Ok(&text(path.as_path())))
    }

    /// The command has a directory to start in.
    fn settle_directory(&self) -> Result<(), Fault> {
        let process = &self.config.process;
        process.locks.iter().try_for_each(|path| self.inside(path).map(drop))?;
        let directory = match (&self.config.cwd, &self.config.root) {
            (Some(path), _) => self.inside(path)?,
            (None, _) if !process.cwd_candidates.is_empty() => return Ok(()),
            (None, Root::Host) => return self.resolve(&self.host.cwd).map(drop),
            (None, _) => return Ok(()),
        };
        let is_directory = self.node(&directory) == Some(Node::Directory);
        if is_directory { Ok(()) } else { Err(Fault::NotADirectory) }
    }

    /// What is to be seen at a path without links.
    pub(super) fn seen(&self, path: &str) -> Option<Seen> {
        let mut found = self.look(path)?;
        let tree = self.trees.get(found.tree)?;
        let node = tree.nodes.get(&found.path)?.clone();
        let allowed = self.writable.as_ref();
        let allowed = allowed.is_none_or(|paths| paths.iter().any(|other| is_within(path, other)));
        let read_only = found.flags.remove(&MountFlag::ReadOnly) || tree.kind == Kind::ReadOnly;
        let write = match node {
            Node::Device => Write::Device,
            _ if allowed && !read_only => Write::Yes,
            _ => Write::No,
        };
        Some(Seen { tree: tree.name.clone(), path: found.path, node, write, flags: found.flags })
    }

    /// The names in a directory.
    pub(super) fn names(&self, path: &str) -> BTreeSet<String> {
        let tree = |found: &Found| self.trees.get(found.tree);
        let names = self.look(path).and_then(|found| Some(tree(&found)?.names(&found.path)));
        names.unwrap_or_default()
    }
}
