//! What an App Container image finds in its file system: dependencies, volumes, devices.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::archive::{Archive, appc_id, manifest, script, with};
use crate::fixture::Ran;
use crate::world::{World, for_everyone};

/// An image without an app that others can depend on.
fn part(name: &str, more: Value) -> Value {
    with(json!({"acKind": "ImageManifest", "acVersion": "0.8.11", "name": name}), more)
}

fn needs(names: &[&str]) -> Value {
    let of = |name: &&str| json!({"imageName": name});
    json!(names.iter().map(of).collect::<Vec<_>>())
}

/// A file, its manifest, and what is in its tree: a file's content, or `""` for a directory.
type Part<'a> = (&'a str, &'a Value, &'a [(&'a str, &'a str)]);

/// Writes images with these manifests and files to a directory of their own, and gives it.
fn parts(w: &World<'_>, images: &[Part<'_>]) -> String {
    let dir = w.host("images/parts");
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    w.directory("images/parts").unwrap();
    for (file, manifest, files) in images {
        let mut image = Archive::bare(manifest);
        for (name, content) in *files {
            image = if content.is_empty() {
                image.dir(&format!("rootfs/{name}"))
            } else {
                image.file(&format!("rootfs/{name}"), content)
            };
        }
        w.image(&format!("parts/{file}"), image.bytes());
    }
    dir.to_str().unwrap().to_owned()
}

#[test]
fn dependencies_are_below_in_order_and_what_comes_later_wins() {
    for_everyone(|w| {
        // app -> [b, c -> d] is b, d, c, app.
        let c = part("x/c", json!({"dependencies": needs(&["x/d"])}));
        let (b, d) = (part("x/b", json!({})), part("x/d", json!({})));
        let path = &*parts(
            w,
            &[
                (
                    "b.aci",
                    &b,
                    &[("f", ""), ("f/bdc", "b"), ("f/bd", "b"), ("f/b", "b"), ("f/ba", "b")],
                ),
                ("c.aci", &c, &[("f", ""), ("f/bdc", "c"), ("f/dc", "c"), ("f/c", "c")]),
                ("d.aci", &d, &[("f", ""), ("f/bdc", "d"), ("f/bd", "d"), ("f/dc", "d")]),
            ],
        );
        let top = with(
            script("cd /f; for f in *; do echo $f=$(cat $f); done", json!({})),
            json!({"dependencies": needs(&["x/b", "x/c"])}),
        );
        let image = Archive::aci(&top).dir("rootfs/f").file("rootfs/f/ba", "a");
        let image = &*w.image("top.aci", image.bytes());
        let all = "b=b\nba=a\nbd=d\nbdc=c\nc=c\ndc=c\n";
        w.go(&["--image-path", path, image]).prints(all);
        let each = ["b", "c", "d"].map(|name| format!("{path}/{name}.aci"));
        let [b, c, d] = &each;
        w.go(&["--image-path", d, "--image-path", c, "--image-path", b, image]).prints(all);
        w.go(&[image]).refused(&["x/b", "example.com/app", "--image-path"]);
        w.go(&["--image-path", b, image]).refused(&["x/c", "example.com/app", b]);
        w.go(&["--image-path", b, "--image-path", c, image]).refused(&["x/d", "x/c"]);
        w.go(&["--image-path", "/no/dir", image]).refused(&["/no/dir", "No such file"]);
    });
}

