//! For tests of whole programs: a tree with a static busybox, as root and as a plain user.
//!
//! A test of a program runs it on a [`Tree`] of its own, once for each user that there can be
//! ([`trees`]), and wants nothing to be [left](Tree::left) at the end. What cannot run here is said by
//! name and reason ([`skip`]).

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::unistd::geteuid;
use tempfile::TempDir;

/// A static busybox of the host's, as Debian's `busybox-static` has it.
pub const BUSYBOX: &str = "/bin/busybox";
/// Its commands that a tree has in `/bin`.
const APPLETS: [&str; 27] = [
    "cat", "df", "echo", "env", "false", "flock", "grep", "head", "hostname", "id", "ip", "kill",
    "linux32", "ls", "mkdir", "ps", "pwd", "readlink", "rm", "sh", "sleep", "stat", "touch",
    "true", "unshare", "wc", "yes",
];
/// The user that a test run by root becomes. It belongs to no account on an ordinary machine, and
/// needs none.
pub const PLAIN_USER: u32 = 54_321;
/// Begins a line that says what cannot run.
pub const SKIPPED: &str = "skipped: ";

/// Who starts the program that is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// User 0.
    Root,
    /// [`PLAIN_USER`], where the tests are root; else who runs the tests.
    Plain,
}

impl Who {
    /// Who runs the tests.
    pub fn caller() -> Self {
        if geteuid().is_root() { Self::Root } else { Self::Plain }
    }

    /// The words before a command that is to be started by this user: setpriv(1), or none.
    pub fn prefix(self) -> &'static [&'static str] {
        match (self, Self::caller()) {
            (Self::Plain, Self::Root) => {
                &["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
            }
            _ => &[],
        }
    }

    /// The user's number, which is its group's as well where the tests are root.
    pub fn uid(self) -> u32 {
        match (self, Self::caller()) {
            (Self::Root, _) => 0,
            (Self::Plain, Self::Root) => PLAIN_USER,
            (Self::Plain, Self::Plain) => geteuid().as_raw(),
        }
    }
}

/// Says by name and reason what cannot run here, past the test harness, which would swallow it; and in
/// the file that `SANDBOX_TEST_SKIPS` names, from which `cargo xtask test` makes its summary.
///
/// # Errors
/// That file, or standard error, cannot be written to.
pub fn skip(subject: &str, reason: &str) -> io::Result<()> {
    let thread = thread::current();
    let line = format!("{subject} {}: {reason}\n", thread.name().unwrap_or("a test"));
    io::stderr().write_all(format!("{SKIPPED}{line}").as_bytes())?;
    match env::var_os("SANDBOX_TEST_SKIPS") {
        Some(file) => {
            let mut file = OpenOptions::new().append(true).create(true).open(file)?;
            file.write_all(line.as_bytes())
        }
        None => Ok(()),
    }
}

/// Copies a program by a process of its own. A test that forks meanwhile would inherit the open file,
/// and what is open for writing cannot be executed.
///
/// # Errors
/// cp(1) cannot be started, or fails.
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    if Command::new("cp").arg(from).arg(to).status()?.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("cannot copy {} to {}", from.display(), to.display())))
}

/// A tree for each user that a test of `subject` can be run for, root's first. Says so where there is
/// none.
///
/// # Errors
/// A directory cannot be made, or its file not written.
pub fn trees(subject: &str) -> io::Result<Vec<Tree>> {
    let everyone: &[Who] = if Who::caller() == Who::Root {
        &[Who::Root, Who::Plain]
    } else {
        skip(subject, "as root: the caller is not root")?;
        &[Who::Plain]
    };
    everyone.iter().filter_map(|who| Tree::new(subject, *who).transpose()).collect()
}

/// A directory for one test and one user, removed when it is dropped. In it are `tree`, the root of a
/// sandbox, with `/bin`, `/tmp`, `/proc`, `/dev`, `/data` and the commands of a busybox; and beside that,
/// as what the host has, `source/file`.
#[derive(Debug)]
pub struct Tree {
    /// Who starts the program.
    pub who: Who,
    path: PathBuf,
    /// None in a process that a test has started, which uses its test's.
    _owned: Option<TempDir>,
    before: BTreeMap<PathBuf, u64>,
}

impl Tree {
    /// Makes one. It has to be [sealed](Self::seal) before the test starts. None where the host has no
    /// [`BUSYBOX`], which is said.
    ///
    /// # Errors
    /// A directory cannot be made, or its file not written.
    pub fn new(subject: &str, who: Who) -> io::Result<Option<Self>> {
        if !Path::new(BUSYBOX).exists() {
            skip(subject, &format!("{BUSYBOX} is missing (Debian: busybox-static)"))?;
            return Ok(None);
        }
        let directory = tempfile::Builder::new().prefix(&format!("{subject}-test-")).tempdir()?;
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        let path = directory.path().to_owned();
        let tree = Self { who, path, _owned: Some(directory), before: BTreeMap::new() };
        for name in ["", "bin", "tmp", "proc", "dev", "data"] {
            fs::create_dir(tree.inside(name))?;
        }
        copy(BUSYBOX, tree.inside("bin/busybox"))?;
        for name in APPLETS {
            symlink("busybox", tree.inside("bin").join(name))?;
        }
        fs::create_dir(tree.host("source"))?;
        fs::write(tree.host("source/file"), "of the host\n")?;
        Ok(Some(tree))
    }

