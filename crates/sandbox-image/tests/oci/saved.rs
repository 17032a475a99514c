//! What `docker save` writes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tar::EntryType;
use tempfile::TempDir;

use crate::build::{Layer, amd64, config, digest, layers, open_archive, unpack};
use crate::tree::tree;

fn member(archive: Layer, path: &str, content: &[u8]) -> Layer {
    // A layer is an archive as others, and its content is bytes.
    let text = String::from_utf8(content.to_vec()).unwrap();
    archive.entry(EntryType::Regular, path, 0o644, &text)
}

/// An archive of two images that share a layer, by a link as Docker makes it.
fn archive(at: &Path, change: impl Fn(&mut Value)) {
    let [lowest, middle, _] = layers().map(Layer::tar);
    let ids = [digest(&lowest).to_string(), digest(&middle).to_string()];
    let (one, two) = (config("amd64", &ids).to_string(), config("amd64", &ids[..1]).to_string());
    let file = |config: &str| format!("{}.json", digest(config.as_bytes()).hex());
    let mut manifest = json!([
        {"Config": file(&one), "RepoTags": ["a/shell:1"], "Layers": ["L1/layer.tar", "L2/layer.tar"]},
        {"Config": file(&two), "RepoTags": ["plain:latest"], "Layers": ["L3/layer.tar"]},
    ]);
    change(&mut manifest);
    let archive = member(Layer::new(), "L1/layer.tar", &lowest);
    let archive = member(archive, "L2/layer.tar", &middle);
    let archive = archive.symlink("L3/layer.tar", "../L1/layer.tar");
    let archive = archive.symlink("L4/layer.tar", "../../etc/passwd");
    let archive = member(archive, &file(&one), one.as_bytes());
    let archive = member(archive, &file(&two), two.as_bytes());
    let archive = member(archive, "manifest.json", manifest.to_string().as_bytes());
    fs::write(at, archive.tar()).unwrap();
}

#[test]
fn tags_choose_and_links_are_followed_inside() {
    let at = TempDir::new().unwrap();
    let file = at.path().join("archive");
    archive(&file, |_| ());
    let (layout, _scratch) = open_archive(&file).unwrap();
    let error = layout.image(None, &amd64()).unwrap_err().to_string();
    assert!(
        error.ends_with("several images: give the name of one: a/shell:1, plain:latest"),
        "{error}"
    );
    let shell = layout.image(Some("a/shell:1"), &amd64()).unwrap();
    assert_eq!(shell.run.app.name, "shell");
    unpack(&layout, &shell, &at.path().join("1")).unwrap();
    let tree_1 = tree(&at.path().join("1"));
    assert!(tree_1.contains_key("opaque/new") && !tree_1.contains_key("opaque/x"));
    let plain = layout.image(Some("plain"), &amd64()).unwrap();
    unpack(&layout, &plain, &at.path().join("2")).unwrap();
    assert!(tree(&at.path().join("2")).contains_key("opaque/x"));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let at = TempDir::new().unwrap();
    let file = at.path().join("archive");
    let root = at.path().join("root");
    let error = |change: &dyn Fn(&mut Value), name: &str| {
        archive(&file, change);
        let unpacked = open_archive(&file).and_then(|(layout, _scratch)| {
            let image = layout.image(Some(name), &amd64())?;
            unpack(&layout, &image, &root)
        });
        unpacked.unwrap_err().to_string()
    };
    let twice = error(&|all| all[0]["Layers"] = json!(["L1/layer.tar", "L1/layer.tar"]), "1");
    assert!(twice.starts_with("the archive in L1/layer.tar: its digest is sha256:"), "{twice}");
    let fewer = error(&|all| all[0]["Layers"] = json!(["L2/layer.tar"]), "1");
    assert!(fewer.contains("rootfs.diff_ids has 2 digests for 1 layers"), "{fewer}");
    let outside = error(&|all| all[1]["Layers"] = json!(["L4/layer.tar"]), "plain");
    assert!(outside.contains("has no L4/layer.tar"), "{outside}");
    let config = error(&|all| all[0]["Config"] = json!("../x.json"), "1");
    assert!(config.contains("has no ../x.json"), "{config}");
    let nothing = error(&|all| *all = json!([]), "1");
    assert!(nothing.contains("it has none"), "{nothing}");
}
