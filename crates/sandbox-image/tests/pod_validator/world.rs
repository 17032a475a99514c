//! The validator's root, volume and metadata service as they should be, for a test to break one thing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::geteuid;
use sandbox_core::InsidePath;
use sandbox_image::aci::pod_manifest::PodApp;
use sandbox_image::aci::types::Annotation;
use sandbox_image::aci::{ImageManifest, PodManifest};
use sandbox_image::app::MountPoint;
use sandbox_image::pod::metadata::{AppFacts, MetadataService, PodFacts, merged_annotations};
use sandbox_image::pod::{Missing, new_uuid, of_images, plan};
use sandbox_testkit::{fixture, validator};
use sha2::{Digest as _, Sha512};
use tempfile::TempDir;

/// Mounts, then becomes the command that follows. Nothing of it is seen outside.
const MOUNTS: &str = r#"
set -e
root=$1 volume=$2 at=$3 mode=$4 proc=$5
shift 5
if [ -n "$at" ]; then mount --bind "$volume" "$root$at"; fi
if [ "$mode" = ro ]; then mount -o remount,bind,ro "$root$at"; fi
if [ -n "$proc" ]; then mount --rbind /proc "$root$proc"; fi
exec "$@"
"#;
const TRIES: usize = 4;
const UNSHARE: &str = "/usr/bin/unshare";

/// What an app is run in.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Where the volume is mounted, if it is.
    pub(crate) volume_at: Option<&'static str>,
    pub(crate) volume_mode: &'static str,
    pub(crate) proc_at: Option<&'static str>,
    pub(crate) directory: &'static str,
    pub(crate) variables: BTreeMap<&'static str, String>,
}

pub(crate) struct World {
    dir: TempDir,
    pub(crate) facts: PodFacts,
    main: PathBuf,
}

impl World {
    /// None where nothing can be mounted, which is said.
    pub(crate) fn new(subject: &str) -> Option<Self> {
        let mut probe = Command::new(UNSHARE);
        if !probe.args(namespaces()).arg("true").status().is_ok_and(|status| status.success()) {
            fixture::skip(subject, "no mount namespace can be made with unshare(1)").unwrap();
            return None;
        }
        let dir = tempfile::Builder::new().prefix("validator-test-").tempdir().unwrap();
        let (main, sidekick) = validator::images(dir.path()).unwrap();
        let facts = facts(&main, &sidekick);
        Some(Self { dir, facts, main })
    }

    pub(crate) fn service(&self) -> MetadataService {
        MetadataService::bind("127.0.0.1:0".parse().unwrap(), self.facts.clone()).unwrap()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("image/rootfs")
    }

    pub(crate) fn volume(&self) -> PathBuf {
        self.dir.path().join("volume")
    }

    /// A clean root from the image, with these files in it, and a volume with those.
    pub(crate) fn render(&self, in_root: &[&str], in_volume: &[&str]) {
        let image = self.dir.path().join("image");
        for old in [&image, &self.volume()] {
            if old.exists() {
                fs::remove_dir_all(old).unwrap();
            }
            fs::create_dir(old).unwrap();
        }
        tar::Archive::new(File::open(&self.main).unwrap()).unpack(&image).unwrap();
        for name in ["db", "proc", "other"] {
            fs::create_dir(self.root().join(name)).unwrap();
        }
        for name in in_root {
            fs::write(self.root().join(name), "").unwrap();
        }
        for name in in_volume {
            fs::write(self.volume().join(name), "").unwrap();
        }
    }

    /// Renders and runs. On a busy machine a process can be kept waiting longer than the validator waits
    /// for an answer; that says nothing about either, so it has more than one try.
    pub(crate) fn fresh(
        &self,
        setting: &Setting,
        mode: &str,
        in_root: &[&str],
        in_volume: &[&str],
    ) -> Output {
        let attempt = || {
            self.render(in_root, in_volume);
            self.run(setting, &[mode])
        };
        let late = |output: &Output| {
            String::from_utf8_lossy(&output.stderr).contains("100 ms: Connection timed out")
        };
        (1..TRIES).map(|_| attempt()).find(|output| !late(output)).unwrap_or_else(attempt)
    }

    pub(crate) fn run(&self, setting: &Setting, words: &[&str]) -> Output {
        let (root, volume) = (self.root(), self.volume());
        let mut command = Command::new(UNSHARE);
        command.args(namespaces()).args(["sh", "-c", MOUNTS, "sh"]).arg(&root).arg(volume);
        command.args([
            setting.volume_at.unwrap_or_default(),
            setting.volume_mode,
            setting.proc_at.unwrap_or_default(),
        ]);
        command.args(["env", "-i"]);
        command.args(setting.variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(UNSHARE).arg(format!("--root={}", root.display()));
        command.arg(format!("--wd={}", setting.directory)).arg("/ace-validator").args(words);
        command.output().unwrap()
    }
}

/// As it should be, for the main app.
pub(crate) fn correct(url: &str) -> Setting {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let variables = [
        ("PATH", path),
        ("IN_ACE_VALIDATOR", "correct"),
        ("AC_APP_NAME", "ace-validator-main"),
        ("AC_METADATA_URL", url),
    ];
    Setting {
        volume_at: Some("/db"),
        volume_mode: "rw",
        proc_at: Some("/proc"),
        directory: "/opt/acvalidator",
        variables: variables.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
    }
}

fn namespaces() -> &'static [&'static str] {
    if geteuid().is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] }
}

fn annotation(name: &str, value: &str) -> Annotation {
    Annotation { name: name.parse().unwrap(), value: value.into() }
}

/// The pod of both images, as this crate plans it.
fn facts(main: &Path, sidekick: &Path) -> PodFacts {
    let manifests = [validator::main_manifest(), validator::sidekick_manifest()];
    let ids = [main, sidekick].map(|image| {
        let digest = Sha512::digest(fs::read(image).unwrap());
        digest.iter().fold("sha512-".to_owned(), |id, byte| format!("{id}{byte:02x}"))
    });
    let read: Vec<_> = manifests
        .iter()
        .map(|manifest| ImageManifest::parse(manifest.as_bytes()).unwrap())
        .collect();
    let images = read.iter().zip(ids).map(|(manifest, id)| {
        // What an app's image is: its name, which is replaced, is of no matter here.
        let mut app = PodApp::new("app".parse().unwrap(), id.parse().unwrap());
        app.image.name = Some(manifest.name.clone());
        app.image
    });
    let mut pod: PodManifest = of_images(images).unwrap();
    pod.annotations = vec![annotation("ip-address", "10.1.2.3")];
    pod.apps[0].annotations = vec![annotation("lorem", "of the pod"), annotation("new", "x")];
    let database = MountPoint {
        name: "database".into(),
        path: InsidePath::absolute("/db", "path").unwrap(),
        read_only: false,
    };
    let planned = plan(pod, |_| vec![database.clone()], Missing::Empty).unwrap();
    let apps = planned.manifest.apps.iter().zip(read).zip(manifests);
    let apps = apps.map(|((app, image), manifest)| AppFacts {
        name: app.name.to_string(),
        image_id: app.image.id.to_string(),
        image_manifest: manifest.into_bytes(),
        annotations: merged_annotations(&image.annotations, &app.annotations),
    });
    PodFacts {
        uuid: new_uuid().unwrap(),
        manifest: planned.json().unwrap(),
        annotations: planned.manifest.annotations.clone(),
        apps: apps.collect(),
    }
}
