//! Images that are broken: each is an error that says what and where.

use std::fs;
use std::path::Path;

use sandbox_image::oci::OciError;
use sandbox_image::unpack::Report;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::build::{
    Layer, Stored, amd64, blob, digest, gzip, gzipped, image, index, open, open_archive, plain,
    unpack,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn run(at: &Path) -> Result<Report, OciError> {
    let layout = open(at)?;
    let image = layout.image(None, &amd64())?;
    unpack(&layout, &image, TempDir::new().unwrap().path())
}

fn layer() -> Stored {
    gzipped(Layer::new().file("f", "content").tar())
}

/// A layout whose manifest is changed before it is stored.
fn with_manifest(change: impl Fn(&Path, &mut Value)) -> String {
    let at = TempDir::new().unwrap();
    let at = at.path();
    let first = image(at, "amd64", &[layer()]);
    let hex = first["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let path = at.join("blobs/sha256").join(hex);
    let mut manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(at, &mut manifest);
    index(at, &[blob(at, MANIFEST, manifest.to_string().as_bytes())]);
    run(at).map_or_else(|error| error.to_string(), |report| format!("{} entries", report.entries))
}

#[test]
fn nothing_is_wrong_with_the_image_that_is_changed_here() {
    assert_eq!(with_manifest(|_, _| ()), "1 entries");
}

#[test]
fn no_image() {
    let at = TempDir::new().unwrap();
    let error = run(at.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("it has neither `oci-layout` nor `manifest.json` at its top"),
        "{error}"
    );
    fs::write(at.path().join("oci-layout"), r#"{"imageLayoutVersion": "2.0.0"}"#).unwrap();
    let error = run(at.path()).unwrap_err().to_string();
    assert_eq!(error, "oci-layout: imageLayoutVersion \"2.0.0\": only 1.0.0 is known");
    fs::write(at.path().join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    let error = run(at.path()).unwrap_err().to_string();
    assert!(error.ends_with("has no index.json: the image is incomplete"), "{error}");
    index(at.path(), &[]);
    let error = run(at.path()).unwrap_err().to_string();
    assert!(error.ends_with("it has none"), "{error}");
}

#[test]
fn manifests() {
    let error = with_manifest(|_, manifest| manifest["schemaVersion"] = json!(1));
    assert!(error.ends_with("schemaVersion: \"1\": only 2 is known"), "{error}");
    let error = with_manifest(|_, manifest| manifest["mediaType"] = json!("text/plain"));
    assert!(error.contains(": mediaType: media type \"text/plain\" is not supported"), "{error}");
    assert!(error.contains(MANIFEST), "{error}");
    let error = with_manifest(|_, manifest| manifest["config"]["mediaType"] = json!("a/b"));
    assert!(error.contains(": config.mediaType: media type \"a/b\""), "{error}");
    let error = with_manifest(|_, manifest| manifest["layers"][0]["mediaType"] = json!("a/b"));
    assert!(error.contains(": layers[0].mediaType: media type \"a/b\""), "{error}");
    assert!(error.contains("layer.v1.tar+zstd"), "{error}");
    let error = with_manifest(|_, manifest| manifest["layers"][0]["digest"] = json!("sha256:../x"));
    assert!(error.contains(": layers[0].digest: \"sha256:../x\" is not a digest"), "{error}");
    let error = with_manifest(|_, manifest| {
        manifest["layers"] = vec![manifest["layers"][0].clone(); 2].into();
    });
    assert!(error.contains("rootfs.diff_ids has 1 digests for 2 layers"), "{error}");
    let error = with_manifest(|_, manifest| {
        manifest["layers"] = vec![manifest["layers"][0].clone(); 1025].into();
    });
    assert!(error.ends_with("more than 1024 layers"), "{error}");
    let docker = with_manifest(|_, manifest| {
        manifest["mediaType"] = json!("application/vnd.docker.distribution.manifest.v2+json");
        manifest["config"]["mediaType"] = json!("application/vnd.docker.container.image.v1+json");
        let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        manifest["layers"][0]["mediaType"] = json!(layer);
    });
    assert_eq!(docker, "1 entries");
}

#[test]
fn blobs() {
    let error = with_manifest(|_, manifest| manifest["layers"][0]["size"] = json!(7));
    assert!(error.contains("bytes, and 7 are wanted: the image is damaged"), "{error}");
    let error = with_manifest(|_, manifest| manifest["config"]["size"] = json!(7));
    assert!(error.contains("bytes, and 7 are wanted: the image is damaged"), "{error}");
    // As long as before, but another one.
    let error = with_manifest(|at, manifest| {
        let other = gzip(&Layer::new().file("f", "C0ntent").tar());
        manifest["layers"][0]["size"] = json!(other.len());
        let digest = manifest["layers"][0]["digest"].as_str().unwrap().replace(':', "/");
        fs::write(at.join("blobs").join(digest), other).unwrap();
    });
    assert!(
        error.starts_with("blobs/sha256/") && error.contains("its digest is sha256:"),
        "{error}"
    );
    // Its own digest is right, that of the archive in it is not.
    let error = with_manifest(|at, manifest| {
        manifest["layers"][0] = blob(at, LAYER, &gzip(&Layer::new().file("f", "other").tar()));
    });
    assert!(error.starts_with("the archive in blobs/sha256/"), "{error}");
    let other = digest(&layer().0);
    assert!(error.contains(&format!("and {other} is wanted")), "{error}");
    let error = with_manifest(|at, manifest| {
        let whole = layer().1;
        manifest["layers"][0] = blob(at, LAYER, &whole[..whole.len() - 9]);
    });
    assert!(error.contains("truncated"), "{error}");
    let error = with_manifest(|at, manifest| {
        let path = manifest["config"]["digest"].as_str().unwrap().replace(':', "/");
        fs::remove_file(at.join("blobs").join(path)).unwrap();
    });
    assert!(error.contains(" has no blobs/sha256/"), "{error}");
    let error = with_manifest(|_, manifest| {
        let kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        manifest["layers"][0] = json!({
            "mediaType": kind, "digest": digest(b"").to_string(), "size": 3,
            "urls": ["https://example.com/layer"],
        });
    });
    assert!(error.contains("nothing is downloaded"), "{error}");
    assert!(error.ends_with("(it can be had from https://example.com/layer)"), "{error}");
}

#[test]
fn configurations() {
    let change = |change: &dyn Fn(&mut Value)| {
        with_manifest(|at, manifest| {
            let ids = [digest(&layer().0).to_string()];
            let mut config = crate::build::config("amd64", &ids);
            change(&mut config);
            manifest["config"] = blob(at, CONFIG, config.to_string().as_bytes());
        })
    };
    assert_eq!(change(&|_| ()), "1 entries");
    let error = change(&|config| config["rootfs"]["type"] = json!("tree"));
    assert!(error.contains("rootfs.type: \"tree\": only `layers` is known"), "{error}");
    let error = change(&|config| config["config"]["Env"] = json!(["A"]));
    assert!(error.contains("config.Env[0]: \"A\": give NAME=VALUE"), "{error}");
    let error = change(&|config| config["architecture"] = json!("s390x"));
    assert!(error.contains("no image for linux/amd64 in"), "{error}");
    let error = change(&|config| {
        let mut deep = json!(0);
        (0..100).for_each(|_| deep = json!([deep]));
        config["history"] = deep;
    });
    assert!(error.contains("nested deeper than 64 levels"), "{error}");
    let error = change(&|config| config["x"] = json!("x".repeat(4 << 20)));
    assert!(error.contains("bytes of JSON: at most 4194304 are read"), "{error}");
}

#[test]
fn indexes() {
    let at = TempDir::new().unwrap();
    let at = at.path();
    let mut entry = image(at, "amd64", &[layer()]);
    entry["mediaType"] = json!("application/vnd.docker.distribution.manifest.v1+json");
    index(at, &[entry]);
    let error = run(at).unwrap_err().to_string();
    assert!(error.starts_with("index.json: manifests[0].mediaType: media type"), "{error}");

    let kind = "application/vnd.oci.image.index.v1+json";
    let mut entry = image(at, "amd64", &[layer()]);
    for levels in 1..=9 {
        let nested = json!({"schemaVersion": 2, "manifests": [entry]});
        entry = blob(at, kind, nested.to_string().as_bytes());
        index(at, &[entry.clone()]);
        assert_eq!(run(at).is_ok(), levels <= 8, "{levels}");
    }
    let error = run(at).unwrap_err().to_string();
    assert!(error.ends_with("more than 8 levels of indexes in indexes"), "{error}");
}

#[test]
fn files_outside_are_not_read() {
    let at = TempDir::new().unwrap();
    let directory = at.path().join("layout");
    fs::create_dir(&directory).unwrap();
    index(&directory, &[image(&directory, "amd64", &[plain(layer().0)])]);
    assert!(run(&directory).is_ok());
    fs::rename(directory.join("index.json"), at.path().join("index.json")).unwrap();
    std::os::unix::fs::symlink("../index.json", directory.join("index.json")).unwrap();
    let error = run(&directory).unwrap_err().to_string();
    assert!(error.starts_with("cannot open "), "{error}");
    fs::remove_file(directory.join("index.json")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        directory.join("index.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let error = run(&directory).unwrap_err().to_string();
    assert!(error.ends_with("it is not a regular file"), "{error}");
}

#[test]
fn archives() {
    let at = TempDir::new().unwrap();
    let file = at.path().join("archive");
    let error = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        open_archive(&file).map(|_| ()).unwrap_err().to_string()
    };
    assert!(error(b"").contains("not a tar archive"));
    assert!(error(b"text").contains("not a tar archive"));
    let tar = Layer::new().file("f", "content").tar();
    assert!(error(&tar).contains("is no image"));
    assert!(error(&tar[..1000]).contains("truncated"));
    assert!(error(&gzip(&tar)[..60]).contains("truncated"));
    let mut many = Layer::new();
    for number in 0..20_001 {
        many = many.file(&number.to_string(), "");
    }
    assert!(error(&many.tar()).ends_with("more than 20000 entries"));
    // Two gigabytes of nothing.
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 2 << 30), 1).unwrap();
    let error = error(&bomb);
    assert!(error.contains("longer than 1073741824 bytes"), "{error}");
}

/// Three files of holes are longer together than a number can say.
#[test]
fn layers_that_are_longer_than_any_disk() {
    // Most file systems have shorter files, but not tmpfs(5).
    let at = tempfile::TempDir::new_in("/dev/shm").or_else(|_| tempfile::TempDir::new()).unwrap();
    let size = i64::MAX as u64 - 4095;
    let file = std::fs::File::create(at.path().join("long")).unwrap();
    if file.set_len(size).is_err() {
        sandbox_testkit::fixture::skip("oci", "no file system for files of 8 EiB").unwrap();
        return;
    }
    let zeros = format!("sha256:{}", "0".repeat(64));
    let config = crate::build::config("amd64", &vec![zeros.clone(); 3]).to_string();
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = blob(at.path(), kind, config.as_bytes());
    let kind = "application/vnd.oci.image.layer.v1.tar";
    let layer = json!({"mediaType": kind, "digest": zeros, "size": size});
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer, layer, layer],
    });
    index(at.path(), &[blob(at.path(), kind, manifest.to_string().as_bytes())]);
    let name = at.path().join("blobs/sha256").join("0".repeat(64));
    std::fs::rename(at.path().join("long"), name).unwrap();
    let layout = open(at.path()).unwrap();
    let image = layout.image(None, &amd64()).unwrap();
    assert_eq!(layout.stored_bytes(&image).unwrap(), u64::MAX);
}
