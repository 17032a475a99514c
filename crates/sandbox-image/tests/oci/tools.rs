//! What other tools make and unpack, file by file: umoci(1), buildah(1) and skopeo(1).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox_image::oci::Platform;
use sandbox_testkit::fixture::skip;
use tempfile::TempDir;

use crate::build::{
    Layer, gzipped, image, index, is_root, layers, named, open, open_archive, unpack,
};
use crate::tree::{Tree, same, tree};

/// Whether these programs are there, and the caller is root, as they need it to keep owners.
fn can(programs: &[&str]) -> bool {
    for program in programs {
        if Command::new(program).arg("--version").output().is_err() {
            skip("oci", &format!("{program} is not installed")).unwrap();
            return false;
        }
    }
    if !is_root() {
        skip("oci", "owners are kept by root only").unwrap();
        return false;
    }
    true
}

#[track_caller]
fn output(program: &str, words: &[&str]) -> String {
    output_in(Path::new("/"), program, words)
}

#[track_caller]
fn output_in(directory: &Path, program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).current_dir(directory).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {words:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn ours(layout: &Path, name: &str, to: &Path) -> Tree {
    let layout = open(layout).unwrap();
    let image = layout.image(Some(name), &Platform::host()).unwrap();
    let report = unpack(&layout, &image, to).unwrap();
    assert!(report.complete(), "{report:?}");
    tree(to)
}

fn umocis(layout: &Path, name: &str, to: &Path) -> Tree {
    let image = format!("{}:{name}", layout.display());
    output("umoci", &["unpack", "--image", &image, to.to_str().unwrap()]);
    tree(&to.join("rootfs"))
}

/// A store of buildah's that is empty. Images are named below its directory, as the names of
/// temporary ones are none of a repository.
struct Buildah {
    at: PathBuf,
    options: Vec<String>,
}

impl Buildah {
    fn new(at: &Path) -> Self {
        let path = |name: &str| at.join(name).display().to_string();
        let options =
            ["--storage-driver", "vfs", "--root", &path("root"), "--runroot", &path("run")];
        Self { at: at.to_owned(), options: options.map(str::to_owned).to_vec() }
    }

    #[track_caller]
    fn run(&self, words: &[&str]) -> String {
        let all: Vec<_> =
            self.options.iter().map(String::as_str).chain(words.iter().copied()).collect();
        output_in(&self.at, "buildah", &all)
    }

    fn unpacked(&self, image: &str) -> Tree {
        let container = self.run(&["from", "--pull=never", image]);
        let root = self.run(&["mount", &container]);
        let mut tree = tree(Path::new(&root));
        // Which its store has made, with a mode of its own, where layers say nothing about it.
        tree.remove("");
        self.run(&["rm", &container]);
        tree
    }
}

/// Our three layers, in a layout that other tools can read.
fn three_layers(at: &Path) -> PathBuf {
    let layout = at.join("layout");
    fs::create_dir(&layout).unwrap();
    let layers = layers().map(|layer| gzipped(Layer::tar(layer)));
    let manifest = image(&layout, &Platform::host().architecture, &layers);
    index(&layout, &[named(manifest, "test")]);
    layout
}

#[test]
fn layers_made_by_hand_are_as_umoci_unpacks_them() {
    if !can(&["umoci"]) {
        return;
    }
    let at = TempDir::new().unwrap();
    let layout = three_layers(at.path());
    let theirs = umocis(&layout, "test", &at.path().join("bundle"));
    same(&ours(&layout, "test", &at.path().join("ours")), &theirs);
}

#[test]
fn layers_made_by_hand_are_as_buildah_unpacks_them() {
    if !can(&["buildah"]) {
        return;
    }
    let at = TempDir::new().unwrap();
    let layout = three_layers(at.path());
    let theirs = Buildah::new(at.path()).unpacked("oci:layout:test");
    let mut got = ours(&layout, "test", &at.path().join("ours"));
    got.remove("");
    same(&got, &theirs);
}

/// Does to a tree, in three steps, what ends in whiteouts.
fn step(root: &Path, number: u32) {
    let sh = |script: &str| {
        let status = Command::new("sh").args(["-ec", script]).current_dir(root).status().unwrap();
        assert!(status.success(), "{script}");
    };
    match number {
        0 => sh("mkdir -p d/sub etc gone/x; echo one >d/a; echo two >d/sub/b; echo >gone/x/y
            ln d/a etc/hard; ln -s d link; echo x >file; chown 5:6 d/sub/b; chmod 4711 file
            mkdir swap; echo >swap/z; mkfifo pipe; setfattr -n user.k -v v file 2>&- || :"),
        1 => sh("rm -r gone d/a; rm link; mkdir link; echo >link/in; rm -r swap; echo flat >swap"),
        _ => sh("rm -r d; mkdir d; echo fresh >d/new; chmod 700 d; touch -d @77 etc; rm pipe"),
    }
}

#[test]
fn images_made_by_umoci() {
    if !can(&["umoci"]) {
        return;
    }
    let at = TempDir::new().unwrap();
    let layout = at.path().join("layout");
    let name = |number: u32| format!("{}:s{number}", layout.display());
    output("umoci", &["init", "--layout", layout.to_str().unwrap()]);
    output("umoci", &["new", "--image", &name(0)]);
    for number in 0..3 {
        let bundle = at.path().join(format!("bundle-{number}"));
        let text = bundle.to_str().unwrap();
        output("umoci", &["unpack", "--image", &name(number), text]);
        step(&bundle.join("rootfs"), number);
        output("umoci", &["repack", "--image", &name(number + 1), text]);
    }
    let theirs = umocis(&layout, "s3", &at.path().join("theirs"));
    let got = ours(&layout, "s3", &at.path().join("ours"));
    assert!(got.contains_key("d/new") && !got.contains_key("gone"), "{got:?}");
    same(&got, &theirs);
}

#[test]
fn images_made_by_buildah() {
    if !can(&["buildah", "skopeo"]) {
        return;
    }
    let at = TempDir::new().unwrap();
    let buildah = Buildah::new(at.path());
    let layout = at.path().join("layout");
    let mut from = "scratch".to_owned();
    for number in 0..3 {
        let container = buildah.run(&["from", "--pull=never", &from]);
        step(Path::new(&buildah.run(&["mount", &container])), number);
        from = format!("oci:layout:s{number}");
        buildah.run(&["commit", "--rm", &container, &from]);
    }
    let mut got = ours(&layout, "s2", &at.path().join("ours"));
    assert!(got.contains_key("d/new") && !got.contains_key("gone"), "{got:?}");
    got.remove("");
    same(&got, &buildah.unpacked(&from));

    // The same image as a docker-archive, by skopeo.
    let archive = at.path().join("saved.tar");
    let to = format!("docker-archive:{}:some/name:tag", archive.display());
    output_in(at.path(), "skopeo", &["--insecure-policy", "copy", &from, &to]);
    let (layout, _scratch) = open_archive(&archive).unwrap();
    let image = layout.image(Some("some/name:tag"), &Platform::host()).unwrap();
    unpack(&layout, &image, &at.path().join("saved")).unwrap();
    let mut saved = tree(&at.path().join("saved"));
    saved.remove("");
    same(&saved, &got);

    // And as an archive of a layout.
    let archive = at.path().join("layout.tar");
    let to = format!("oci-archive:{}:tag", archive.display());
    output_in(at.path(), "skopeo", &["--insecure-policy", "copy", &from, &to]);
    let (layout, _scratch) = open_archive(&archive).unwrap();
    let image = layout.image(Some("tag"), &Platform::host()).unwrap();
    unpack(&layout, &image, &at.path().join("packed")).unwrap();
    let mut packed = tree(&at.path().join("packed"));
    packed.remove("");
    same(&packed, &got);
}
