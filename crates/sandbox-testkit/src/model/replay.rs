//! Carries out a plan's steps on the mount table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sandbox_core::{
    InsidePath, Missing, MountFlag, Namespace, NewFilesystem, Plan, Recursion, Step,
};

use super::host::{Host, Kind, Node, Tree, proc, sysfs};
use super::table::{At, Locks, Table, Top};
use super::{Fault, files};

/// Where a plan has led.
#[derive(Debug, Clone)]
pub(super) struct World<'a> {
    pub(super) table: Table,
    /// The new root.
    pub(super) root: Option<At>,
    /// The root that the process has, until the new one takes its place.
    host_root: Option<At>,
    host: &'a Host,
    /// Where plain directories are made and looked up.
    names: BTreeMap<String, usize>,
    held: BTreeMap<InsidePath, usize>,
    mounted: BTreeMap<InsidePath, usize>,
    reopened: BTreeSet<InsidePath>,
}

/// The path as text; the model's names are all text.
pub(super) fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

/// Carries out all steps. The error says which one fails, and why.
pub(super) fn replay<'a>(plan: &Plan, host: &'a Host) -> Result<World<'a>, (usize, Fault)> {
    let user = plan.namespaces.contains(&Namespace::User);
    let mut world = World {
        table: Table::of(host, if user { Locks::Locked } else { Locks::Free }),
        root: None,
        host_root: Some(At { mount: 0, path: String::new() }),
        host,
        names: BTreeMap::new(),
        held: BTreeMap::new(),
        mounted: BTreeMap::new(),
        reopened: plan.steps.iter().filter_map(reopened).collect(),
    };
    for (number, step) in plan.steps.iter().enumerate() {
        world.step(step).map_err(|fault| (number, fault))?;
    }
    Ok(world)
}

fn reopened(step: &Step) -> Option<InsidePath> {
    if let Step::Reopen(path) = step { Some(path.clone()) } else { None }
}

/// The name of a new file system: what it is, where it was asked for, and the how manieth of these.
pub(super) fn fresh_name(names: &mut BTreeMap<String, usize>, what: &str, at: &str) -> String {
    let name = format!("{what} for {at}");
    let count = names.entry(name.clone()).or_default();
    *count += 1;
    format!("{name} ({count})")
}

