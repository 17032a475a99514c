//! What each extra mount asks for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sandbox_core::{
    Ability, Filesystem, InsidePath, Isolation, Missing, Mount, MountFlag, MountPoint, Recursion,
};

use super::Fault;
use super::asked::{Asked, Layer, Shows};
use super::host::{Kind, Node, Tree, proc, sysfs};
use super::replay::{fresh_name, text};

use MountFlag::{NoDev, NoExec, NoSuid, ReadOnly};

pub(super) type Flags = BTreeSet<MountFlag>;

/// What a place is needed for.
pub(super) struct Need<'m> {
    pub(super) target: &'m InsidePath,
    pub(super) made: bool,
}

impl Asked<'_> {
    pub(super) fn push(&mut self, at: String, shows: Shows, flags: Flags) {
        self.layers.push(Layer { at, shows, flags });
    }

    pub(super) fn tree(&mut self, at: String, tree: Tree, flags: Flags) {
        let tree = self.add(tree);
        self.push(at, Shows::Tree { tree, path: String::new() }, flags);
    }

    /// The place of a mount: followed, made where it is missing, and of the kind that is needed.
    fn place(&mut self, need: &Need, kind: &Node) -> Result<String, Fault> {
        if need.made {
            self.make_all(&text(need.target.as_path()), kind)?;
        }
        let at = self.inside(need.target)?;
        let is_directory = self.node(&at) == Some(Node::Directory);
        let fits = is_directory == (*kind == Node::Directory);
        if fits { Ok(at) } else { Err(Fault::NotADirectory) }
    }

    pub(super) fn fresh(
        &mut self,
        what: &str,
        need: &Need,
        always: &[MountFlag],
        flags: &Flags,
    ) -> Result<String, Fault> {
        let at = self.place(need, &Node::Directory)?;
        let name = fresh_name(&mut self.names, what, &need.target.to_string());
        let tree = match what {
            "proc" => proc(name),
            "sysfs" => sysfs(name),
            "devpts" => Tree::new(name, Kind::Fixed, &["/ptmx!"]),
            _ => Tree::new(name, Kind::Writable, &[]),
        };
        let flags = flags.iter().chain(always).copied().collect();
        self.tree(at.clone(), tree, flags);
        Ok(at)
    }

    pub(super) fn proc(&mut self, need: &Need, flags: &Flags) -> Result<(), Fault> {
        let shared = self.config.processes == Isolation::Undefined && !self.privileged();
        self.kernels("proc", "/proc", need, flags, shared, Ability::FreshProc)
    }

    /// A fresh file system of the kernel's where the sandbox may have one, else the host's.
    fn kernels(
        &mut self,
        what: &str,
        hosts: &str,
        need: &Need,
        flags: &Flags,
        shared: bool,
        ability: Ability,
    ) -> Result<(), Fault> {
        if shared || !self.facts.can(ability).is_yes() {
            let source = Path::new(hosts);
            return self.bind(source, need, Recursion::Recursive, flags, Missing::Fails);
        }
        self.fresh(what, need, &[NoSuid, NoDev, NoExec], flags).map(drop)
    }

    fn bind(
        &mut self,
        source: &Path,
        need: &Need,
        recursion: Recursion,
        flags: &Flags,
        missing: Missing,
    ) -> Result<(), Fault> {
        // The kind of a missing target is settled before anything is made; the source is looked up now.
        let before = self.host.find(&text(source)).map(|(_, node)| node);
        let absent = before == Err(Fault::Missing) && missing == Missing::IsFine;
        if absent && self.find_host(source) == Err(Fault::Missing) {
            return Ok(());
        }
        if need.made && !absent {
            let kind = if before? == Node::Directory { Node::Directory } else { Node::File };
            self.make_all(&text(need.target.as_path()), &kind)?;
        }
        let (source, node) = self.find_host(source)?;
        let kind = if node == Node::Directory { node } else { Node::File };
        let shows = self.part_of_host(source, recursion)?;
        let at = self.place(&Need { made: false, ..*need }, &kind)?;
        self.push_part(at, shows, flags);
        Ok(())
    }

    /// What a bind shows, and what is restricted of it already.
    pub(super) fn part_of_host(&self, path: String, recursion: Recursion) -> Result<Shows, Fault> {
        let locked = !self.privileged() && !self.mounts_below(&path).is_empty();
        match recursion {
            Recursion::Recursive => return Ok(Shows::Host(path)),
            Recursion::SinglePreferred if locked => return Ok(Shows::Host(path)),
            _ if locked => return Err(Fault::Invalid),
            _ => {}
        }
        let mount = self.host.mount_of(&path).ok_or(Fault::Missing)?;
        Ok(Shows::Tree { tree: mount.tree, path: path[mount.at.len()..].to_owned() })
    }

    pub(super) fn push_part(&mut self, at: String, shows: Shows, flags: &Flags) {
        let mut flags = flags.clone();
        if let Shows::Tree { tree, .. } = shows {
            // The host's own restrictions stay, those of the mount that it is in.
            let own = self.host.mounts.iter().find(|mount| mount.tree == tree);
            flags.extend(own.iter().flat_map(|mount| &mount.flags));
        }
        self.push(at, shows, flags);
    }

    /// One extra mount.
    pub(super) fn extra(&mut self, mount: &Mount) -> Result<(), Fault> {
        let made = mount.mount_point == MountPoint::Made && !mount.target.is_root();
        let need = Need { target: &mount.target, made };
        let flags = &mount.flags;
        let path = text(mount.target.as_path());
        match &mount.filesystem {
            Filesystem::Bind { source, recursion } => {
                self.bind(source, &need, *recursion, flags, mount.missing)
            }
            Filesystem::BindDescriptor { descriptor, recursion } => {
                let source = self.host.descriptors.get(descriptor).ok_or(Fault::Missing)?.clone();
                self.bind(Path::new(&source), &need, *recursion, flags, Missing::Fails)
            }
            Filesystem::Tmpfs { .. } => {
                self.fresh("tmpfs", &need, &[NoSuid, NoDev], flags).map(drop)
            }
            Filesystem::Proc => self.proc(&need, flags),
            Filesystem::Sysfs => {
                let shared = self.config.network == Isolation::Undefined && !self.privileged();
                let flags = flags.iter().copied().chain([ReadOnly]).collect();
                self.kernels("sysfs", "/sys", &need, &flags, shared, Ability::FreshSysfs)
            }
            Filesystem::Mqueue => {
                if self.config.ipc == Isolation::Undefined && !self.privileged() {
                    let (source, all) = (Path::new("/dev/mqueue"), Recursion::Recursive);
                    return self.bind(source, &need, all, flags, Missing::Fails);
                }
                self.fresh("mqueue", &need, &[NoSuid, NoDev, NoExec], flags).map(drop)
            }
            Filesystem::Dev => self.dev(&need, &["console"], flags),
            Filesystem::DevWithoutConsole => self.dev(&need, &[], flags),
            Filesystem::Overlay { lower, upper } => {
                let kind = if upper.is_some() { Kind::Writable } else { Kind::ReadOnly };
                let (upper, work) = (upper.iter().map(|u| &u.upper), upper.iter().map(|u| &u.work));
                self.overlay("overlay", &need, kind, upper.chain(lower), work.collect(), flags)
            }
            Filesystem::TemporaryOverlay { lower } => {
                let (what, kind) = ("temporary overlay", Kind::Writable);
                self.overlay(what, &need, kind, lower, Vec::new(), flags)
            }
            Filesystem::RemountInPlace => {
                let at = self.inside(&mount.target)?;
                let begins = self.look(&at).map(|found| found.begins);
                if begins.as_ref() != Some(&at) {
                    return Err(Fault::Invalid);
                }
                self.push(at, Shows::SameMount, flags.clone());
                Ok(())
            }
            Filesystem::RemountSingle => self.remount_single(&mount.target, flags),
            Filesystem::Remount => {
                let at = self.inside(&mount.target)?;
                self.push(at, Shows::Same, flags.clone());
                Ok(())
            }
            Filesystem::Data { .. } => {
                self.make_all(&path, &Node::File)?;
                let name = fresh_name(&mut self.names, "data", &mount.target.to_string());
                let at = self.place(&Need { made: false, ..need }, &Node::File)?;
                self.tree(at, Tree::file(name), flags.clone());
                Ok(())
            }
            Filesystem::Directory { .. } => match self.make_for_good(&path, Node::Directory) {
                Err(Fault::Exists) => self.is_directory(&mount.target),
                done => done,
            },
            Filesystem::Symlink { to } => self.symlink(&path, &text(to)),
            Filesystem::File { .. } => self.file(&mount.target),
            Filesystem::Chmod { .. } => {
                let at = self.inside(&mount.target)?;
                self.may_change(&at)
            }
            _ => Err(Fault::Unprepared),
        }
    }

    fn remount_single(&mut self, target: &InsidePath, flags: &Flags) -> Result<(), Fault> {
        let at = self.inside(target)?;
        let found = self.look(&at).ok_or(Fault::Missing)?;
        let below = |path: &String| !self.mounts_below(path).is_empty();
        if !self.privileged() && found.host.as_ref().is_some_and(below) {
            self.push(at, Shows::Same, flags.clone());
            return Ok(());
        }
        let shows = Shows::Tree { tree: found.tree, path: found.path };
        self.push(at, shows, &found.flags | flags);
        Ok(())
    }

    fn dev(&mut self, need: &Need, console: &[&str], flags: &Flags) -> Result<(), Fault> {
        let at = self.place(need, &Node::Directory)?;
        let name = fresh_name(&mut self.names, "tmpfs", &need.target.to_string());
        let mut tree = Tree::new(
            name,
            Kind::Writable,
            &[
                "/ptmx>pts/ptmx",
                "/fd>/proc/self/fd",
                "/stdin>/proc/self/fd/0",
                "/stdout>/proc/self/fd/1",
                "/stderr>/proc/self/fd/2",
                "/pts/",
                "/shm/",
            ],
        );
        let devices = ["null", "zero", "full", "random", "urandom", "tty"];
        for device in devices.iter().chain(console) {
            tree.nodes.insert(format!("/{device}"), Node::File);
        }
        self.tree(at.clone(), tree, [NoSuid, NoDev].into());
        if self.inside(need.target).as_ref() != Ok(&at) {
            return Err(Fault::Covered);
        }
        for device in devices.iter().chain(console) {
            let hosts = if *device == "console" { "null" } else { device };
            let (source, _) = self.find_host(&Path::new("/dev").join(hosts))?;
            let shows = self.part_of_host(source, Recursion::Single)?;
            self.push_part(format!("{at}/{device}"), shows, &Flags::new());
        }
        for (what, name, always) in
            [("devpts", "pts", [NoSuid, NoExec]), ("tmpfs", "shm", [NoSuid, NoDev])]
        {
            let target = need.target.join(name);
            self.fresh(what, &Need { target: &target, made: false }, &always, &Flags::new())?;
        }
        if !flags.is_empty() {
            self.push(at, Shows::Same, flags.clone());
        }
        Ok(())
    }

    fn overlay<'p>(
        &mut self,
        what: &str,
        need: &Need,
        kind: Kind,
        layers: impl IntoIterator<Item = &'p PathBuf>,
        work: Vec<&'p PathBuf>,
        flags: &Flags,
    ) -> Result<(), Fault> {
        let at = self.place(need, &Node::Directory)?;
        let has_upper = !work.is_empty();
        let name = fresh_name(&mut self.names, what, &need.target.to_string());
        let mut merged = Tree::new(name, kind, &[]);
        for path in work {
            if self.find_host(path)?.1 != Node::Directory {
                return Err(Fault::NotADirectory);
            }
        }
        for (number, layer) in layers.into_iter().enumerate() {
            let (path, node) = self.find_host(layer)?;
            if node != Node::Directory {
                return Err(Fault::NotADirectory);
            }
            let mount = self.host.mount_of(&path).ok_or(Fault::Missing)?;
            if number == 0 && has_upper && mount.flags.contains(&ReadOnly) {
                return Err(Fault::ReadOnly);
            }
            let tree = self.trees.get(mount.tree).ok_or(Fault::Missing)?;
            merged.add(tree, &path[mount.at.len()..]);
        }
        self.tree(at, merged, flags.clone());
        Ok(())
    }
}
