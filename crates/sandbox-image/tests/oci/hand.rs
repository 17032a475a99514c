//! Images made by hand: what becomes of their files, and which of several is meant.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sandbox_image::oci::{OciError, Platform};
use sandbox_image::unpack::Options;
use serde_json::json;
use tempfile::TempDir;

use crate::build::{
    Layer, amd64, blob, gzipped, image, index, layers, named, open, open_archive, plain, unpack,
    zstandard,
};
use crate::tree::{same, tree};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn three_layers(at: &Path) {
    let [lowest, middle, highest] = layers().map(Layer::tar);
    let stored = [gzipped(lowest), plain(middle), zstandard(highest)];
    index(at, &[named(image(at, "amd64", &stored), "test")]);
}

#[test]
fn layers_are_put_over_each_other() {
    let at = TempDir::new().unwrap();
    three_layers(at.path());
    let layout = open(at.path()).unwrap();
    let image = layout.image(None, &amd64()).unwrap();
    assert_eq!(image.reference.as_deref(), Some("test"));
    assert_eq!(image.run.command(&[]).unwrap(), ["/bin/sh", "-l"]);
    let root = at.path().join("root");
    let report = unpack(&layout, &image, &root).unwrap();
    assert!(report.complete(), "{report:?}");
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    for (path, content) in [
        ("a/keep", Some("kept")),
        ("a/linked", Some("kept")),
        ("a/gone", None),
        ("opaque/x", None),
        ("opaque/deep/y", None),
        ("opaque/new", Some("new")),
        ("becomes-file", Some("now a file")),
        ("becomes-dir/x", Some("x")),
        ("link/x", Some("in a directory")),
        ("a/x", None),
        ("hard1", Some("shared")),
        ("hard2", Some("alone")),
        ("tree/hard3", None),
        ("tree/sub/x", None),
        ("becomes-target", Some("no link any more")),
        ("read-only/x", Some("x")),
        ("read-only/y", Some("y")),
    ] {
        assert_eq!(read(path).as_deref(), content, "{path}");
    }
    let names = tree(&root);
    assert!(!names.keys().any(|name| name.contains(".wh.")), "{names:?}");
    assert!(names["a"].starts_with("40711 "), "{}", names["a"]);
    assert!(names["read-only"].starts_with("40555 "), "{}", names["read-only"]);
    assert!(names["a/linked"].ends_with(" is a/keep"), "{}", names["a/linked"]);
    assert!(names["attributed"].contains("user.test="), "{}", names["attributed"]);
}

#[test]
fn an_archive_of_a_layout_is_as_good_as_its_directory() {
    let at = TempDir::new().unwrap();
    let directory = at.path().join("layout");
    fs::create_dir(&directory).unwrap();
    three_layers(&directory);
    let layout = open(&directory).unwrap();
    let image = layout.image(Some("test"), &amd64()).unwrap();
    unpack(&layout, &image, &at.path().join("0")).unwrap();
    let want = tree(&at.path().join("0"));

    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", &directory).unwrap();
    let tar = tar.into_inner().unwrap();
    let stored = [tar.clone(), crate::build::gzip(&tar), crate::build::zstd(&tar)];
    for (number, bytes) in stored.into_iter().enumerate() {
        let file = at.path().join("archive");
        fs::write(&file, bytes).unwrap();
        let (layout, scratch) = open_archive(&file).unwrap();
        let same_image = layout.image(None, &amd64()).unwrap();
        assert_eq!(same_image, image);
        let root = at.path().join(format!("{}", number + 1));
        unpack(&layout, &same_image, &root).unwrap();
        same(&tree(&root), &want);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}

#[test]
fn names_and_platforms_choose() {
    let at = TempDir::new().unwrap();
    let at = at.path();
    let layer = |content: &str| [plain(Layer::new().file("f", content).tar())];
    let mut arm = image(at, "arm", &layer("arm"));
    arm["platform"] = json!({"os": "linux", "architecture": "arm", "variant": "v7"});
    let intel = image(at, "amd64", &layer("intel"));
    let attestation = json!({"os": "unknown", "architecture": "unknown"});
    let mut other = image(at, "amd64", &layer("attestation"));
    other["platform"] = attestation;
    let nested = json!({"schemaVersion": 2, "manifests": [other, arm, intel]});
    let nested = blob(at, INDEX, nested.to_string().as_bytes());
    let second = image(at, "amd64", &layer("second"));
    index(at, &[named(nested.clone(), "both"), named(second, "second")]);

    let layout = open(at).unwrap();
    let content = |name: Option<&str>, platform: &Platform| {
        let image = layout.image(name, platform)?;
        let root = TempDir::new().unwrap();
        unpack(&layout, &image, root.path())?;
        Ok::<_, OciError>(fs::read_to_string(root.path().join("f")).unwrap())
    };
    let arm = Platform::new("linux", "arm").variant("v7");
    assert_eq!(content(Some("both"), &amd64()).unwrap(), "intel");
    assert_eq!(content(Some("both"), &arm).unwrap(), "arm");
    assert_eq!(content(None, &arm).unwrap(), "arm");
    assert_eq!(content(Some("second"), &amd64()).unwrap(), "second");
    let says = |name, platform: &Platform| content(name, platform).unwrap_err().to_string();
    assert!(says(None, &amd64()).ends_with("give the name of one: both, second"));
    assert!(says(Some("x"), &amd64()).ends_with("it has both, second"));
    let riscv = Platform::new("linux", "riscv64");
    let error = says(Some("both"), &riscv);
    assert!(error.starts_with("no image for linux/riscv64 in "), "{error}");
    assert!(error.ends_with("it has unknown/unknown, linux/arm/v7, linux/amd64"), "{error}");

    // Without names it is one image for several platforms, of which the first that fits counts.
    index(at, &[nested]);
    assert!(open(at).unwrap().image(None, &amd64()).is_ok());
}

#[test]
fn progress_goes_to_what_is_stored() {
    let at = TempDir::new().unwrap();
    three_layers(at.path());
    let layout = open(at.path()).unwrap();
    let image = layout.image(None, &amd64()).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let progress = Box::new({
        let heard = heard.clone();
        move |bytes| {
            heard.lock().unwrap().push(bytes);
            Ok(())
        }
    });
    let root = at.path().join("root");
    fs::create_dir(&root).unwrap();
    let root = fs::File::open(root).unwrap().into();
    layout.unpack(&image, root, Options::for_layers(), Some(progress)).unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard.is_sorted() && heard.len() >= 3, "{heard:?}");
    assert_eq!(heard.last(), Some(&layout.stored_bytes(&image).unwrap()));
}
