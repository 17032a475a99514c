//! A tree with a static busybox, and `run-sandbox` on it as different users.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 16] = [
    "cat", "echo", "env", "false", "head", "hostname", "id", "ls", "mkdir", "pwd", "readlink",
    "sh", "sleep", "touch", "true", "yes",
];
/// Belongs to no account on an ordinary machine, and needs none.
const PLAIN_USER: u32 = 54_321;

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
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a test once for each user that it can be run for; says so where there is none.
pub(crate) fn for_everyone(test: impl Fn(&Fixture)) {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
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

/// The same, as root only.
pub(crate) fn for_root(test: impl Fn(&Fixture)) {
    for_everyone(|fixture| {
        if fixture.who == Who::Root {
            test(fixture);
        }
    });
}

/// Says by name and reason what cannot run here, past the test harness, which would swallow it; in the
/// file that `cargo xtask test` makes its summary from, too.
fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("sandbox-cli {test}: {reason}\n");
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
        let directory = tempfile::Builder::new().prefix("run-sandbox-test-").tempdir().unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        // The folder that cargo builds into may be closed to other users.
        copy(env!("CARGO_BIN_EXE_run-sandbox"), &directory.path().join("run-sandbox"));
        let mut fixture = Self { who, directory, before: BTreeSet::new() };
        for name in ["", "bin", "tmp", "proc", "dev", "data", "data/one", "data/two"] {
            fs::create_dir(fixture.tree().join(name)).unwrap();
        }
        copy(BUSYBOX, &fixture.tree().join("bin/busybox"));
        for name in APPLETS {
            symlink("busybox", fixture.tree().join("bin").join(name)).unwrap();
        }
        fs::create_dir(fixture.host("source")).unwrap();
        fs::write(fixture.host("source/file"), "of the host\n").unwrap();
        fixture.seal();
        Some(fixture)
    }

    /// What is there now is what must be there at the end, and belongs to the user.
    pub(crate) fn seal(&mut self) {
        self.before = self.paths();
        if self.who == Who::Plain && fs::metadata("/proc/self").unwrap().uid() == 0 {
            for path in &self.before {
                let is_link = path.is_symlink();
                if !is_link {
                    chown(path, Some(PLAIN_USER), Some(PLAIN_USER)).unwrap();
                }
            }
        }
    }

    /// The root of the sandbox, as the host sees it.
    pub(crate) fn tree(&self) -> PathBuf {
        self.host("tree")
    }

    /// A path beside the tree.
    pub(crate) fn host(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The text of such a path, for an option.
    pub(crate) fn text(&self, name: &str) -> String {
        self.host(name).into_os_string().into_string().unwrap()
    }

    /// `run-sandbox`, to be given options.
    pub(crate) fn command(&self) -> Command {
        self.started_by(&[])
    }

    /// The same, started through another program: `setpriv`, a shell.
    pub(crate) fn started_by(&self, prefix: &[&str]) -> Command {
        let id = PLAIN_USER.to_string();
        let setpriv = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
        let root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let become_plain = if root && self.who == Who::Plain { &setpriv[..] } else { &[] };
        let mut words = [become_plain, prefix].concat();
        let binary = self.text("run-sandbox");
        words.push(&binary);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).env_remove("SANDBOXLIB_BACKEND");
        command.current_dir("/");
        command
    }

    /// Runs `run-sandbox OPTIONS TREE COMMAND`.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> Ran {
        self.run_in(&self.text("tree"), options, command)
    }

    /// The same with another root.
    pub(crate) fn run_in(&self, root: &str, options: &[&str], command: &[&str]) -> Ran {
        Ran::of(self.command().args(options).arg(root).args(command))
    }

    /// Runs a script of the shell inside.
    pub(crate) fn shell(&self, options: &[&str], script: &str) -> Ran {
        self.run(options, &["sh", "-c", script])
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

    fn check_left(&self) {
        assert_eq!(self.paths(), self.before, "nothing is left in the tree, nothing is gone");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.directory.path().to_str().unwrap()), "{mounts}");
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

    /// It is refused, with these words in one message.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        self.fails(125, words);
    }

    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{self:?}");
        assert!(self.err.starts_with("run-sandbox: error: "), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        for line in self.err.lines().skip(1) {
            let is_ours = line.starts_with("run-sandbox: hint: ") || line.starts_with("  the ");
            assert!(is_ours, "more than one line: {self:?}");
        }
    }
}
