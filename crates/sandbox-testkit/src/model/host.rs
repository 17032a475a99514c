//! A host that is a value: file trees, and which of them is mounted where.

use std::collections::{BTreeMap, BTreeSet};

use sandbox_core::MountFlag;

use super::Fault;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A device, which a read-only mount does not protect.
    Device,
    /// A symbolic link, and its content.
    Link(String),
}

/// Whether the file system itself can be changed, whatever its mounts allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Like a disk.
    Writable,
    /// Names cannot be made in it, what is there can be written: proc(5).
    Fixed,
    /// Like an overlay without an upper layer.
    ReadOnly,
}

/// A file system. Paths in it have no `/` at the end: its root is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Its name, the same for both sides of a comparison.
    pub name: String,
    /// Whether it can be changed.
    pub kind: Kind,
    /// What is in it, by path.
    pub nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// One with these names and their parents; a name that ends with `/` is a directory's, one with `>` is
    /// a link, one with `!` a device.
    pub fn new(name: impl Into<String>, kind: Kind, names: &[&str]) -> Self {
        let mut nodes = BTreeMap::from([(String::new(), Node::Directory)]);
        for text in names {
            let (path, node) = match text.split_once('>') {
                Some((path, to)) => (path, Node::Link(to.to_owned())),
                None if text.ends_with('/') => (text.trim_end_matches('/'), Node::Directory),
                None if text.ends_with('!') => (text.trim_end_matches('!'), Node::Device),
                None => (*text, Node::File),
            };
            for (end, _) in path.char_indices().filter(|(at, c)| *c == '/' && *at > 0) {
                nodes.entry(path[..end].to_owned()).or_insert(Node::Directory);
            }
            nodes.insert(path.to_owned(), node);
        }
        Self { name: name.into(), kind, nodes }
    }

    /// One that is a single file, which a mount of it shows.
    pub fn file(name: impl Into<String>) -> Self {
        let nodes = BTreeMap::from([(String::new(), Node::File)]);
        Self { name: name.into(), kind: Kind::Writable, nodes }
    }

    /// Adds what is below a path of another one, except what is there already.
    pub(super) fn add(&mut self, other: &Self, path: &str) {
        for (name, node) in other.nodes.iter().filter(|(name, _)| is_within(name, path)) {
            let name = name[path.len()..].to_owned();
            let around = name.rfind('/').map(|end| &name[..end]).and_then(|up| self.nodes.get(up));
            // Below a file of an upper layer there is nothing.
            if around.is_none_or(|node| *node == Node::Directory) {
                self.nodes.entry(name).or_insert_with(|| node.clone());
            }
        }
    }

    /// The names in a directory.
    pub fn names(&self, directory: &str) -> BTreeSet<String> {
        let first = format!("{directory}/");
        let below = self.nodes.range(first.clone()..);
        let below = below.map(|(path, _)| path).take_while(|path| path.starts_with(&first));
        below
            .map(|path| &path[first.len()..])
            .filter(|n| !n.contains('/'))
            .map(Into::into)
            .collect()
    }
}

/// A mount of the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Where: a path without links, `/` is the empty one.
    pub at: String,
    /// The file system, by its place in [`Host::trees`].
    pub tree: usize,
    /// Its restrictions.
    pub flags: BTreeSet<MountFlag>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its file systems.
    pub trees: Vec<Tree>,
    /// Its mounts, the root's first, each after the one that it is in.
    pub mounts: Vec<HostMount>,
    /// The directory that the caller is in.
    pub cwd: String,
    /// What the caller's descriptors refer to, by path.
    pub descriptors: BTreeMap<i32, String>,
}

const ROOT: &[&str] = &[
    "/etc/passwd",
    "/tmp/",
    "/usr/bin/cc",
    "/home/",
    "/mnt/d/",
    "/srv/ro/",
    "/proc/",
    "/sys/",
    "/dev/",
    "/a/b/x",
    "/a/b/c",
    "/a/up>..",
    "/a/mnt/",
    "/a/d/",
    "/file",
    "/link>/a",
    "/out>/etc",
    "/up>../../..",
    "/loop>loop",
    "/srv/tree/a/b/c",
    "/srv/tree/a/b/x",
    "/srv/tree/a/d/",
    "/srv/tree/tmp/",
    "/srv/tree/usr/bin/cc",
    "/srv/tree/home/user/",
    "/srv/tree/mnt/d/",
    "/srv/tree/dev/",
    "/srv/tree/proc/",
    "/srv/tree/sys/",
    "/srv/tree/file",
    "/srv/tree/link>a",
    "/srv/tree/out>/etc",
    "/srv/tree/up>../../..",
    "/srv/tree/loop>loop",
    "/srv/tree/a/mnt/",
    "/srv/tree/etc/passwd",
    "/srv/tree/srv/tree/a/",
    "/srv/tree/srv/ro/d/",
];

const PROC: &[&str] = &[
    "/sys/kernel/core_pattern",
    "/sysrq-trigger",
    "/irq/x",
    "/bus/x",
    "/fs/x",
    "/kcore",
    "/keys",
    "/acpi/x",
    "/self/status",
];

const DEV: &[&str] = &[
    "/null!",
    "/zero!",
    "/full!",
    "/random!",
    "/urandom!",
    "/tty!",
    "/sda!",
    "/shm/",
    "/mqueue/",
    "/pts/",
];

