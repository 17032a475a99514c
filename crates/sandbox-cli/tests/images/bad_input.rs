//! What is no image, or no good one: one line says what is wrong, nothing is run, and nothing is left.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tar::EntryType;

use crate::archive::{Archive, script, through, with};
use crate::fixture::Ran;
use crate::world::{World, for_everyone};

/// Of a file in a bomb.
const SIZE: u64 = 256 << 20;
const SECONDS: Duration = Duration::from_secs(10);

fn good() -> Archive {
    Archive::aci(&script("echo ran", json!({})))
}

#[test]
fn manifests() {
    for_everyone(|w| {
        let base = script("echo ran", json!({}));
        let top = |more: Value| with(base.clone(), more);
        let app = |more: Value| script("echo ran", more);
        let label = |os: &str, arch: &str| json!([{"name": "os", "value": os}, {"name": "arch", "value": arch}]);
        let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "amd64" };
        let gone = |name: &str| {
            let mut manifest = base.clone();
            manifest["app"].as_object_mut().unwrap().remove(name).unwrap();
            manifest
        };
        for (manifest, words) in [
            (top(json!({"acVersion": "1.0.0"})), &["acVersion", "1.0.0", "0."][..]),
            (top(json!({"acVersion": "new"})), &["acVersion", "new"]),
            (top(json!({"acKind": "PodManifest"})), &["acKind", "PodManifest", "ImageManifest"]),
            (top(json!({"name": "Not An Identifier"})), &["name", "Not An Identifier"]),
            (top(json!({"labels": label("linux", other)})), &[other, "binfmt"]),
            (top(json!({"labels": label("linux", "vax")})), &["labels[1]", "vax", "amd64"]),
            (top(json!({"labels": label("plan9", "amd64")})), &["labels[0]", "plan9", "linux"]),
            (top(json!({"labels": label("freebsd", "amd64")})), &["freebsd", "linux"]),
            (top(json!({"app": null})), &["app:", "give a command"]),
            (app(json!({"exec": []})), &["app.exec", "give a command"]),
            (app(json!({"exec": "sh"})), &["app.exec", "string"]),
            (app(json!({"user": "nobody"})), &["user \"nobody\"", "/etc/passwd", "root, web"]),
            (app(json!({"group": "none"})), &["group \"none\"", "/etc/group", "root, www"]),
            (app(json!({"user": "/no/file"})), &["user \"/no/file\"", "no such file"]),
            (gone("user"), &["app", "user"]),
            (gone("group"), &["app", "group"]),
            (
                app(json!({"environment": [{"name": "a=b", "value": ""}]})),
                &["app.environment[0]", "a=b"],
            ),
            (
                app(json!({"mountPoints": [{"name": "A", "path": "/a"}]})),
                &["app.mountPoints[0].name", "A"],
            ),
            (
                app(json!({"eventHandlers": [{"name": "on-fire", "exec": ["x"]}]})),
                &["app.eventHandlers[0].name", "on-fire", "pre-start"],
            ),
            (
                app(json!({"isolators": [{"name": "resource/memory", "value": {"limit": "1Q"}}]})),
                &["app.isolators[0]", "1Q"],
            ),
        ] {
            w.go(&[&w.image("x.aci", Archive::aci(&manifest).bytes())]).refused(words);
        }
    });
}

#[test]
fn layouts() {
    for_everyone(|w| {
        let bare = || Archive::new().file("manifest", script("", json!({})).to_string());
        let text = |text: &str| Archive::new().file("manifest", text).dir("rootfs");
        let (deep, nested) = ("[".repeat(200_000), "{\"a\":".repeat(200_000));
        for (image, words) in [
            (good().file("extra", ""), &["\"extra\"", "manifest", "rootfs"][..]),
            (good().file("rootfs/bin/sh/x", ""), &["bin/sh/x", "Not a directory"]),
            (good().file("manifest", "{}"), &["\"manifest\"", "twice"]),
            (good().file("./rootfs/etc/passwd", ""), &["rootfs/etc/passwd", "twice"]),
            (bare(), &["no entry \"rootfs\""]),
            (bare().file("rootfs", ""), &["\"rootfs\"", "a directory"]),
            (Archive::new().dir("rootfs").tree("rootfs/"), &["no entry \"manifest\""]),
            (Archive::new().dir("manifest").dir("rootfs"), &["\"manifest\"", "a regular file"]),
            (Archive::new().link("manifest", "/etc/passwd"), &["\"manifest\"", "a regular file"]),
            (text(""), &["manifest"]),
            (text("not json"), &["manifest"]),
            (text("[]"), &["manifest"]),
            (text(&deep), &["manifest", "nested"]),
            (text(&nested), &["manifest", "nested"]),
            (text("\u{fffd}\0"), &["manifest"]),
            (good().file("rootfs/../../evil", ""), &["rootfs/../../evil", ".."]),
            (good().file("/evil", ""), &["/evil"]),
            (good().entry("rootfs/x", EntryType::new(b'?'), 0o644, b""), &["rootfs/x", "type"]),
        ] {
            w.go(&[&w.image("x.aci", image.bytes())]).refused(words);
        }
    });
}

