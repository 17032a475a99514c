//! Images of a busybox and a shell script, and pods of them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sandbox_testkit::fixture::BUSYBOX;
use serde_json::{Map, Value, json};
use tar::{Builder, EntryType, Header};

use crate::fixture::{Fixture, Ran, for_everyone};

/// The images of one test, and the directory that its pods are unpacked in.
pub(crate) struct Images<'a> {
    pub(crate) f: &'a Fixture,
}

/// Runs a test for each user. What a pod has unpacked must be gone by its end.
pub(crate) fn with_images(test: impl Fn(&Images<'_>)) {
    for_everyone(|f| {
        for name in ["images", "unpacked"] {
            f.directory(name).unwrap();
        }
        test(&Images { f });
        let left: Vec<_> = fs::read_dir(f.host("unpacked")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        for name in ["images", "unpacked"] {
            fs::remove_dir_all(f.host(name)).unwrap();
        }
    });
}

impl Images<'_> {
    /// An image whose app is a script of the shell.
    pub(crate) fn script(&self, name: &str, script: &str) -> String {
        self.image(name, script, json!({}))
    }

    /// The same, with other fields of its app.
    pub(crate) fn image(&self, name: &str, script: &str, fields: Value) -> String {
        let mut app = json!({ "exec": ["/bin/sh", "-c", script], "user": "0", "group": "0" });
        let fields: Map<String, Value> = serde_json::from_value(fields).unwrap();
        app.as_object_mut().unwrap().extend(fields);
        let name = format!("example.com/{name}");
        let manifest = json!({
            "acKind": "ImageManifest", "acVersion": "0.8.11", "name": name, "app": app,
            "annotations": [{ "name": "note", "value": "of the image" }],
        });
        let file = format!("images/{}.aci", name.rsplit('/').next().unwrap());
        let mut archive = Builder::new(File::create(self.f.host(&file)).unwrap());
        let mut entry = |path: &str, kind: EntryType, bytes: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, bytes).unwrap();
        };
        entry("manifest", EntryType::Regular, manifest.to_string().as_bytes());
        for directory in ["rootfs", "rootfs/bin", "rootfs/tmp"] {
            entry(directory, EntryType::Directory, b"");
        }
        let busybox = fs::read(BUSYBOX).unwrap();
        for program in ["busybox", "sh"] {
            entry(&format!("rootfs/bin/{program}"), EntryType::Regular, &busybox);
        }
        archive.into_inner().unwrap();
        let text = self.f.text(&file);
        fs::set_permissions(&text, Permissions::from_mode(0o644)).unwrap();
        text
    }

    /// `run-sandbox pod`, to be given images.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = self.f.command();
        command.arg("pod").args(options).env("TMPDIR", self.f.host("unpacked"));
        command
    }

    pub(crate) fn pod(&self, options: &[&str], images: &[String]) -> Ran {
        Ran::of(self.command(options).args(images))
    }
}

impl Ran {
    /// What it printed, sorted.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<_> = self.out.lines().collect();
        lines.sort_unstable();
        lines
    }
}

/// A mount point.
pub(crate) fn point(name: &str, path: &str) -> Value {
    json!({ "mountPoints": [{ "name": name, "path": path }] })
}

/// Waits for a file of the other app, in the shell.
pub(crate) fn wait_for(path: &str) -> String {
    format!("for i in $(busybox seq 200); do [ -e {path} ] && break; busybox sleep 0.05; done; ")
}
