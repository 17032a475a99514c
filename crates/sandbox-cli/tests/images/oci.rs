//! OCI images, as a directory and as an archive, docker archives, and runtime bundles.

use std::fs;

use serde_json::{Value, json};

use crate::archive::{Archive, script, sha256, through, unpack, with};
use crate::world::{World, for_everyone, says};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The archive of an image layout: each image has a tag, a configuration and layers of this type.
fn layout(images: &[(&str, Value, &[Vec<u8>])], layer_type: &str) -> Archive {
    let mut archive = Archive::new()
        .file("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string())
        .dir("blobs")
        .dir("blobs/sha256");
    let mut written = Vec::new();
    let mut blob = |bytes: &[u8], kind: &str| {
        let digest = sha256(bytes);
        if !written.contains(&digest) {
            let name = format!("blobs/sha256/{digest}");
            archive = std::mem::replace(&mut archive, Archive::new()).file(&name, bytes);
            written.push(digest.clone());
        }
        json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let mut manifests = Vec::new();
    for (tag, config, layers) in images {
        let ids: Vec<_> = layers.iter().map(|bytes| format!("sha256:{}", sha256(bytes))).collect();
        let config = with(whole(config), json!({"rootfs": {"type": "layers", "diff_ids": ids}}));
        let config = blob(config.to_string().as_bytes(), CONFIG);
        let layers: Vec<_> = layers.iter().map(|bytes| blob(bytes, layer_type)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        let annotation = json!({"org.opencontainers.image.ref.name": tag});
        let entry = blob(manifest.to_string().as_bytes(), MANIFEST);
        manifests.push(with(entry, json!({"annotations": annotation})));
    }
    archive.file("index.json", json!({"schemaVersion": 2, "manifests": manifests}).to_string())
}

/// A configuration with what each has.
fn whole(config: &Value) -> Value {
    let arch = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    json!({"os": "linux", "architecture": arch, "config": config})
}

fn shell(text: &str) -> Value {
    json!({"Entrypoint": ["/bin/sh", "-c", text]})
}

fn base() -> Vec<u8> {
    Archive::new().tree("").bytes()
}

/// An image of one tag, in a directory.
fn directory(w: &World<'_>, config: Value) -> String {
    let dir = w.host("images/layout");
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    unpack(&layout(&[("new", config, &[base()])], LAYER).bytes(), &dir);
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_layout_runs_as_its_directory_and_as_its_archive() {
    for_everyone(|w| {
        let upper = Archive::new().file("data/upper", "u").file("etc/.wh.group", "").bytes();
        let text = "cat /data/upper; ls /etc/group 2> /dev/null || echo gone";
        let archive = layout(&[("new", shell(text), &[base(), upper])], LAYER).bytes();
        let dir = w.text("images/layout");
        unpack(&archive, dir.as_ref());
        let tar = &*w.image("x.tar", &archive);
        let mut images =
            vec![dir.clone(), format!("{dir}:new"), tar.to_owned(), format!("{tar}:new")];
        if let Some(gzip) = through(&["gzip", "-1"], &archive) {
            images.push(w.image("x.tar.gz", &gzip));
        }
        for image in &images {
            w.go(&[image]).prints("ugone\n");
        }
        w.fed(&["-"], &archive).prints("ugone\n");
        w.go(&[&format!("{dir}:old")]).refused(&["\"old\"", "new"]);
        w.go(&[&format!("{tar}:old")]).refused(&["\"old\"", "new"]);
    });
}

#[test]
fn one_of_several_images_is_named() {
    for_everyone(|w| {
        let image = |tag: &'static str| (tag, shell(&format!("echo {tag}")));
        let (one, two) = (image("one"), image("v1.2:two"));
        let layers = &[base()][..];
        let bytes = layout(&[(one.0, one.1, layers), (two.0, two.1, layers)], LAYER).bytes();
        let tar = &*w.image("x.tar", bytes);
        w.go(&[&format!("{tar}:one")]).prints("one\n");
        w.go(&[&format!("{tar}:v1.2:two")]).prints("v1.2:two\n");
        w.go(&[tar]).refused(&["several images", "one", "v1.2:two"]);
        let aci = w.image("x.aci", Archive::aci(&script("true", json!({}))).bytes());
        w.go(&[&format!("{aci}:tag")]).refused(&["App Container image", "no names"]);
    });
}

#[test]
fn its_command_is_entrypoint_and_cmd() {
    for_everyone(|w| {
        let image = &*directory(w, json!({"Entrypoint": ["echo", "entry"], "Cmd": ["cmd"]}));
        w.go(&[image]).prints("entry cmd\n");
        w.go(&[image, "echo", "mine"]).prints("mine\n");
        w.go(&["--args", image, "mine"]).prints("entry mine\n");
        w.go(&[&*directory(w, json!({"Cmd": ["echo", "cmd"]}))]).prints("cmd\n");
        let nothing = &*directory(w, json!({}));
        w.go(&[nothing]).refused(&["the image names no command: give one"]);
        w.go(&[nothing, "echo", "mine"]).prints("mine\n");
    });
}

#[test]
fn its_configuration_is_honoured() {
    for_everyone(|w| {
        let text = "echo $(id -u):$(id -g) $(pwd) $OWN $PATH $HOME; env | grep -c OF_THE_HOST";
        let config = json!({
            "Env": ["OWN=a b", "PATH=/bin:/own"],
            "User": "web", "WorkingDir": "/made/for/it", "Volumes": {"/vol": {}},
        });
        let image = &*directory(w, with(config, shell(text)));
        let ran = w.go(&["--volume", "vol=empty", image]);
        says(&ran, 1, "33:34 /made/for/it a b /bin:/own /srv/web\n0\n");
        let ids = |user: &str| {
            let image = directory(w, with(shell("echo $(id -u):$(id -g)"), json!({"User": user})));
            w.go(&[&image])
        };
        for (user, out) in
            [("", "0:0"), ("33", "33:34"), ("5", "5:0"), ("5:6", "5:6"), ("web:root", "33:0")]
        {
            says(&ids(user), 0, &format!("{out}\n"));
        }
        ids("nobody").refused(&["\"nobody\"", "/etc/passwd", "root, web"]);
        ids("web:none").refused(&["\"none\"", "/etc/group"]);
    });
}

#[test]
fn volumes_that_are_not_given_are_the_runs_own() {
    for_everyone(|w| {
        let text = "ls /etc/group /new/deep && echo x > /new/deep/x && echo x > /etc/x && cat /etc/x; \
            echo x 2> /dev/null > /other || echo no";
        let config = json!({"Volumes": {"/new/deep": {}, "/etc": {}, "/new": {}}});
        let image = &*directory(w, with(shell(text), config));
        let cache = w.text("images/cache");
        for options in [&[][..], &["--cache", &cache], &["--cache", &cache]] {
            let out = "/etc/group\n\n/new/deep:\nx\n";
            says(&w.go(&[options, &[image]].concat()), 0, out);
            let ran = w.go(&[&["--read-only"], options, &[image]].concat());
            says(&ran, 0, &format!("{out}no\n"));
        }
        fs::write(w.host("source/x"), "of the host\n").unwrap();
        let volume = format!("new-deep={}", w.text("source"));
        let ran = w.go(&["--volume", &format!("{volume},ro"), image, "cat", "/new/deep/x"]);
        says(&ran, 0, "of the host\n");
        fs::remove_file(w.host("source/x")).unwrap();
        w.go(&["--volume", "old=/tmp", image]).refused(&["\"old\"", "new-deep"]);
    });
}

#[test]
fn it_is_isolated_and_trees_are_not() {
    for_everyone(|w| {
        let host = fs::read_link("/proc/self/ns/net").unwrap();
        let namespace = ["readlink", "/proc/self/ns/net"];
        let image = &*directory(w, json!({"Cmd": ["true"]}));
        let ran = w.go(&[&[image], &namespace[..]].concat());
        assert!(ran.code == Some(0) && !ran.out.contains(host.to_str().unwrap()), "{ran:?}");
        // A tree needs a /proc to look at; what it is not asked to isolate stays the host's.
        let tree = Archive::new().tree("").dir("proc").bytes();
        let tar = &*w.image("x.tar", &tree);
        let dir = w.text("images/tree");
        unpack(&tree, dir.as_ref());
        for root in [tar, &dir] {
            let words = ["--bind", "/proc:/proc", root];
            let ran = w.go(&[&words[..], &namespace].concat());
            says(&ran, 0, &format!("{}\n", host.display()));
            let ran = w.go(&[&["--network", "isolated"], &words[..], &namespace].concat());
            assert!(ran.code == Some(0) && !ran.out.contains(host.to_str().unwrap()), "{ran:?}");
        }
    });
}

#[test]
fn damaged_images_are_refused() {
    for_everyone(|w| {
        let image =
            |layer_type: &str| layout(&[("new", shell("echo ran"), &[base()])], layer_type).bytes();
        let other = w.image("x.tar", image("application/vnd.example.layer.v1.squashfs"));
        w.go(&[&other]).refused(&["layers[0]", "vnd.example.layer.v1.squashfs", "tar+gzip"]);
        let dir = w.text("images/layout");
        let fresh = || {
            let _ = fs::remove_dir_all(&dir);
            unpack(&image(LAYER), dir.as_ref());
            w.host(&format!("images/layout/blobs/sha256/{}", sha256(&base())))
        };
        let layer = fresh();
        let mut bytes = fs::read(&layer).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&layer, &bytes).unwrap();
        w.go(&[&dir]).refused(&[&sha256(&base()), "digest"]);
        let layer = fresh();
        fs::write(&layer, &bytes[..middle]).unwrap();
        w.go(&[&dir]).refused(&[&sha256(&base()), "bytes"]);
        fs::remove_file(&layer).unwrap();
        w.go(&[&dir]).refused(&[&sha256(&base()), "the image is incomplete"]);
        fresh();
        fs::write(w.host("images/layout/index.json"), "{").unwrap();
        w.go(&[&dir]).refused(&["index.json"]);
        fs::remove_file(w.host("images/layout/index.json")).unwrap();
        w.go(&[&dir]).refused(&["index.json"]);
        fresh();
        fs::write(w.host("images/layout/oci-layout"), r#"{"imageLayoutVersion": "2.0.0"}"#)
            .unwrap();
        w.go(&[&dir]).refused(&["imageLayoutVersion", "2.0.0", "1.0.0"]);
        w.directory("images/canary").unwrap();
        let canary = w.text("images/canary");
        for layer in [
            Archive::new().link("out", &canary).file("out/evil", "x"),
            Archive::new().file("../../../images/canary/evil", "x"),
            Archive::new().hard("h", "../../../../etc/passwd"),
        ] {
            let bytes =
                layout(&[("new", shell("echo ran"), &[base(), layer.bytes()])], LAYER).bytes();
            let ran = w.go(&[&w.image("x.tar", bytes)]);
            eprintln!("{ran:?}");
            assert_eq!(fs::read_dir(&canary).unwrap().count(), 0);
        }
    });
}

#[test]
fn a_docker_archive_runs() {
    for_everyone(|w| {
        let layer = base();
        let config = with(
            whole(&shell("echo docker")),
            json!({"rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]}}),
        );
        let name = format!("{}.json", sha256(config.to_string().as_bytes()));
        let manifest = json!([{
            "Config": name, "RepoTags": ["example/app:1"], "Layers": ["layer/layer.tar"],
        }]);
        let archive = |first: bool| {
            let mut archive = Archive::new();
            if first {
                archive = archive.file("manifest.json", manifest.to_string());
            }
            archive = archive.file(&name, config.to_string());
            if !first {
                archive = archive.file("manifest.json", manifest.to_string());
            }
            archive.file("layer/layer.tar", &layer).bytes()
        };
        for first in [true, false] {
            let image = &*w.image("x.tar", archive(first));
            w.go(&[image]).prints("docker\n");
            w.go(&[&format!("{image}:example/app:1")]).prints("docker\n");
            w.go(&[&format!("{image}:example/app:2")]).refused(&["example/app:2", "example/app:1"]);
            w.fed(&["-", "echo", "mine"], &archive(first)).prints("mine\n");
        }
    });
}
