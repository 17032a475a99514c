//! Other processes: this program, started again with a role.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{cache, crash, remove, run};

const ROLE: &str = "PLACE_TEST_ROLE";
const DIRECTORY: &str = "PLACE_TEST_DIRECTORY";
/// Begins what a child says, among the words of the test harness.
const SAYS: &str = "says: ";

/// What a child does. It fails if this panics.
#[test]
fn child() {
    let (Some(role), Some(directory)) = (env::var_os(ROLE), env::var_os(DIRECTORY)) else { return };
    let directory = Path::new(&directory);
    match role.to_str().unwrap() {
        "remove modes" => remove::modes_child(directory),
        "remove deep" => remove::deep_child(directory),
        "remove many" => remove::many_child(directory),
        "remove mounts" => remove::mounts_child(directory),
        "run mount" => run::mount_child(directory),
        "run live" => run::live_child(directory),
        "run stress" => run::stress_child(directory, false),
        "run sweeps" => run::stress_child(directory, true),
        "cache fill" => cache::fill_child(directory),
        "cache overlay" => cache::overlay_child(directory),
        "cache crash" => crash::child(directory),
        role => panic!("{role}"),
    }
}

/// A command that starts this program in a role, after the words of another (setpriv(1), unshare(1)).
pub(crate) fn command(prefix: &[&str], role: &str, directory: &Path) -> Command {
    let program = env::current_exe().unwrap();
    let mut words = prefix.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", "child::child", "--nocapture"]);
    command.env(ROLE, role).env(DIRECTORY, directory).stdin(Stdio::null());
    command
}

/// Runs one that has to succeed.
pub(crate) fn run(prefix: &[&str], role: &str, directory: &Path) {
    let output = command(prefix, role, directory).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{role}: {}", String::from_utf8_lossy(&text));
}

/// A child that lives until it is killed, or this is dropped.
pub(crate) struct Live {
    child: Child,
    /// Keeps what it has started alive.
    _input: ChildStdin,
    /// What it has said.
    pub(crate) said: PathBuf,
}

impl Live {
    pub(crate) fn start(role: &str, directory: &Path) -> Self {
        let mut command = command(&[], role, directory);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = lines
            .map_while(Result::ok)
            .filter_map(|line| line.split_once(SAYS).map(|(_, words)| PathBuf::from(words)));
        let said = said.next().unwrap();
        let input = child.stdin.take().unwrap();
        Self { child, _input: input, said }
    }

    /// SIGKILL. What it has started lives on.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a child: tells the test.
pub(crate) fn say(words: &Path) {
    println!("\n{SAYS}{}", words.display());
}

/// What a child has said in all.
pub(crate) fn said(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().filter_map(|line| Some(line.split_once(SAYS)?.1.to_owned())).collect()
}

/// Whether a program can be started at all, with arguments that do nothing.
pub(crate) fn works(words: &[&str]) -> bool {
    let [program, arguments @ ..] = words else { return false };
    Command::new(program)
        .args(arguments)
        .arg("true")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
