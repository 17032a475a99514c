//! A tree with a static busybox, and `bwrap` on it as different users.

use std::fs;
use std::ops::Deref;
use std::process::{Command, Stdio};

pub(crate) use sandbox_testkit::fixture::Who;
use sandbox_testkit::fixture::{self, Tree, copy, trees};

/// Whose tests these are, where they say what cannot run.
const SUBJECT: &str = "sandbox-drop-ins";

/// A tree of its own for one test and one user, with the command beside it.
pub(crate) struct Fixture {
    tree: Tree,
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
    for tree in trees(SUBJECT).unwrap() {
        let fixture = Fixture::new(tree);
        eprintln!("as {:?}", fixture.who);
        test(&fixture);
        assert_eq!(fixture.left().unwrap(), [""; 0], "nothing is left, nothing is gone");
    }
}

/// Says by name and reason what cannot run here.
pub(crate) fn skip(reason: &str) {
    fixture::skip(SUBJECT, reason).unwrap();
}

impl Fixture {
    fn new(mut tree: Tree) -> Self {
        // The folder that cargo builds into may be closed to other users.
        copy(env!("CARGO_BIN_EXE_bwrap"), tree.host("bwrap")).unwrap();
        fs::write(tree.host("words"), "some words\n").unwrap();
        tree.seal().unwrap();
        Self { tree }
    }

    /// A new directory of the host, which belongs to the user.
    pub(crate) fn directory(&self, name: &str) -> String {
        self.tree.directory(name).unwrap();
        self.text(name)
    }

    /// The user's numbers for uid and gid.
    pub(crate) fn uid(&self) -> u32 {
        self.who.uid()
    }

    /// `bwrap`, or another program, with redirections in the words of the shell: `9<file`.
    pub(crate) fn program(&self, program: &str, redirections: &str) -> Command {
        let script = format!("exec \"$@\" {redirections}");
        let words = [self.who.prefix(), &["/bin/sh", "-c", &script, "sh", program]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.stdin(Stdio::null()).current_dir(self.path());
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
