//! A tree with a static busybox, and tests that run for root and for a plain user.

use std::any::type_name;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::ops::Deref;
use std::process::Command;
use std::time::{Duration, Instant};

use sandbox_testkit::fixture::{self, Tree};
pub(crate) use sandbox_testkit::fixture::{BUSYBOX, SKIPPED, Who};
use sandboxlib::{Config, Executor, Feature, Finished, Support};

/// Whose tests these are, where they say what cannot run.
const SUBJECT: &str = "sandboxlib";
/// Set where this process was started by one of root's.
const BY_ROOT: &str = "SANDBOXLIB_TEST_BY_ROOT";
/// The directory of the test that has started a role.
const DIRECTORY: &str = "SANDBOXLIB_TEST_DIRECTORY";

/// A tree of its own for one test; it is checked at the end that nothing is left in it.
pub(crate) struct Fixture {
    tree: Tree,
}

/// Runs a test as who this is; and where that is root, once more in a process of a plain user.
pub(crate) fn for_everyone<T: Fn(&Fixture)>(test: T) {
    let who = Who::caller();
    let Some(tree) = Tree::new(SUBJECT, who).unwrap() else { return };
    let fixture = Fixture::new(tree);
    test(&fixture);
    assert_eq!(fixture.left().unwrap(), [""; 0], "nothing is left, nothing is gone");
    match who {
        Who::Root => again_as_a_plain_user(type_name::<T>()),
        Who::Plain if env::var_os(BY_ROOT).is_none() => skip("as root: the caller is not root"),
        Who::Plain => {}
    }
}

/// The name is that of a closure in the test: `original::rows::row_env::{{closure}}`.
fn again_as_a_plain_user(closure: &str) {
    let (_, name) = closure.split_once("::").unwrap();
    let name = name.trim_end_matches("::{{closure}}");
    let setpriv = Who::Plain.prefix();
    let mut command = Command::new(setpriv[0]);
    command.args(&setpriv[1..]);
    command.args(["/proc/self/fd/0", name, "--exact", "--nocapture"]);
    let output = command.stdin(this()).env(BY_ROOT, "1").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "as a plain user: {text}");
    for reason in text.lines().filter_map(|line| line.split_once(SKIPPED)) {
        skip(&format!("as a plain user: {}", reason.1));
    }
}

/// This program. The folder that cargo builds into may be closed to other users; an open file is not.
pub(crate) fn this() -> File {
    File::open("/proc/self/exe").unwrap()
}

/// Says by name and reason what cannot run here; or has it said by who has started this process.
pub(crate) fn skip(reason: &str) {
    if env::var_os(BY_ROOT).is_some() || env::var_os(DIRECTORY).is_some() {
        std::io::stderr().write_all(format!("{SKIPPED}{reason}\n").as_bytes()).unwrap();
    } else {
        fixture::skip(SUBJECT, reason).unwrap();
    }
}

/// Waits until something is so; long enough for a busy machine.
#[track_caller]
pub(crate) fn soon(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Fixture {
    fn new(mut tree: Tree) -> Self {
        for name in ["data/one", "data/one2"] {
            fs::create_dir(tree.inside(name)).unwrap();
        }
        tree.seal().unwrap();
        Self { tree }
    }

    /// The fixture of the test that has started this process.
    pub(crate) fn of_the_test() -> Option<Self> {
        Some(Self { tree: Tree::of_the_test(env::var_os(DIRECTORY)?) })
    }

    /// The executors that can run anything as this user; a chroot is for root.
    pub(crate) fn executors(&self) -> Vec<Executor> {
        let mut executors = isolating();
        if self.who == Who::Root {
            executors.extend(available(Executor::Chroot));
        }
        executors
    }

    /// Words to run in the tree.
    pub(crate) fn config<const N: usize>(&self, words: [&str; N]) -> Config {
        Config::new(words).filesystem_root(self.tree()).env([("PATH", "/bin")])
    }

    /// A script to run in the tree.
    pub(crate) fn shell(&self, script: &str) -> Config {
        self.config(["sh", "-c", script])
    }

    /// This program once more, as one of `roles`, in the host's root directory.
    pub(crate) fn role(&self, name: &str) -> Command {
        self.role_with(name, "")
    }

    /// The same, with redirections of a shell.
    pub(crate) fn role_with(&self, name: &str, redirections: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("exec /proc/self/fd/0 \"$@\" {redirections}"), "sh"]);
        command.args([&format!("roles::{name}"), "--exact", "--ignored", "--nocapture"]);
        command.env(DIRECTORY, self.path()).env_remove("SANDBOXLIB_BACKEND");
        command.stdin(this()).current_dir("/");
        command
    }

    /// Lets a role play to its end.
    #[track_caller]
    pub(crate) fn play(command: &mut Command) -> (String, String) {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
        (out, err)
    }

    /// Nothing of a sandbox is in the host's table.
    pub(crate) fn check_mounts(&self) {
        assert_eq!(self.mounts().unwrap(), [""; 0]);
    }
}

impl Deref for Fixture {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

/// The executors that isolate everything, for any user.
pub(crate) fn isolating() -> Vec<Executor> {
    [Executor::LinuxUserChroot, Executor::Bubblewrap].into_iter().filter_map(available).collect()
}

/// An executor, where it can change the root here; said by name where it cannot.
fn available(executor: Executor) -> Option<Executor> {
    match executor.capabilities().unwrap().support(Feature::RootDirectory) {
        Support::Yes => Some(executor),
        Support::No(why) => {
            skip(&format!("with {}: {why}", executor.name()));
            None
        }
    }
}

/// What a captured stream holds.
pub(crate) fn text(stream: Option<&Vec<u8>>) -> String {
    String::from_utf8(stream.expect("it was captured").clone()).unwrap()
}

/// Runs, and wants success and this output.
#[track_caller]
pub(crate) fn prints(executor: Executor, config: &Config, out: &str) {
    let finished = runs(executor, config);
    let streams = (text(finished.out.as_ref()), text(finished.err.as_ref()));
    assert_eq!((finished.exit, streams.0.as_str(), streams.1.as_str()), (0, out, ""));
}

/// Runs to an end, whichever.
#[track_caller]
pub(crate) fn runs(executor: Executor, config: &Config) -> Finished {
    match executor.run_sandbox(config) {
        Ok(finished) => finished,
        Err(error) => panic!("{executor:?}: {error}"),
    }
}

/// Is not run at all, for a reason with these words.
#[track_caller]
pub(crate) fn refused(executor: Executor, config: &Config, words: &[&str]) {
    let error = executor.run_sandbox(config).expect_err("it must not run").to_string();
    for word in words {
        assert!(error.contains(word), "{executor:?}: no {word:?} in {error:?}");
    }
}
