//! Images made by hand.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sandbox_image::archive::{Algorithm, Digest};
use sandbox_image::oci::{Image, Layout, OciError, Platform};
use sandbox_image::unpack::{Options, Report};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// A layer that grows.
pub(crate) struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub(crate) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(crate) fn entry(mut self, kind: EntryType, path: &str, mode: u32, content: &str) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        let (uid, gid) = owner();
        header.set_uid(uid);
        header.set_gid(gid);
        // A hard link says of its file what that says of itself.
        let of = if kind == EntryType::Link { content } else { path };
        header.set_mtime(1_000_000_000 + of.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_size(0);
            self.0.append_link(&mut header, path, content).unwrap();
        } else {
            header.set_size(content.len() as u64);
            self.0.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        self
    }

    pub(crate) fn dir(self, path: &str, mode: u32) -> Self {
        self.entry(EntryType::Directory, path, mode, "")
    }

    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, path, 0o644, content)
    }

    pub(crate) fn symlink(self, path: &str, to: &str) -> Self {
        self.entry(EntryType::Symlink, path, 0o777, to)
    }

    pub(crate) fn hard_link(self, path: &str, to: &str) -> Self {
        self.entry(EntryType::Link, path, 0o644, to)
    }

    /// An attribute for the entry that comes next.
    pub(crate) fn attribute(mut self, name: &str, value: &[u8]) -> Self {
        let name = format!("SCHILY.xattr.{name}");
        self.0.append_pax_extensions([(name.as_str(), value)]).unwrap();
        self
    }

    pub(crate) fn tar(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// Whoever runs the tests, and as root somebody else.
fn owner() -> (u64, u64) {
    let me = (rustix::process::geteuid(), rustix::process::getegid());
    if me.0.is_root() { (7, 8) } else { (me.0.as_raw().into(), me.1.as_raw().into()) }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// Puts a blob into a layout, and gives its descriptor.
pub(crate) fn blob(at: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = digest(bytes);
    fs::create_dir_all(at.join("blobs/sha256")).unwrap();
    fs::write(at.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
    json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
}

/// A layer as it is, and as it is stored.
pub(crate) type Stored = (Vec<u8>, Vec<u8>, &'static str);

pub(crate) fn plain(tar: Vec<u8>) -> Stored {
    (tar.clone(), tar, "application/vnd.oci.image.layer.v1.tar")
}

pub(crate) fn gzipped(tar: Vec<u8>) -> Stored {
    let stored = gzip(&tar);
    (tar, stored, "application/vnd.oci.image.layer.v1.tar+gzip")
}

pub(crate) fn zstandard(tar: Vec<u8>) -> Stored {
    let stored = zstd(&tar);
    (tar, stored, "application/vnd.oci.image.layer.v1.tar+zstd")
}

pub(crate) fn config(architecture: &str, diff_ids: &[String]) -> Value {
    json!({
        "architecture": architecture, "os": "linux",
        "config": {"Entrypoint": ["/bin/sh"], "Cmd": ["-l"], "Env": ["A=1"], "WorkingDir": "/a"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
}

/// Puts an image into a layout, and gives the descriptor of its manifest.
pub(crate) fn image(at: &Path, architecture: &str, layers: &[Stored]) -> Value {
    let diff_ids: Vec<_> = layers.iter().map(|layer| digest(&layer.0).to_string()).collect();
    let config = config(architecture, &diff_ids).to_string();
    let config = blob(at, "application/vnd.oci.image.config.v1+json", config.as_bytes());
    let layers: Vec<_> = layers.iter().map(|layer| blob(at, layer.2, &layer.1)).collect();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers,
    });
    blob(at, kind, manifest.to_string().as_bytes())
}

pub(crate) fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    descriptor
}

/// Makes a directory a layout with these manifests.
pub(crate) fn index(at: &Path, manifests: &[Value]) {
    fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(at.join("index.json"), index.to_string()).unwrap();
}

pub(crate) fn amd64() -> Platform {
    Platform::new("linux", "amd64")
}

pub(crate) fn open(at: &Path) -> Result<Layout, OciError> {
    Layout::directory(File::open(at).unwrap().into(), at)
}

/// Opens an archive, with a directory for what it may have to put somewhere.
pub(crate) fn open_archive(at: &Path) -> Result<(Layout, TempDir), OciError> {
    let scratch = TempDir::new().unwrap();
    let directory = File::open(scratch.path()).unwrap();
    let file = File::open(at).unwrap();
    let layout = Layout::archive(file, at, std::os::fd::AsFd::as_fd(&directory), 1 << 30)?;
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    Ok((layout, scratch))
}

pub(crate) fn unpack(layout: &Layout, image: &Image, to: &Path) -> Result<Report, OciError> {
    fs::create_dir_all(to).unwrap();
    layout.unpack(image, File::open(to).unwrap().into(), Options::for_layers(), None)
}

/// Three layers that do to each other whatever layers can.
pub(crate) fn layers() -> [Layer; 3] {
    let lowest = Layer::new()
        .dir("./", 0o755)
        .dir("a/", 0o750)
        .file("a/keep", "kept")
        .file("a/gone", "gone")
        .dir("opaque/", 0o755)
        .file("opaque/x", "x")
        .dir("opaque/deep/", 0o755)
        .file("opaque/deep/y", "y")
        .dir("becomes-file/", 0o755)
        .file("becomes-file/x", "x")
        .file("becomes-dir", "a file")
        .symlink("link", "a")
        .symlink("becomes-target", "a/keep")
        .file("hard1", "shared")
        .hard_link("hard2", "hard1")
        .entry(EntryType::Regular, "setuid", 0o4755, "s")
        .entry(EntryType::Fifo, "fifo", 0o600, "")
        .dir("long/", 0o755)
        .file(&format!("long/{}", "n".repeat(200)), "long")
        .dir("tree/", 0o755)
        .hard_link("tree/hard3", "hard1")
        .dir("tree/sub/", 0o700)
        .file("tree/sub/x", "x")
        .dir("read-only/", 0o555)
        .file("read-only/x", "x")
        .attribute("user.test", b"value")
        .file("attributed", "x");
    let middle = Layer::new()
        .file("a/.wh.gone", "")
        .dir("opaque/", 0o711)
        .file("opaque/new", "new")
        .file("opaque/.wh..wh..opq", "")
        .file("becomes-file", "now a file")
        .dir("becomes-dir/", 0o755)
        .file("becomes-dir/x", "x")
        .dir("link/", 0o755)
        .file("link/x", "in a directory")
        .file("hard2", "alone")
        .hard_link("a/linked", "a/keep")
        .dir("read-only/", 0o555)
        .file("read-only/y", "y");
    let highest = Layer::new()
        .dir("a/", 0o711)
        .dir("tree/", 0o755)
        .file("tree/.wh.sub", "")
        .file("becomes-target", "no link any more")
        .file("tree/.wh.hard3", "")
        .symlink("setuid", "a/keep");
    [lowest, middle, highest]
}
