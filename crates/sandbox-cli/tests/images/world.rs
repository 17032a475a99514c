//! Where the images of a test are and are unpacked to, and who runs them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

use crate::archive::{Archive, script};
use crate::fixture::{self, Fixture, Ran, Who};

/// A fixture with images, and a directory for temporary files that has to be empty after each run.
pub(crate) struct World<'a>(&'a Fixture);

/// Runs a test once for each user.
pub(crate) fn for_everyone(test: impl Fn(&World<'_>)) {
    fixture::for_everyone(|f| {
        for name in ["images", "tmp"] {
            f.directory(name).unwrap();
        }
        test(&World(f));
        World(f).is_clean();
        fs::remove_dir_all(f.host("images")).unwrap();
        fs::remove_dir(f.host("tmp")).unwrap();
    });
}

impl Deref for World<'_> {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        self.0
    }
}

impl World<'_> {
    pub(crate) fn is_root(&self) -> bool {
        self.who == Who::Root
    }

    /// Writes an image, and gives its path.
    pub(crate) fn image(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.host("images").join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// An image that runs a script, with more about its app.
    pub(crate) fn script(&self, text: &str, more: Value) -> String {
        self.image("app.aci", Archive::aci(&script(text, more)).bytes())
    }

    /// `run-sandbox` with these words.
    pub(crate) fn start(&self, words: &[&str]) -> Command {
        let mut command = self.command();
        command.args(words).env("TMPDIR", self.host("tmp"));
        command
    }

    /// Runs it to the end, after which nothing is left.
    #[track_caller]
    pub(crate) fn go(&self, words: &[&str]) -> Ran {
        let ran = Ran::of(&mut self.start(words));
        self.is_clean();
        ran
    }

    /// The same with something on standard input.
    #[track_caller]
    pub(crate) fn fed(&self, words: &[&str], input: &[u8]) -> Ran {
        let mut command = self.start(words);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = thread::scope(|scope| {
            // It may have heard enough before the end.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap()
        });
        self.is_clean();
        ran(output)
    }

    /// Runs it with events on descriptor 3, and gives them, too.
    #[track_caller]
    pub(crate) fn events(&self, words: &[&str]) -> (Ran, Vec<Value>) {
        let status = self.text("images/status");
        let mut words = words.to_vec();
        words.splice(0..0, ["--status-fd", "3"]);
        let inner = self.start(&words);
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3>\"$0\"; exec \"$@\"", &status]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.env("TMPDIR", self.host("tmp")).stdin(Stdio::null()).current_dir("/");
        let output = command.output().unwrap();
        self.is_clean();
        let text = fs::read_to_string(&status).unwrap();
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (ran(output), events)
    }

    /// Nothing of a run is there.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        let names = fs::read_dir(self.host("tmp")).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.is_empty(), "left: {names:?}");
        assert_eq!(self.mounts().unwrap(), [""; 0]);
    }
}

fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// It ended so, whatever it had to tell.
#[track_caller]
pub(crate) fn says(ran: &Ran, code: i32, out: &str) {
    assert_eq!((ran.code, &*ran.out), (Some(code), out), "{}", ran.err);
}