#[test]
fn a_whitelist_keeps_what_it_names_and_nothing_else() {
    for_everyone(|w| {
        let base = part("x/base", json!({}));
        let path = &*parts(
            w,
            &[("b.aci", &base, &[("k", ""), ("k/in", "1"), ("k/out", "2"), ("o", "3")])],
        );
        let list = ["/k/in", "/own", "/bin/busybox", "/bin/sh", "/bin/ls"];
        let top = with(
            script("ls / /k", json!({})),
            json!({"dependencies": needs(&["x/base"]), "pathWhitelist": list}),
        );
        let image = Archive::aci(&top).file("rootfs/own", "1").file("rootfs/other", "2");
        let ran = w.go(&["--image-path", path, &w.image("top.aci", image.bytes())]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let names: Vec<_> = ran.out.split_whitespace().collect();
        for (name, there) in [
            ("own", true),
            ("in", true),
            ("other", false),
            ("out", false),
            ("o", false),
            ("data", false),
        ] {
            assert_eq!(names.contains(&name), there, "{name}: {names:?}");
        }
    });
}

#[test]
fn dependencies_that_cannot_be_had() {
    for_everyone(|w| {
        let image = |dependency: Value| {
            let top = with(script("true", json!({})), json!({"dependencies": [dependency]}));
            w.image("top.aci", Archive::aci(&top).bytes())
        };
        let v = |version: &str| json!({"labels": [{"name": "version", "value": version}]});
        let (one, two) = (part("x/v", v("1")), part("x/v", v("2")));
        let path = &*parts(w, &[("1.aci", &one, &[("v", "1")]), ("2.aci", &two, &[("v", "2")])]);
        let go = |dependency: Value, command: &[&str]| -> Ran {
            w.go(&[&["--image-path", path, &image(dependency)], command].concat())
        };
        let by = |more: Value| with(json!({"imageName": "x/v"}), more);
        go(by(json!({})), &[]).refused(&["x/v", "1.aci", "2.aci", "--image-path"]);
        go(by(v("2")), &["cat", "/v"]).prints("2");
        go(by(v("3")), &[]).refused(&["x/v", "version=3", "--image-path"]);
        let bytes = fs::read(format!("{path}/1.aci")).unwrap();
        let id = appc_id(&bytes);
        go(by(json!({"imageID": id})), &["cat", "/v"]).prints("1");
        let other = format!("sha512-{}", "0".repeat(128));
        go(by(json!({"imageID": other})), &[]).refused(&["x/v", &other]);
        let size = json!({"imageID": id, "size": bytes.len()});
        go(by(size), &["cat", "/v"]).prints("1");
        go(by(json!({"imageID": id, "size": 7})), &[]).refused(&["x/v", "7 bytes"]);

        let a = part("x/a", json!({"dependencies": needs(&["x/b"])}));
        let b = part("x/b", json!({"dependencies": needs(&["x/a"])}));
        let path = &*parts(w, &[("a.aci", &a, &[]), ("b.aci", &b, &[])]);
        let circle = image(json!({"imageName": "x/a"}));
        let ran = w.go(&["--image-path", path, &circle]);
        ran.refused(&["depend on each other", "x/a", "x/b"]);
        assert!(
            !ran.err.contains("example.com/app ->") || ran.err.contains("x/a -> x/b -> x/a"),
            "{ran:?}"
        );
    });
}

/// An image with mount points `one` on /one and `two`, read-only, on /two.
fn mount_points(w: &World<'_>, text: &str) -> String {
    let points = json!([
        {"name": "one", "path": "/one"},
        {"name": "two", "path": "/two/deep", "readOnly": true},
    ]);
    w.script(text, json!({"mountPoints": points}))
}

#[test]
fn volumes_fill_mount_points() {
    for_everyone(|w| {
        for name in ["a", "b"] {
            w.directory(&format!("images/{name}")).unwrap();
            fs::write(w.host(&format!("images/{name}/file")), name).unwrap();
        }
        let [a, b] = ["a", "b"].map(|name| w.text(&format!("images/{name}")));
        let text = "cat /one/file /two/deep/file; echo; echo new > /one/new && echo yes; \
            echo new 2>&1 > /two/deep/new || echo no";
        let image = &*mount_points(w, text);
        let (one, two) = (format!("one={a}"), format!("two={b}"));
        let ran = w.go(&["--volume", &one, "--volume", &two, image]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.starts_with("ab\nyes\n") && ran.out.ends_with("no\n"), "{ran:?}");
        assert_eq!(fs::read_to_string(w.host("images/a/new")).unwrap(), "new\n");
        assert!(!w.host("images/b/new").exists());

        // The root being read-only, volumes are as they were asked for.
        let ran = w.go(&["--read-only", "--volume", &one, "--volume", &two, image]);
        assert!(ran.out.starts_with("ab\nyes\n") && ran.out.ends_with("no\n"), "{ran:?}");

        let text = "touch /one/x 2> /dev/null || echo no; ls /two/deep; touch /two/deep/x 2> /dev/null || echo no";
        let ran = w.go(&[
            "--volume",
            &format!("{one},ro"),
            "--volume",
            "two=empty",
            &mount_points(w, text),
        ]);
        ran.prints("no\nno\n");
        let text = "echo x > /one/x && cat /one/x";
        let words = ["--volume", "one=empty", "--volume", "two=empty", &*mount_points(w, text)];
        for _ in 0..2 {
            w.go(&words).prints("x\n");
        }
    });
}

#[test]
fn volumes_that_cannot_be() {
    for_everyone(|w| {
        w.directory("images/a").unwrap();
        symlink("a", w.host("images/link")).unwrap();
        let image = &*mount_points(w, "echo ran");
        let of = |name: &str, file: &str| format!("{name}={}", w.text(&format!("images/{file}")));
        let (one, two) = (of("one", "a"), of("two", "a"));
        w.go(&[image]).refused(&["one, two", "--volume one=PATH --volume two=PATH"]);
        w.go(&["--volume", &one, image]).refused(&["two", "--volume two=PATH"]);
        let both = ["--volume", &one, "--volume", &two];
        w.go(&[&both[..], &["--volume", "three=/tmp", image]].concat())
            .refused(&["\"three\"", "there are one, two"]);
        w.go(&[&both[..], &["--volume", &one, image]].concat()).refused(&["\"one\"", "twice"]);
        let none = of("one", "none");
        w.go(&["--volume", &none, "--volume", &two, image]).refused(&["\"one\"", "images/none"]);
        assert!(!w.host("images/none").exists(), "a source is never made");
        let link = of("one", "link");
        let through = ["--volume", &link, "--volume", &two, image];
        w.go(&through).refused(&["\"one\"", "symbolic link", "images/link"]);
        w.go(&[&["--volume-symlinks"], &through[..]].concat()).prints("ran\n");
        for wrong in ["one", "=/x", "one="] {
            w.go(&["--volume", wrong, image]).refused(&["--volume", wrong, "NAME=PATH"]);
        }
        let points = json!([{"name": "one", "path": "/x"}, {"name": "two", "path": "/x/y"}]);
        let overlap = &*w.script("true", json!({"mountPoints": points}));
        w.go(&[&both[..], &[overlap]].concat()).refused(&["\"one\"", "\"two\"", "/x/y", "overlap"]);
        let hidden = json!([{"name": "one", "path": "/etc"}]);
        let ran = w.go(&["--volume", &one, &w.script("ls /etc", json!({"mountPoints": hidden}))]);
        assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
        assert!(ran.err.contains("warning: volume \"one\" hides"), "{ran:?}");
    });
}

#[test]
fn the_systems_files_are_those_of_the_specification() {
    for_everyone(|w| {
        let text = "for d in null zero full random urandom tty console pts ptmx shm; do \
            test -e /dev/$d || echo no /dev/$d; done; \
            for d in null zero full random urandom tty; do test -c /dev/$d || echo no device $d; done; \
            test -d /sys/kernel || echo no /sys; test -e /proc/self/status || echo no /proc; \
            echo x > /dev/null && head -c 3 /dev/zero | wc -c; echo x > /dev/shm/x && cat /dev/shm/x; \
            grep -c localhost /etc/hosts; echo $$ $(hostname)";
        w.go(&[&w.script(text, json!({}))]).prints("3\nx\n2\n2 app\n");
        let own = |hosts: &str| {
            let image = Archive::aci(&script("cat /etc/hosts", json!({})));
            w.image("own.aci", image.file("rootfs/etc/hosts", hosts).bytes())
        };
        w.go(&[&own("1.2.3.4 own\n")]).prints("1.2.3.4 own\n");
        w.go(&[&own("")]).prints("");
        let link = Archive::aci(&script("readlink /etc/hosts", json!({})));
        w.go(&[&w.image("link.aci", link.link("rootfs/etc/hosts", "/nowhere").bytes())])
            .prints("/nowhere\n");
    });
}

#[test]
fn it_is_isolated() {
    for_everyone(|w| {
        let text =
            "for n in net pid ipc uts mnt; do readlink /proc/self/ns/$n; done; ip -o link | wc -l";
        let app = json!({"exec": ["/bin/sh", "-c", text], "user": "0", "group": "0"});
        let ran = w.go(&[&w.image("x.aci", Archive::aci(&manifest(app)).bytes())]);
        for kind in ["net", "pid", "ipc", "uts", "mnt"] {
            let ours = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
            assert!(ran.out.contains(&format!("{kind}:[")), "{ran:?}");
            assert!(!ran.out.contains(ours.to_str().unwrap()), "{kind}: {ran:?}");
        }
        assert!(ran.out.ends_with("\n1\n"), "only loopback: {ran:?}");
    });
}
