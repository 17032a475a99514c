//! A tree with a static busybox, and `linux-user-chroot` on it as different users.

use std::fs::{self, Permissions};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use sandbox_testkit::fixture::{self, Tree, trees};
pub(crate) use sandbox_testkit::fixture::{PLAIN_USER, Who};
use tempfile::TempDir;

/// Whose tests these are, where they say what cannot run.
const SUBJECT: &str = "linux-user-chroot";

/// A tree of its own for one test and one user, with the command beside it.
pub(crate) struct Fixture {
    tree: Tree,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a test once for each user that it can be run for; says so where there is none.
pub(crate) fn for_everyone(test: impl Fn(&mut Fixture)) {
    for tree in trees(SUBJECT).unwrap() {
        if let Some(mut fixture) = Fixture::new(tree) {
            eprintln!("as {:?}", fixture.who);
            test(&mut fixture);
            assert_eq!(fixture.left().unwrap(), [""; 0], "nothing is left, nothing is gone");
        }
    }
}

/// The same, for one of them, where the tests are root, which such a test needs to prepare it.
pub(crate) fn with_help_of_root(wanted: Who, test: impl Fn(&mut Fixture)) {
    if Who::caller() == Who::Root {
        for_everyone(|fixture| {
            if fixture.who == wanted {
                test(fixture);
            }
        });
    } else {
        skip("the caller is not root");
    }
}

/// Says by name and reason what cannot run here.
pub(crate) fn skip(reason: &str) {
    fixture::skip(SUBJECT, reason).unwrap();
}

impl Fixture {
    fn new(mut tree: Tree) -> Option<Self> {
        // The folder that cargo builds into may be closed to other users.
        let program = env!("CARGO_BIN_EXE_linux-user-chroot");
        copy(program, &tree.host("linux-user-chroot"));
        for name in ["data/one", "data/two"] {
            fs::create_dir(tree.inside(name)).unwrap();
        }
        fs::write(tree.inside("data/one/own"), "").unwrap();
        fs::create_dir_all(tree.host("source/below")).unwrap();
        fs::create_dir(tree.host("other")).unwrap();
        for source in ["source", "other"] {
            fs::write(tree.host(source).join("file"), format!("of {source}\n")).unwrap();
        }
        tree.seal().unwrap();
        let fixture = Self { tree };
        if fixture.who == Who::Plain && !fixture.has_user_namespaces() {
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

    /// What is there now belongs to the user, and must be there at the end.
    pub(crate) fn seal(&mut self) {
        self.tree.seal().unwrap();
    }

    /// A command of the host's, started by the user.
    pub(crate) fn as_user(&self, words: &[&str]) -> Command {
        self.under(&[], words)
    }

    /// The same, with a prefix that root runs.
    pub(crate) fn under(&self, prefix: &[&str], words: &[&str]) -> Command {
        let words = [prefix, self.who.prefix(), words].concat();
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
}

impl Deref for Fixture {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

/// A directory of the one who runs the tests, closed to everybody else.
pub(crate) fn closed_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    directory
}

/// Copies a program, so that it can be executed at once.
pub(crate) fn copy(from: &str, to: &Path) {
    fixture::copy(from, to).unwrap();
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
