//! `--cache`: what was unpacked once is used again, and never what was not finished.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::archive::{Archive, script};
use crate::fixture::Ran;
use crate::world::{World, for_everyone, says};

fn image(w: &World<'_>, content: &str) -> String {
    let text =
        "cat /data/file; echo changed > /data/file; rm /etc/passwd; ls /etc/passwd 2> /dev/null";
    let image = Archive::aci(&script(text, json!({})));
    w.image("x.aci", image.file("rootfs/data/file", content).bytes())
}

/// Everything below a directory with this name.
fn named(directory: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_name() == name {
                found.push(entry.path());
            }
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn a_second_run_has_the_same_tree() {
    for_everyone(|w| {
        let (image, cache) = (&*image(w, "content\n"), w.text("images/cache"));
        let words = ["--cache", &cache, image];
        for _ in 0..3 {
            says(&w.go(&words), 1, "content\n");
        }
        let files = named(cache.as_ref(), "file");
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(fs::read_to_string(&files[0]).unwrap(), "content\n");
        // The control: it comes from there.
        let before = fs::metadata(&files[0]).unwrap().len();
        fs::write(&files[0], "CONTENT\n").unwrap();
        assert_eq!(fs::metadata(&files[0]).unwrap().len(), before);
        says(&w.go(&words), 1, "CONTENT\n");
        // Files of another image at the same path.
        self::image(w, "other\n");
        says(&w.go(&words), 1, "other\n");
        assert_eq!(named(cache.as_ref(), "file").len(), 2);
    });
}

#[test]
fn first_runs_at_once_unpack_once() {
    for_everyone(|w| {
        let (image, cache) = (&*image(w, "content\n"), w.text("images/cache"));
        let start = || {
            let mut command = w.start(&["--cache", &cache, image]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = (0..4).map(|_| start()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "content\n", "{err}");
        }
        w.is_clean();
        assert_eq!(named(cache.as_ref(), "file").len(), 1);
    });
}

#[test]
fn what_was_not_finished_is_not_used() {
    for_everyone(|w| {
        let mut image = Archive::aci(&script("ls /data | wc -l", json!({})));
        for index in 0..4_000 {
            image = image.file(&format!("rootfs/data/{index}"), "x");
        }
        let (image, cache) = (&*w.image("x.aci", image.bytes()), w.text("images/cache"));
        let words = ["--cache", &cache, image];
        let mut child = w.start(&words).stdout(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        while named(cache.as_ref(), "10").is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(20), "it unpacks");
            sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it was killed in the middle");
        for _ in 0..2 {
            says(&w.go(&words), 0, "4000\n");
        }
        assert_eq!(named(cache.as_ref(), "10").len(), 1, "what was left is removed");
    });
}

#[test]
fn a_cache_belongs_to_one_user() {
    for_everyone(|w| {
        if w.is_root() {
            return;
        }
        let (image, cache) = (&*image(w, "content\n"), w.text("images/cache"));
        let words = ["--cache", &cache, image];
        says(&w.go(&words), 1, "content\n");
        if crate::fixture::Who::caller() == crate::fixture::Who::Root {
            // As root, who was not to trust what a user can change.
            let mut command = std::process::Command::new(w.text("run-sandbox"));
            command.args(words).env("TMPDIR", w.host("tmp")).stdin(Stdio::null());
            Ran::of(&mut command).refused(&[&cache, "belongs to user"]);
        }
        let open = w.text("images/open");
        w.directory("images/open").unwrap();
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        w.go(&["--cache", &open, image]).refused(&[&open, "chmod"]);
        w.go(&["--cache", "/proc/none", image]).refused(&["/proc/none"]);
    });
}

#[test]
fn an_explanation_runs_nothing() {
    for_everyone(|w| {
        let handler = json!([{"name": "pre-start", "exec": ["/bin/touch", "/vol/pre"]}]);
        let points = json!([{"name": "vol", "path": "/vol"}]);
        let more = json!({"eventHandlers": handler, "mountPoints": points});
        let image = &*w.script("touch /vol/main", more);
        w.directory("images/vol").unwrap();
        let volume = format!("vol={}", w.text("images/vol"));
        let ran = w.go(&["--explain", "--volume", &volume, image]);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
        assert!(ran.out.contains("touch /vol/main") && ran.out.contains("pre-start: "), "{ran:?}");
        assert_eq!(fs::read_dir(w.host("images/vol")).unwrap().count(), 0);
        // The control.
        says(&w.go(&["--volume", &volume, image]), 0, "");
        assert_eq!(fs::read_dir(w.host("images/vol")).unwrap().count(), 2);
    });
}