impl World<'_> {
    /// The root of the sandbox: the new one, or where there is none the host's.
    pub(super) fn root(&self) -> Result<At, Fault> {
        let host = || self.host_root.clone().ok_or(Fault::HostGone);
        self.root.clone().map_or_else(host, Ok)
    }

    /// A path of the host. What is mounted on its root is not entered by a `..` too many: `compile.rs` of
    /// sandbox-sys sees to it.
    fn host(&self, path: &Path) -> Result<At, Fault> {
        let root = self.host_root.clone().ok_or(Fault::HostGone)?;
        self.table.walk(&root, &text(path), Top::Stays)
    }

    /// What a path of the host is before the sandbox is made.
    pub(super) fn on_host(&self, path: &str) -> Result<(String, Node), Fault> {
        self.host_root.as_ref().ok_or(Fault::HostGone)?;
        self.host.find(path)
    }

    pub(super) fn descriptor(&self, number: i32) -> Result<String, Fault> {
        self.host.descriptors.get(&number).cloned().ok_or(Fault::Missing)
    }

    pub(super) fn cwd(&self) -> &str {
        &self.host.cwd
    }

    pub(super) fn inside(&self, path: &InsidePath) -> Result<At, Fault> {
        self.at(&text(path.as_path()))
    }

    pub(super) fn at(&self, path: &str) -> Result<At, Fault> {
        self.table.walk(&self.root()?, path, Top::Entered)
    }

    fn new_root(&mut self, mount: usize) -> Result<(), Fault> {
        let host = self.host_root.clone().ok_or(Fault::HostGone)?;
        // No copy of the host's root takes this along.
        let scratch = self.table.fresh(Tree::new("scratch", Kind::Writable, &[]), BTreeSet::new());
        self.table.attach(scratch, &host)?;
        self.table.set_unbindable(scratch);
        self.table.attach(mount, &host)?;
        self.root = Some(self.table.root_of(mount));
        Ok(())
    }

    /// Attaches a mount; what is on the root becomes the root.
    fn put(&mut self, mount: usize, at: &At) -> Result<(), Fault> {
        self.table.attach(mount, at)?;
        if self.root.as_ref() == Some(at) {
            self.root = Some(self.table.top(at.clone()));
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::RootTree(path) => {
                let at = self.host(path)?;
                self.directory(&at)?;
                let copy = self.table.copy(&at, Recursion::Recursive)?;
                self.new_root(copy)
            }
            Step::RootDirectory(path) => {
                let at = self.host(path)?;
                self.directory(&at)?;
                self.root = Some(at);
                Ok(())
            }
            Step::RootEmpty => {
                let flags = [MountFlag::NoSuid, MountFlag::NoDev].into();
                let root = self.table.fresh(Tree::new("empty root", Kind::Writable, &[]), flags);
                self.new_root(root)
            }
            Step::Bind { source, target, recursion, flags, missing } => {
                match (self.host(source), missing) {
                    (Err(Fault::Missing), Missing::IsFine) => Ok(()),
                    (source, _) => self.bind(&source?, target, *recursion, flags),
                }
            }
            Step::BindDescriptor { descriptor, target, recursion, flags } => {
                let path = self.host.descriptors.get(descriptor).ok_or(Fault::Missing)?;
                let source = self.host(Path::new(path))?;
                self.bind(&source, target, *recursion, flags)
            }
            Step::BindConsole(target) => {
                let source = self.host(Path::new("/dev/null"))?;
                self.bind(&source, target, Recursion::Single, &[])
            }
            Step::BindData { target, flags, .. } => {
                files::make_all(self, target, &Node::File)?;
                let name = fresh_name(&mut self.names, "data", &target.to_string());
                let flags = flags.iter().copied().collect();
                let file = self.table.fresh(Tree::file(name), flags);
                let at = self.inside(target)?;
                self.table.attach(file, &at)
            }
            Step::Mount { filesystem, target, flags } => self.mount(filesystem, target, flags),
            Step::PivotRoot => {
                let root = self.root.clone().ok_or(Fault::Unprepared)?;
                self.table.pivot(&root)?;
                self.host_root = None;
                Ok(())
            }
            Step::Chroot => {
                self.root.as_ref().ok_or(Fault::Unprepared)?;
                self.host_root = None;
                Ok(())
            }
            step => match self.restriction(step) {
                Some(done) => done,
                None => files::step(self, step),
            },
        }
    }

    /// The steps that make something read-only, or keep it from that.
    fn restriction(&mut self, step: &Step) -> Option<Result<(), Fault>> {
        Some(match step {
            Step::RestrictInPlace { target, flags } => self.inside(target).and_then(|at| {
                if !self.table.is_mount_root(&at) {
                    return Err(Fault::Invalid);
                }
                self.table.restrict(at.mount, flags, Recursion::Single);
                Ok(())
            }),
            Step::Restrict { target, recursion, flags, missing } => {
                match (self.inside(target), missing) {
                    (Err(Fault::Missing | Fault::NotADirectory), Missing::IsFine) => Ok(()),
                    (at, _) => at.and_then(|at| self.cover(&at, *recursion, flags)),
                }
            }
            Step::Mask(target) => match self.inside(target) {
                Err(Fault::Missing | Fault::NotADirectory) => Ok(()),
                at => at.and_then(|at| self.mask(&at)),
            },
            Step::Find(path) => self.inside(path).map(drop),
            Step::HoldWritable(path) => self.hold(path),
            Step::ReleaseWritable(path) => self.release(path),
            Step::ReadOnly => self.root().and_then(|root| {
                if !self.table.is_mount_root(&root) {
                    return Err(Fault::Invalid);
                }
                self.table.restrict(root.mount, &[MountFlag::ReadOnly], Recursion::Recursive);
                Ok(())
            }),
            Step::Reopen(path) => self.inside(path).and_then(|at| {
                if self.mounted.get(path) != Some(&at.mount) {
                    return Err(Fault::Busy);
                }
                if !self.table.is_mount_root(&at) {
                    return Err(Fault::Invalid);
                }
                self.table.make_writable(at.mount);
                Ok(())
            }),
            _ => return None,
        })
    }

    fn directory(&self, at: &At) -> Result<(), Fault> {
        let is = self.table.node(at) == Some(&Node::Directory);
        if is { Ok(()) } else { Err(Fault::NotADirectory) }
    }

    fn bind(
        &mut self,
        source: &At,
        target: &InsidePath,
        recursion: Recursion,
        flags: &[MountFlag],
    ) -> Result<(), Fault> {
        let copy = self.table.copy(source, recursion)?;
        self.table.restrict(copy, flags, recursion);
        let at = self.inside(target)?;
        self.put(copy, &at)
    }

    fn cover(&mut self, at: &At, recursion: Recursion, flags: &[MountFlag]) -> Result<(), Fault> {
        let copy = self.table.copy(at, recursion)?;
        self.table.restrict(copy, flags, recursion);
        self.put(copy, at)
    }

    fn mask(&mut self, at: &At) -> Result<(), Fault> {
        use MountFlag::{NoDev, NoSuid, ReadOnly};
        let cover = if self.directory(at).is_ok() {
            let empty = Tree::new("mask", Kind::Writable, &[]);
            self.table.fresh(empty, [NoSuid, NoDev, ReadOnly].into())
        } else {
            let null = self.host(Path::new("/dev/null"))?;
            let copy = self.table.copy(&null, Recursion::Single)?;
            self.table.restrict(copy, &[ReadOnly], Recursion::Single);
            copy
        };
        self.table.attach(cover, at)
    }

    fn hold(&mut self, path: &InsidePath) -> Result<(), Fault> {
        let at = self.inside(path)?;
        if self.root.as_ref() == Some(&at) {
            return Err(Fault::Invalid);
        }
        let copy = self.table.copy(&at, Recursion::Recursive)?;
        self.held.insert(path.clone(), copy);
        Ok(())
    }

    fn release(&mut self, path: &InsidePath) -> Result<(), Fault> {
        let copy = self.held.remove(path).ok_or(Fault::Unprepared)?;
        let at = self.inside(path)?;
        self.table.attach(copy, &at)
    }

    fn mount(
        &mut self,
        filesystem: &NewFilesystem,
        target: &InsidePath,
        flags: &[MountFlag],
    ) -> Result<(), Fault> {
        let at = self.inside(target)?;
        self.directory(&at)?;
        let mut name = |what| fresh_name(&mut self.names, what, &target.to_string());
        let tree = match filesystem {
            NewFilesystem::Proc => proc(name("proc")),
            NewFilesystem::Sysfs => sysfs(name("sysfs")),
            NewFilesystem::Tmpfs { .. } => Tree::new(name("tmpfs"), Kind::Writable, &[]),
            NewFilesystem::Devpts => Tree::new(name("devpts"), Kind::Fixed, &["/ptmx!"]),
            NewFilesystem::Mqueue => Tree::new(name("mqueue"), Kind::Writable, &[]),
            NewFilesystem::Overlay { lower, upper, .. } => {
                let kind = if upper.is_some() { Kind::Writable } else { Kind::ReadOnly };
                let mut layers: Vec<&Path> = lower.iter().map(AsRef::as_ref).collect();
                if let Some(upper) = upper {
                    let work = self.host(&upper.work)?;
                    let at = self.host(&upper.upper)?;
                    [&work, &at].iter().try_for_each(|at| self.directory(at))?;
                    self.table.change(&at)?;
                    layers.insert(0, &upper.upper);
                }
                let name = fresh_name(&mut self.names, "overlay", &target.to_string());
                self.overlay(name, kind, &layers)?
            }
            NewFilesystem::TemporaryOverlay { lower, .. } => {
                let layers: Vec<&Path> = lower.iter().map(AsRef::as_ref).collect();
                let name = name("temporary overlay");
                self.overlay(name, Kind::Writable, &layers)?
            }
            _ => return Err(Fault::Unprepared),
        };
        let mount = self.table.fresh(tree, flags.iter().copied().collect());
        self.put(mount, &at)?;
        if self.reopened.contains(target) {
            self.mounted.insert(target.clone(), self.inside(target)?.mount);
        }
        Ok(())
    }

    /// The layers as one tree: a name of an upper one hides that of a lower one.
    fn overlay(&self, name: String, kind: Kind, layers: &[&Path]) -> Result<Tree, Fault> {
        let mut merged = Tree::new(name, kind, &[]);
        for layer in layers {
            let at = self.host(layer)?;
            self.directory(&at)?;
            merged.add(self.table.tree(&at)?, &at.path);
        }
        Ok(merged)
    }
}