#[test]
fn nothing_gets_out() {
    for_everyone(|w| {
        w.directory("images/canary").unwrap();
        let canary = w.text("images/canary");
        let file = format!("{canary}/file");
        fs::write(&file, "alive").unwrap();
        let aci = |prefix: &str| match prefix {
            "" => Archive::new().tree(""),
            _ => good(),
        };
        for prefix in ["rootfs/", ""] {
            let name = |name: &str| format!("{prefix}{name}");
            let mut images = vec![
                aci(prefix).link(&name("out"), &canary).file(&name("out/evil"), "x"),
                aci(prefix)
                    .link(&name("out"), "../../../../images/canary")
                    .file(&name("out/file"), "x"),
                aci(prefix).hard(&name("h"), &file).file(&name("h"), "x"),
                aci(prefix).hard(&name("h"), "../../../images/canary/file"),
                aci(prefix).link(&name("l"), &file).hard(&name("h"), &name("l/x")),
                aci(prefix).file(&name("../../../images/canary/evil"), "x"),
                aci(prefix).file(&format!("{canary}/evil"), "x"),
                aci(prefix).dir(&name("..")),
            ];
            for (index, image) in images.drain(..).enumerate() {
                let ran = w.go(&[&w.image("x", image.bytes()), "/bin/echo", "ran"]);
                assert_eq!((ran.code, &*ran.out), (Some(125), ""), "{prefix}{index}: {ran:?}");
                assert!(ran.err.contains("entry "), "{ran:?}");
                assert_eq!(fs::read_to_string(&file).unwrap(), "alive");
                assert_eq!(fs::read_dir(&canary).unwrap().count(), 1);
            }
            // A link that leads out is a link, and leads nowhere inside.
            let image = aci(prefix).link(&name("out"), &file);
            w.go(&[&w.image("x", image.bytes()), "/bin/cat", "/out"]).fails_inside();
        }
    });
}

impl Ran {
    /// The command ran, and failed.
    #[track_caller]
    fn fails_inside(&self) {
        assert_eq!((self.code, &*self.out), (Some(1), ""), "{self:?}");
    }
}

#[test]
fn damaged_files() {
    for_everyone(|w| {
        let plain = good().bytes();
        let go = |bytes: &[u8]| w.go(&[&w.image("x.aci", bytes), "/bin/echo", "ran"]);
        for words in
            [&["cat"][..], &["gzip", "-1"], &["bzip2", "-1"], &["xz", "-0"], &["zstd", "-1", "-q"]]
        {
            let Some(bytes) = through(words, &plain) else { continue };
            go(&bytes).prints("ran\n");
            go(&bytes[..bytes.len() / 2]).refused(&["truncated"]);
            if words[0] != "cat" {
                go(&bytes[..bytes.len() - 3]).refused(&["truncated"]);
            }
            go(&[&bytes[..], b"garbage, and more of it"].concat()).refused(&["garbage"]);
            let mut wrong = bytes.clone();
            let middle = wrong.len() / 2;
            wrong[middle..middle + 64].fill(0x55);
            if words[0] != "cat" {
                let ran = go(&wrong);
                assert_eq!((ran.code, &*ran.out), (Some(125), ""), "{words:?}: {ran:?}");
            }
        }
        let Some(once) = through(&["gzip"], &plain) else { return };
        go(&through(&["gzip"], &once).unwrap()).refused(&["gzip stream itself"]);
    });
}

#[test]
fn what_is_no_archive() {
    for_everyone(|w| {
        let go = |image: &str| w.go(&[image, "/bin/echo", "ran"]);
        let text = w.image("x.aci", "This is a text.\n".repeat(100));
        go(&text).refused(&["images/x.aci", "not a tar archive"]);
        go(&w.image("short", "x")).refused(&["images/short", "not a tar archive"]);
        go(&w.image("empty", "")).refused(&["images/empty"]);
        go(&w.image("zeros", [0; 1024])).refused(&["images/zeros"]);
        go(&w.image("squash", "hsqs and more of it")).refused(&["squashfs", "unsquashfs"]);
        go(&w.text("images/none")).refused(&["images/none", "No such file"]);
        go("/dev/null").refused(&["/dev/null"]);
        w.fed(&["-", "/bin/echo"], b"").refused(&["image -"]);
        w.fed(&["-", "/bin/echo"], b"text").refused(&["image -", "not a tar archive"]);
        w.directory("images/dir.aci").unwrap();
        w.go(&[&w.text("images/dir.aci")]).refused(&["command is missing"]);
        if !w.is_root() {
            let secret = w.image("secret", good().bytes());
            fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
            go(&secret).refused(&["images/secret", "Permission denied"]);
        }
    });
}

