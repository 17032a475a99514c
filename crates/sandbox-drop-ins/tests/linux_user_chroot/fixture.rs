//! A tree with a static busybox, and `linux-user-chroot` on it as different users.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 18] = [
    "cat", "echo", "env", "hostname", "id", "ip", "kill", "linux32", "ls", "mkdir", "pwd",
    "readlink", "rm", "sh", "sleep", "stat", "touch", "true",
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
    before: BTreeMap<PathBuf, u64>,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn tests_are_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs a test once for each user that it can be run for; says so where there is none.
pub(crate) fn for_everyone(test: impl Fn(&mut Fixture)) {
    let root = tests_are_root();
    if !root {
        skip("as root: the caller is not root");
    }
    for who in if root { &[Who::Root, Who::Plain][..] } else { &[Who::Plain] } {
        if let Some(mut fixture) = Fixture::new(*who) {
            eprintln!("as {who:?}");
            test(&mut fixture);
            fixture.check_left();
        }
    }
}

/// The same, for one of them, where the tests are root, which such a test needs to prepare it.
pub(crate) fn with_help_of_root(wanted: Who, test: impl Fn(&mut Fixture)) {
    if tests_are_root() {
        for_everyone(|fixture| {
            if fixture.who == wanted {
                test(fixture);
            }
        });
    } else {
        skip("the caller is not root");
    }
}

/// Says by name and reason what cannot run here, past the test harness, which would swallow it; in the
/// file that `cargo xtask test` makes its summary from, too.
pub(crate) fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("linux-user-chroot {test}: {reason}\n");
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
        let directory = tempfile::Builder::new().prefix("luc-test-").tempdir().unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        // The folder that cargo builds into may be closed to other users.
        let program = env!("CARGO_BIN_EXE_linux-user-chroot");
        copy(program, &directory.path().join("linux-user-chroot"));
        let mut fixture = Self { who, directory, before: BTreeMap::new() };
        for name in ["", "bin", "tmp", "proc", "dev", "data", "data/one", "data/two"] {
            fs::create_dir(fixture.tree().join(name)).unwrap();
        }
        copy(BUSYBOX, &fixture.tree().join("bin/busybox"));
        for name in APPLETS {
            symlink("busybox", fixture.tree().join("bin").join(name)).unwrap();
        }
        fs::write(fixture.tree().join("data/one/own"), "").unwrap();
        for source in ["source", "other"] {
            fs::create_dir(fixture.host(source)).unwrap();
            fs::write(fixture.host(source).join("file"), format!("of {source}\n")).unwrap();
        }
        fs::create_dir(fixture.host("source/below")).unwrap();
        fixture.seal();
        if who == Who::Plain && !fixture.has_user_namespaces() {
            skip("as a plain user: user namespaces are refused here");
            return None;
        }
        Some(fixture)
    }

    /// Found out without the program that is tested.
    fn has_user_namespaces(&self) -> bool {
        let mut command = self.as_user(&["unshare", "--user", "true"]);
        command.output().is_ok_and(|output| output.status.success())
    }

    /// What is there now is what must be there at the end, and belongs to the user.
    pub(crate) fn seal(&mut self) {
        self.before = self.paths();
        if self.who == Who::Plain && tests_are_root() {
            for path in self.before.keys().filter(|path| !path.is_symlink()) {
                let is_privileged = fs::metadata(path).unwrap().mode() & 0o4000 != 0;
                if !is_privileged {
                    chown(path, Some(PLAIN_USER), Some(PLAIN_USER)).unwrap();
                }
            }
        }
    }

    /// ROOTDIR, as the host sees it.
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

    /// A command of the host's, started by the user.
    pub(crate) fn as_user(&self, words: &[&str]) -> Command {
        self.under(&[], words)
    }

    /// The same, with a prefix that root runs.
    pub(crate) fn under(&self, prefix: &[&str], words: &[&str]) -> Command {
        let id = PLAIN_USER.to_string();
        let setpriv = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
        let become_plain = self.who == Who::Plain && tests_are_root();
        let words = [prefix, if become_plain { &setpriv } else { &[] }, words].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).current_dir("/");
        command
    }

    /// `linux-user-chroot` with these words.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.as_user(&[&[&*self.text("linux-user-chroot")], words].concat())
    }

    /// Runs `linux-user-chroot WORDS`.
    pub(crate) fn with(&self, words: &[&str]) -> Ran {
        Ran::of(&mut self.command(words))
    }

    /// Runs `linux-user-chroot OPTIONS TREE COMMAND`.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> Ran {
        self.with(&[options, &[&self.text("tree")], command].concat())
    }

    /// Runs a script of the shell inside.
    pub(crate) fn shell(&self, options: &[&str], script: &str) -> Ran {
        self.run(options, &["sh", "-c", script])
    }

    /// Every path, and what would change if it were written to.
    fn paths(&self) -> BTreeMap<PathBuf, u64> {
        fn walk(directory: &Path, paths: &mut BTreeMap<PathBuf, u64>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, paths);
                }
                let metadata = fs::symlink_metadata(&path).unwrap();
                let size = if metadata.is_dir() { 0 } else { metadata.len() };
                paths.insert(path, size);
            }
        }
        let mut paths = BTreeMap::new();
        walk(self.directory.path(), &mut paths);
        paths
    }

    fn check_left(&self) {
        assert_eq!(self.paths(), self.before, "nothing is left in the tree, nothing is gone");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.directory.path().to_str().unwrap()), "{mounts}");
    }
}

/// A directory of the one who runs the tests, closed to everybody else.
pub(crate) fn closed_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    directory
}

/// Copies a program by a process of its own. A test that forks meanwhile would inherit the open
/// file, and what is open for writing cannot be executed.
pub(crate) fn copy(from: &str, to: &Path) {
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

    /// It failed with this message of the C program's, to standard error, and status 1. A reason of our
    /// own may be the next line.
    #[track_caller]
    pub(crate) fn fails(&self, message: &str) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        let mut lines = self.err.lines();
        assert_eq!(lines.next(), Some(message), "{self:?}");
        assert!(lines.all(|line| line.starts_with("linux-user-chroot: ")), "{self:?}");
    }

    /// The command itself failed inside, with these words.
    #[track_caller]
    pub(crate) fn refused_inside(&self, words: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.err.contains(words), "no {words:?} in {self:?}");
    }
}