    /// The one of the test that has started this process, which checks and removes it.
    pub fn of_the_test(path: impl Into<PathBuf>) -> Self {
        Self { who: Who::caller(), path: path.into(), _owned: None, before: BTreeMap::new() }
    }

    /// What is there now belongs to the user, and must be there at the end. A set-user-ID program keeps
    /// its owner.
    ///
    /// # Errors
    /// It cannot be looked at, or not be given to the user.
    pub fn seal(&mut self) -> io::Result<()> {
        if self.who != Who::caller() {
            for path in contents(&self.path)?.keys() {
                if fs::symlink_metadata(path)?.mode() & 0o4000 == 0 {
                    lchown(path, Some(self.who.uid()), Some(self.who.uid()))?;
                }
            }
        }
        self.before = contents(&self.path)?;
        Ok(())
    }

    /// Makes a directory beside the tree, which belongs to the user.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn directory(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.host(name))?;
        match Who::caller() {
            Who::Root => lchown(self.host(name), Some(self.who.uid()), Some(self.who.uid())),
            Who::Plain => Ok(()),
        }
    }

    /// The directory that everything is in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root of the sandbox, as the host sees it.
    pub fn tree(&self) -> PathBuf {
        self.host("tree")
    }

    /// A path in the tree, as the host sees it.
    pub fn inside(&self, name: &str) -> PathBuf {
        self.tree().join(name)
    }

    /// A path beside the tree.
    pub fn host(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The text of such a path, for an option.
    pub fn text(&self, name: &str) -> String {
        self.host(name).display().to_string()
    }

    /// What is not as it was when the tree was sealed: files that are new, gone or of another size, mounts
    /// and running programs.
    ///
    /// # Errors
    /// The tree or `/proc` cannot be read.
    pub fn left(&self) -> io::Result<Vec<String>> {
        let now = contents(&self.path)?;
        let mut left = self.mounts()?;
        left.extend(now.iter().filter_map(|(path, size)| match self.before.get(path) {
            None => Some(format!("new: {}", path.display())),
            Some(before) if before != size => Some(format!("changed: {}", path.display())),
            Some(_) => None,
        }));
        let gone = self.before.keys().filter(|path| !now.contains_key(*path));
        left.extend(gone.map(|path| format!("gone: {}", path.display())));
        for process in fs::read_dir("/proc")?.flatten() {
            // Those of others, and those that have ended, have none that can be read.
            let program = fs::read_link(process.path().join("exe")).unwrap_or_default();
            if program.starts_with(&self.path) {
                let pid = process.file_name();
                left.push(format!("running: {} {}", pid.display(), program.display()));
            }
        }
        Ok(left)
    }

    /// The mounts of this process's namespace that have to do with the directory.
    ///
    /// # Errors
    /// proc(5) is not there.
    pub fn mounts(&self) -> io::Result<Vec<String>> {
        let (mounts, path) = (fs::read_to_string("/proc/self/mountinfo")?, self.text(""));
        let ours = mounts.lines().filter(|line| line.contains(path.trim_end_matches('/')));
        Ok(ours.map(|line| format!("mounted: {line}")).collect())
    }
}

/// Every path in a directory, and the size of each file.
fn contents(directory: &Path) -> io::Result<BTreeMap<PathBuf, u64>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                directories.push(entry.path());
            }
            found.insert(entry.path(), if metadata.is_dir() { 0 } else { metadata.len() });
        }
    }
    Ok(found)
}

/// Compiles the suite's static program into a directory: its words (`accept FD`, `env`) say what it does.
///
/// # Errors
/// There is no C compiler, or none for static programs; the directory has one already.
pub fn probe(dir: &Path) -> io::Result<PathBuf> {
    crate::probe::compile(dir).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Option<Tree> {
        let mut tree = Tree::new("sandbox-testkit", Who::caller()).unwrap()?;
        tree.seal().unwrap();
        assert_eq!(tree.left().unwrap(), [""; 0]);
        Some(tree)
    }

    #[test]
    fn what_is_left_is_found() {
        let Some(tree) = sealed() else { return };
        fs::write(tree.inside("data/new"), "").unwrap();
        fs::write(tree.host("source/file"), "other").unwrap();
        fs::remove_file(tree.inside("bin/yes")).unwrap();
        let path = |kind: &str, name: &str| format!("{kind}: {}", tree.host(name).display());
        assert_eq!(
            tree.left().unwrap(),
            [
                path("changed", "source/file"),
                path("new", "tree/data/new"),
                path("gone", "tree/bin/yes")
            ]
        );
    }

    #[test]
    fn what_runs_is_found() {
        let Some(tree) = sealed() else { return };
        let mut child = Command::new(tree.inside("bin/sleep")).arg("60").spawn().unwrap();
        let left = tree.left();
        child.kill().unwrap();
        child.wait().unwrap();
        let program = tree.inside("bin/busybox");
        assert_eq!(left.unwrap(), [format!("running: {} {}", child.id(), program.display())]);
        assert_eq!(tree.left().unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_mounted_is_found() {
        let mounts = Tree::of_the_test("/proc").mounts().unwrap();
        assert!(mounts.iter().any(|mount| mount.contains(" /proc ")), "{mounts:?}");
    }

    #[test]
    fn the_prefix_makes_the_plain_user() {
        let Some(tree) = sealed() else { return };
        let id = tree.text("tree/bin/id");
        let words = [Who::Plain.prefix(), &[&id, "-u"]].concat();
        let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", Who::Plain.uid()));
    }
}