/// The same with 400 MiB of memory, at most so long.
#[track_caller]
fn soon(w: &World<'_>, words: &[&str]) -> Ran {
    let begin = Instant::now();
    let shell = w.started_by(&["sh", "-c", "ulimit -v 409600; exec \"$0\" \"$@\""]);
    let mut command = shell;
    let ran = Ran::of(command.args(words).env("TMPDIR", w.host("tmp")));
    assert!(begin.elapsed() < SECONDS, "{:?}", begin.elapsed());
    w.is_clean();
    ran
}

#[test]
fn bombs() {
    for_everyone(|w| {
        // The control: this memory is enough.
        soon(w, &[&w.image("x.aci", good().bytes())]).prints("ran\n");
        let huge = |name: &str, size: u64| {
            let mut header = tar::Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_mode(0o644);
            header.set_size(size);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let image = w.image("x.aci", huge("manifest", 1 << 30));
        File::options().write(true).open(&image).unwrap().set_len((1 << 30) + 1536).unwrap();
        soon(w, &[&image]).refused(&["manifest", "1073741824"]);
        let limit = ["--max-unpacked-size", "10M"];
        let Some(zeros) = zeros() else { return };
        let zstd = |bytes: &[u8]| through(&["zstd", "-1", "-q"], bytes).unwrap();
        for (name, size) in [("manifest", SIZE), ("rootfs/zeros", SIZE)] {
            let first = [zstd(&huge(name, size)), zeros.clone()].concat();
            let ran = soon(w, &[&limit[..], &[&w.image("x.aci", &first)]].concat());
            ran.refused(&[if name == "manifest" { "268435456" } else { "manifest" }]);
            let after = [zstd(&unended(good())), first].concat();
            let ran = soon(w, &[&limit[..], &[&w.image("x.aci", &after)]].concat());
            ran.refused(&["--max-unpacked-size"]);
        }
        // As a plain archive, and where it is hashed first.
        let cache = w.text("images/cache");
        let bomb =
            [zstd(&unended(Archive::new().tree(""))), zstd(&huge("z", SIZE)), zeros].concat();
        let bomb = w.image("x", &bomb);
        for words in [&limit[..], &[&limit[..], &["--cache", &cache]].concat()] {
            soon(w, &[words, &[&bomb, "/bin/echo"]].concat()).refused(&["--max-unpacked-size"]);
        }
        // A file that is mostly a hole counts as a whole.
        soon(w, &["--max-unpacked-size", "1", &w.image("x", good().bytes())])
            .refused(&["--max-unpacked-size"]);
        soon(w, &["--max-unpacked-size", "lots", &bomb]).fails(125, &["lots"]);
        if fs::exists(&cache).unwrap() {
            fs::remove_dir_all(cache).unwrap();
        }
    });
}

/// An archive to which more can be added.
fn unended(archive: Archive) -> Vec<u8> {
    let mut bytes = archive.bytes();
    bytes.truncate(bytes.len() - 1024);
    bytes
}

/// So many zeros, compressed.
fn zeros() -> Option<Vec<u8>> {
    let script = "head -c 268435456 /dev/zero | zstd -1 -q";
    through(&["zstd", "--version"], b"")?;
    through(&["sh", "-c", script], b"")
}

#[test]
fn a_full_disk() {
    for_everyone(|w| {
        if crate::fixture::Who::caller() != crate::fixture::Who::Root {
            let what = "a full disk: only root mounts a small one";
            return sandbox_testkit::fixture::skip("sandbox-cli", what).unwrap();
        }
        let image = w.image("x.aci", good().bytes());
        let full = |size: &str, image: &str, input: &[u8]| {
            let inner = w.start(&[image]);
            let script = "mount -t tmpfs -o size=$0,mode=1777 none \"$TMPDIR\" && \"$@\"; \
                code=$?; ls -A \"$TMPDIR\"; exit $code";
            let mut command = std::process::Command::new("unshare");
            command.args(["-m", "sh", "-c", script, size]);
            command.arg(inner.get_program()).args(inner.get_args());
            command.env("TMPDIR", w.host("tmp")).current_dir("/");
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
            drop(child.stdin.take().unwrap().write_all(input));
            let output = child.wait_with_output().unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
        };
        full("16m", &image, b"").prints("ran\n");
        full("1m", &image, b"").refused(&["images/x.aci", "bin/busybox", "No space left"]);
        full("1m", "-", &good().bytes()).refused(&["image -", "temporary files", "No space left"]);
    });
}