/// What a proc has in it, wherever it is mounted.
pub(super) fn proc(name: impl Into<String>) -> Tree {
    Tree::new(name, Kind::Fixed, PROC)
}

/// What a sysfs has in it.
pub(super) fn sysfs(name: impl Into<String>) -> Tree {
    Tree::new(name, Kind::Fixed, &["/fs/cgroup/", "/kernel/x"])
}

impl Host {
    /// A host as they are, with a tree for sandboxes in `/srv/tree`, and some more mounts: each a path of
    /// [`Host::places`], by its number, and restrictions.
    pub fn typical(more: &[(usize, BTreeSet<MountFlag>)]) -> Self {
        use MountFlag::{NoDev, NoExec, NoSuid, ReadOnly};
        let mut host = Self {
            trees: Vec::new(),
            mounts: Vec::new(),
            cwd: "/home/user".to_owned(),
            descriptors: BTreeMap::from([(10, "/srv/tree/a".into()), (11, "/etc/passwd".into())]),
        };
        let kernel = [NoSuid, NoDev, NoExec];
        host.mount("", Tree::new("host", Kind::Writable, ROOT), &[]);
        host.mount("/proc", proc("host proc"), &kernel);
        host.mount("/sys", sysfs("host sysfs"), &kernel);
        let cgroup = Tree::new("host cgroup", Kind::Fixed, &["/cgroup.procs"]);
        host.mount("/sys/fs/cgroup", cgroup, &kernel);
        host.mount("/dev", Tree::new("host dev", Kind::Writable, DEV), &[NoSuid]);
        host.mount("/dev/shm", Tree::new("host shm", Kind::Writable, &["/x"]), &[NoSuid, NoDev]);
        host.mount("/dev/mqueue", Tree::new("host mqueue", Kind::Writable, &["/q"]), &kernel);
        host.mount("/dev/pts", Tree::new("host pts", Kind::Fixed, &["/0!"]), &[NoSuid, NoExec]);
        host.mount("/home", Tree::new("host home", Kind::Writable, &["/user/x"]), &[NoSuid]);
        host.mount("/srv/ro", Tree::new("host ro", Kind::Writable, &["/d/x"]), &[ReadOnly]);
        let below = Tree::new("host mnt", Kind::Writable, &["/m/x"]);
        host.mount("/srv/tree/a/mnt", below, &[]);
        for (number, (place, flags)) in more.iter().enumerate() {
            let place = Self::places()[place % Self::places().len()];
            let tree = Tree::new(format!("host more {number}"), Kind::Writable, &["/d/x", "/b/c"]);
            let flags: Vec<_> = flags.iter().copied().collect();
            // Where an earlier one covers the place, it is not there.
            if matches!(host.find(place), Ok((_, Node::Directory))) {
                host.mount(place, tree, &flags);
            }
        }
        host
    }

    /// Directories on which more can be mounted.
    pub fn places() -> &'static [&'static str] {
        &["/a", "/a/b", "/srv/tree/a/b", "/srv/tree/tmp", "/mnt", "/home/user", "/proc/sys", "/usr"]
    }

    fn mount(&mut self, at: &str, tree: Tree, flags: &[MountFlag]) {
        let number = self.trees.len();
        self.trees.push(tree);
        let flags = flags.iter().copied().collect();
        self.mounts.push(HostMount { at: at.to_owned(), tree: number, flags });
    }

    /// The mount that a path without links is in: the last of those around it.
    pub(super) fn mount_of(&self, path: &str) -> Option<&HostMount> {
        self.mounts.iter().rev().find(|mount| is_within(path, &mount.at))
    }

    /// What is at a path without links.
    pub(super) fn node(&self, path: &str) -> Option<&Node> {
        let mount = self.mount_of(path)?;
        self.trees.get(mount.tree)?.nodes.get(&path[mount.at.len()..])
    }

    /// Follows a path, links and all: the path without them, and what is there.
    pub(super) fn find(&self, path: &str) -> Result<(String, Node), Fault> {
        let at = follow(path, &|at| self.node(at).cloned())?;
        let node = self.node(&at).cloned().ok_or(Fault::Missing)?;
        Ok((at, node))
    }
}

/// Whether a path is another one or below it, both without links.
pub(super) fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Follows a path in a world of which only what is at a path without links is known. The root is the
/// empty path, and `..` of it is itself.
pub(super) fn follow(path: &str, node: &dyn Fn(&str) -> Option<Node>) -> Result<String, Fault> {
    const MOST_LINKS: usize = 40;
    let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let (mut at, mut links) = (String::new(), 0);
    while let Some(name) = left.pop() {
        match node(&at) {
            Some(Node::Directory) => {}
            Some(_) => return Err(Fault::NotADirectory),
            None => return Err(Fault::Missing),
        }
        match name.as_str() {
            "" | "." => {}
            ".." => at.truncate(at.rfind('/').unwrap_or_default()),
            name => {
                let next = format!("{at}/{name}");
                match node(&next) {
                    Some(Node::Link(to)) => {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(Fault::Loop);
                        }
                        if to.starts_with('/') {
                            at.clear();
                        }
                        left.extend(to.split('/').rev().map(str::to_owned));
                    }
                    Some(_) => at = next,
                    None => return Err(Fault::Missing),
                }
            }
        }
    }
    Ok(at)
}
