//! A tree with a static busybox, and `run-sandbox` on it as different users.

use std::fs;
use std::ops::Deref;
use std::process::{Command, Stdio};

pub(crate) use sandbox_testkit::fixture::Who;
use sandbox_testkit::fixture::{Tree, copy, trees};

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
pub(crate) fn for_everyone(test: impl Fn(&Fixture)) {
    for tree in trees("sandbox-cli").unwrap() {
        let fixture = Fixture::new(tree);
        eprintln!("as {:?}", fixture.who);
        test(&fixture);
        assert_eq!(fixture.left().unwrap(), [""; 0], "nothing is left, nothing is gone");
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

impl Fixture {
    fn new(mut tree: Tree) -> Self {
        // The folder that cargo builds into may be closed to other users.
        copy(env!("CARGO_BIN_EXE_run-sandbox"), tree.host("run-sandbox")).unwrap();
        for name in ["data/one", "data/two"] {
            fs::create_dir(tree.inside(name)).unwrap();
        }
        tree.seal().unwrap();
        Self { tree }
    }

    /// `run-sandbox`, to be given options.
    pub(crate) fn command(&self) -> Command {
        self.started_by(&[])
    }

    /// The same, started through another program: `setpriv`, a shell.
    pub(crate) fn started_by(&self, prefix: &[&str]) -> Command {
        let mut words = [self.who.prefix(), prefix].concat();
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
}

impl Deref for Fixture {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
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
