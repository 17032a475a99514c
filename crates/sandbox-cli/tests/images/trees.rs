//! Plain archives and bundles.

use std::fs;

use serde_json::{Value, json};

use crate::archive::{Archive, through, unpack};
use crate::world::{World, for_everyone, says};

#[test]
fn an_archive_runs_as_the_tree_that_it_is_of() {
    for_everyone(|w| {
        let tree = Archive::new().dir(".").tree("./").bytes();
        for (words, name) in [(&["cat"][..], "x.tar"), (&["xz", "-0"], "x.tar.xz")] {
            let Some(bytes) = through(words, &tree) else { continue };
            let image = &*w.image(name, &bytes);
            w.go(&[image, "/bin/echo", "hi"]).prints("hi\n");
            w.go(&[image, "/bin/sh", "-c", "echo new > /new && cat /new"]).prints("new\n");
            w.go(&[image, "/bin/cat", "/new"]).fails_with_nothing();
            w.go(&[image]).refused(&["images/x.tar", "tar archive", "give a command"]);
            w.go(&["--read-only", image, "/bin/sh", "-c", "echo x 2>&1 > /new"])
                .fails_with_nothing();
            w.fed(&["-", "/bin/echo", "hi"], &bytes).prints("hi\n");
        }
    });
}

impl crate::fixture::Ran {
    #[track_caller]
    fn fails_with_nothing(&self) {
        assert!(matches!(self.code, Some(1 | 2)) && !self.out.starts_with("new"), "{self:?}");
    }
}

#[test]
fn a_trees_files_are_as_the_archive_has_them() {
    for_everyone(|w| {
        let image = Archive::new()
            .tree("")
            .entry("data/x", tar::EntryType::Regular, 0o640, b"content")
            .hard("data/y", "data/x")
            .link("data/z", "x");
        let image = &*w.image("x.tar", image.bytes());
        let format = "%a %s %Y %h";
        w.go(&[image, "/bin/stat", "-c", format, "/data/y"]).prints("640 7 1000000000 2\n");
        w.go(&[image, "/bin/readlink", "/data/z"]).prints("x\n");
    });
}

/// A bundle as `runc spec` makes it, with changes.
fn bundle(w: &World<'_>, change: impl Fn(&mut Value)) -> String {
    let dir = w.host("images/bundle");
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    w.directory("images/bundle").unwrap();
    let root = Archive::new().tree("").dir("proc").dir("dev").dir("sys").bytes();
    unpack(&root, &dir.join("rootfs"));
    let mut config: Value = serde_json::from_str(RUNC_SPEC).unwrap();
    change(&mut config);
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    if !w.is_root() {
        // The tree is the user's, as whoever made the bundle would have it.
        let mut chown = std::process::Command::new("chown");
        assert!(chown.args(["-R", "-h", "54321:54321"]).arg(&dir).status().unwrap().success());
    }
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_default_bundle_runs() {
    for_everyone(|w| {
        let text = "echo $(hostname) $(pwd) $TERM $$; echo x > /new 2> /dev/null || echo read-only";
        let command = |config: &mut Value| {
            config["process"]["terminal"] = json!(false);
            config["process"]["args"] = json!(["sh", "-c", text]);
        };
        let image = &*bundle(w, command);
        let ran = w.go(&[image]);
        let first = ran.out.lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with("runc / xterm "), "{ran:?}");
        assert!(ran.out.ends_with("read-only\n"), "{ran:?}");
        says(&w.go(&[image, "/bin/echo", "mine"]), 0, "mine\n");

        let unknown = &*bundle(w, |config| {
            command(config);
            config["linux"]["intelRdt"] = json!({"closID": "x"});
            config["hooks"] = json!({"prestart": [{"path": "/bin/true"}]});
        });
        let ran = w.go(&[unknown]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for name in ["linux.intelRdt", "hooks"] {
            assert!(ran.err.contains(&format!("the bundle's {name}")), "{ran:?}");
        }
        w.go(&["--strict", unknown]).refused(&["linux.intelRdt", "hooks", "without --strict"]);
        let wrong = &*bundle(w, |config| config["process"]["args"] = json!(7));
        w.go(&[wrong]).refused(&["config.json", "process.args"]);
        let wrong = &*bundle(w, |config| config["root"]["path"] = json!("none"));
        w.go(&[wrong]).refused(&["none"]);
    });
}

/// What `runc spec` writes.
const RUNC_SPEC: &str = r#"{
  "ociVersion": "1.0.2-dev",
  "process": {
    "terminal": true,
    "user": {"uid": 0, "gid": 0},
    "args": ["sh"],
    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    "cwd": "/",
    "capabilities": {
      "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "ambient": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    },
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
    "noNewPrivileges": true
  },
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "runc",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
      "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
      "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
      "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
      "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs",
      "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
      "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
  ],
  "linux": {
    "resources": {"devices": [{"allow": false, "access": "rwm"}]},
    "namespaces": [
      {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
      {"type": "cgroup"}
    ],
    "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/sys/firmware"],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
  }
}"#;
