//! A tree that an app is run in.

use std::ffi::OsString;
use std::fs;

use sandbox_image::app::{
    App, Lifecycle, Options, RootDirectory, RootSource, Rules, Strictness, prepare,
};
use sandbox_luc::{CaptureLimit, Output, SandboxConfig, Standing, Status};
use sandbox_testkit::fixture::{Tree, Who, skip};

/// A sealed busybox tree with accounts; none where it cannot be run, which is said.
pub(crate) fn tree() -> Option<Tree> {
    let mut tree = Tree::new("sandbox-image", Who::caller()).unwrap()?;
    if let Err(error) = sandbox_luc::run(&probe()) {
        skip("sandbox-image", &error.to_string()).unwrap();
        return None;
    }
    fs::create_dir(tree.inside("etc")).unwrap();
    fs::write(tree.inside("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n")
        .unwrap();
    fs::write(tree.inside("etc/group"), "root:x:0:\nwww:x:40:\n").unwrap();
    tree.seal().unwrap();
    Some(tree)
}

/// What each of these tests needs: a sandbox with files and processes of its own.
fn probe() -> SandboxConfig {
    use sandbox_luc::Isolation::Isolated;
    let builder = SandboxConfig::builder(["/bin/true"]).processes(Isolated).network(Isolated);
    builder.build().unwrap()
}

/// An app that is a shell script.
pub(crate) fn script(text: &str) -> App {
    App::new("app", words(&["sh", "-c", text]))
}

pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(Into::into).collect()
}

pub(crate) fn options<'a>() -> Options<'a> {
    let mut options = Options::new(Rules::app_container());
    options.standing = sandbox_luc::probe().unwrap().standing;
    options.strictness = Strictness::Strict;
    options
}

pub(crate) fn is_privileged() -> bool {
    options().standing == Standing::Privileged
}

pub(crate) fn lifecycle(tree: &Tree, app: &App, options: &Options<'_>) -> Lifecycle {
    let root = RootDirectory::open(RootSource::Directory(tree.tree())).unwrap();
    prepare(app, &root, options).unwrap()
}

/// How a process ended, with what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Status,
    pub(crate) out: String,
    pub(crate) error: String,
}

pub(crate) fn run(config: &SandboxConfig) -> Said {
    let mut config = config.clone();
    config.stdout = Output::Capture(CaptureLimit::Unlimited);
    config.stderr = Output::Capture(CaptureLimit::Unlimited);
    let outcome = sandbox_luc::run(&config).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        status: outcome.status,
        out: text(&outcome.stdout.bytes),
        error: text(&outcome.stderr.bytes),
    }
}

/// What an app says that ends well.
pub(crate) fn output(tree: &Tree, app: &App, options: &Options<'_>) -> String {
    let said = run(&lifecycle(tree, app, options).main);
    assert!(said.status.success(), "{said:?}");
    said.out
}
