//! A tree with a static busybox, and `bwrap` on it as different users.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 25] = [
    "cat", "df", "echo", "env", "false", "flock", "grep", "head", "hostname", "id", "kill", "ls",
    "mkdir", "pwd", "readlink", "rm", "sh", "sleep", "stat", "touch", "true", "unshare", "wc",
    "yes", "ps",
];
/// Belongs to no account on an ordinary machine, and needs none.
pub(crate) const PLAIN_USER: u32 = 54_321;

/// Who starts the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    Plain,
}

/// A tree of its own for one test and one user; it is checked at the end that nothing is left in it.
pub(crate) struct Fixture {
    pub(crate) who: Who,
    directory: TempDir,
    before: BTreeSet<PathBuf>,
}

/// What a run printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a test once for each user that it can be run for; says so where there is none.
pub(crate) fn for_everyone(test: impl Fn(&Fixture)) {
    let root = is_root();
    if !root {
        skip("as root: the caller is not root");
    }
    for who in if root { &[Who::Root, Who::Plain][..] } else { &[Who::Plain] } {
        if let Some(fixture) = Fixture::new(*who) {
            eprintln!("as {who:?}");
            test(&fixture);
            fixture.check_left();
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Says by name and reason what cannot run here, past the test harness, which would swallow it; in the
/// file that `cargo xtask test` makes its summary from, too.
pub(crate) fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("sandbox-drop-ins {test}: {reason}\n");
    std::io::stderr().write_all(format!("skipped: {line}").as_bytes()).unwrap();
    if let Some(file) = std::env::var_os("SANDBOX_TEST_SKIPS") {
        let file = fs::OpenOptions::new().append(true).create(true).open(file);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

impl Fixture {
    fn new(who: Who) -> Option<Self> {
        if !Path::new(BUSYBOX).exists() {
            skip(&format!("{BUSYBOX} is missing (Debian: busybox-static)"));
            return None;
        }
        let directory = tempfile::Builder::new().prefix("bwrap-test-").tempdir().unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        // The folder that cargo builds into may be closed to other users.
        copy(env!("CARGO_BIN_EXE_bwrap"), &directory.path().join("bwrap"));
        let mut fixture = Self { who, directory, before: BTreeSet::new() };
        for name in ["", "bin", "tmp", "proc", "dev", "data"] {
            fs::create_dir(fixture.host("tree").join(name)).unwrap();
        }
        copy(BUSYBOX, &fixture.host("tree/bin/busybox"));
        for name in APPLETS {
            symlink("busybox", fixture.host("tree/bin").join(name)).unwrap();
        }
        fs::create_dir(fixture.host("source")).unwrap();
        fs::write(fixture.host("source/file"), "of the host\n").unwrap();
        fs::write(fixture.host("words"), "some words\n").unwrap();
        fixture.seal();
        Some(fixture)
    }

    /// What is there now is what must be there at the end, and belongs to the user.
    pub(crate) fn seal(&mut self) {
        self.before = self.paths();
        if self.who == Who::Plain && is_root() {
            for path in &self.before {
                lchown(path, Some(PLAIN_USER), Some(PLAIN_USER)).unwrap();
            }
        }
    }

    /// A new directory of the host, which belongs to the user.
    pub(crate) fn directory(&self, name: &str) -> String {
        let path = self.host(name);
        fs::create_dir(&path).unwrap();
        if is_root() {
            lchown(&path, Some(self.uid()), Some(self.uid())).unwrap();
        }
        self.text(name)
    }

    /// A path of the host, beside the tree.
    pub(crate) fn host(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The text of such a path, for an option.
    pub(crate) fn text(&self, name: &str) -> String {
        self.host(name).into_os_string().into_string().unwrap()
    }

    /// The user's numbers for uid and gid.
    pub(crate) fn uid(&self) -> u32 {
        match self.who {
            Who::Root => 0,
            Who::Plain if is_root() => PLAIN_USER,
            Who::Plain => fs::metadata("/proc/self").unwrap().uid(),
        }
    }

    /// `bwrap`, or another program, with redirections in the words of the shell: `9<file`.
    pub(crate) fn program(&self, program: &str, redirections: &str) -> Command {
        let id = PLAIN_USER.to_string();
        let setpriv = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
        let become_plain =
            if is_root() && self.who == Who::Plain { &setpriv[..] } else { &["env"] };
        let script = format!("exec \"$@\" {redirections}");
        let mut command = Command::new(become_plain[0]);
        command.args(&become_plain[1..]).args(["/bin/sh", "-c", &script, "sh", program]);
        command.stdin(Stdio::null()).current_dir(self.directory.path());
        command
    }

    /// `bwrap`, to be given words.
    pub(crate) fn bwrap(&self) -> Command {
        self.program(&self.text("bwrap"), "")
    }

    /// Runs `bwrap WORDS`.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.bwrap().args(words))
    }

    /// Runs `bwrap --bind TREE / OPTIONS COMMAND`.
    pub(crate) fn inside(&self, options: &[&str], command: &[&str]) -> Ran {
        self.redirected("", options, command)
    }

    /// The same with redirections in the words of the shell.
    pub(crate) fn redirected(&self, redirections: &str, options: &[&str], command: &[&str]) -> Ran {
        let mut bwrap = self.program(&self.text("bwrap"), redirections);
        Ran::of(bwrap.args(["--bind", &self.text("tree"), "/"]).args(options).args(command))
    }

    /// Runs a script of the shell inside.
    pub(crate) fn shell(&self, options: &[&str], script: &str) -> Ran {
        self.inside(options, &["sh", "-c", script])
    }

    fn paths(&self) -> BTreeSet<PathBuf> {
        fn walk(directory: &Path, paths: &mut BTreeSet<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, paths);
                }
                paths.insert(path);
            }
        }
        let mut paths = BTreeSet::new();
        walk(self.directory.path(), &mut paths);
        paths
    }

    /// Nothing is left in the tree, mounted, or running.
    fn check_left(&self) {
        let paths = self.paths();
        let difference: Vec<_> = paths.symmetric_difference(&self.before).collect();
        assert!(
            difference.is_empty(),
            "nothing is left in the tree, nothing is gone: {difference:?}"
        );
        let directory = self.directory.path().to_str().unwrap();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(directory), "{mounts}");
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let root = fs::read_link(process.path().join("exe")).unwrap_or_default();
            assert!(!root.starts_with(directory), "{process:?} runs {}", root.display());
        }
    }
}

/// Copies a program by a process of its own. A test that forks meanwhile would inherit the open
/// file, and what is open for writing cannot be executed.
fn copy(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It succeeded, with this output and without a word of ours.
    #[track_caller]
    pub(crate) fn prints(&self, out: &str) {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (Some(0), out, ""));
    }

    /// A failure of ours, with these words in one message.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        assert!(self.err.starts_with("bwrap: "), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "one message: {self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
    }
}
