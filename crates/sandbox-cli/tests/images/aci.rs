//! What an App Container image runs, and what of that a caller can change.

use std::fs;

use serde_json::json;

use crate::archive::{Archive, appc_id, manifest, script, through};
use crate::world::{for_everyone, says};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn it_runs_its_own_program_or_the_callers() {
    for_everyone(|w| {
        let app = json!({"exec": ["echo", "own", "words"], "user": "0", "group": "0"});
        let image = &*w.image("x.aci", Archive::aci(&manifest(app)).bytes());
        w.go(&[image]).prints("own words\n");
        w.go(&[image, "echo", "mine"]).prints("mine\n");
        w.go(&[image, "/bin/pwd"]).prints("/\n");
        w.go(&["--args", image, "mine"]).prints("own words mine\n");
        w.go(&["--args", image]).prints("own words\n");
        w.go(&[image, "/no/program"]).fails(127, &["/no/program"]);
    });
}

#[test]
fn an_image_without_an_app_runs_what_the_caller_gives() {
    for_everyone(|w| {
        let mut manifest = manifest(json!(null));
        manifest.as_object_mut().unwrap().remove("app");
        let image = &*w.image("x.aci", Archive::aci(&manifest).bytes());
        w.go(&[image, "echo", "mine"]).prints("mine\n");
        w.go(&[image]).refused(&["app:", "give a command"]);
    });
}

#[test]
fn its_environment_is_the_specifications_its_own_and_nothing_of_the_hosts() {
    for_everyone(|w| {
        let environment = json!([
            {"name": "OWN", "value": "a $PATH b"},
            {"name": "with.dot-dash", "value": ""},
        ]);
        let app = json!({"exec": ["env"], "user": "0", "group": "0", "environment": environment});
        let image = w.image("x.aci", Archive::aci(&manifest(app)).bytes());
        let output = w.start(&[&image]).env("OF_THE_HOST", "1").env("PATH_", "x").output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<_> = out.lines().collect();
        lines.sort_unstable();
        let path = format!("PATH={PATH}");
        let expected = [
            "AC_APP_NAME=app",
            "HOME=/root",
            "LOGNAME=root",
            "OWN=a $PATH b",
            &path,
            "SHELL=/bin/sh",
            "USER=root",
            "container=sandboxlib",
            "with.dot-dash=",
        ];
        assert_eq!(lines, expected);
        // What the caller says on the command line is meant.
        w.go(&["--env", "OWN=mine", &image, "sh", "-c", "echo $OWN"]).prints("mine\n");
        let fixed = json!({"environment": [{"name": "PATH", "value": "/bin"}]});
        let ran = w.go(&[&w.script("echo $PATH", fixed)]);
        assert_eq!((ran.code, ran.out), (Some(0), format!("{PATH}\n")));
        assert!(ran.err.contains("the image's PATH is not taken"), "{}", ran.err);
    });
}

#[test]
fn users_and_groups_are_names_numbers_or_owners_of_files() {
    for_everyone(|w| {
        for (user, group, ids) in [
            ("root", "root", "0 0"),
            ("web", "www", "33 34"),
            ("33", "0", "33 0"),
            ("1234", "2345", "1234 2345"),
            ("/srv/file", "/srv/file", "7 8"),
        ] {
            let more = json!({"user": user, "group": group});
            let image = Archive::aci(&script("echo $(id -u) $(id -g)", more))
                .dir("rootfs/srv")
                .owned("rootfs/srv/file", 7, 8);
            let ran = w.go(&[&w.image("x.aci", image.bytes())]);
            let of_a_file = user.starts_with('/');
            // Without privilege all files are the caller's, who is user 0 of the image.
            let ids = if of_a_file && !w.is_root() { "" } else { ids };
            assert_eq!(ran.code, Some(0), "{ran:?}");
            if ids.is_empty() {
                assert!(ran.err.contains("the user is the owner of /srv/file"), "{ran:?}");
            } else {
                assert_eq!(ran.out, format!("{ids}\n"), "{user} {group}: {ran:?}");
            }
        }
    });
}

#[test]
fn supplementary_groups_are_given_where_they_can_be() {
    for_everyone(|w| {
        let more = json!({"supplementaryGIDs": [50, 60]});
        let ran = w.go(&[&w.script("grep Groups: /proc/self/status", more)]);
        let groups: Vec<_> = ran.out.split_whitespace().skip(1).collect();
        if w.is_root() {
            assert_eq!((groups, &*ran.err), (vec!["50", "60"], ""));
        } else {
            assert!(!ran.out.contains("50"), "{ran:?}");
            assert!(ran.err.contains("warning: ") && ran.err.contains("groups 50, 60"), "{ran:?}");
        }
        assert_eq!(ran.code, Some(0));
    });
}

#[test]
fn it_starts_in_its_working_directory() {
    for_everyone(|w| {
        let image = |directory: &str| {
            let manifest = script("pwd", json!({"workingDirectory": directory}));
            let image = Archive::aci(&manifest).dir("rootfs/work").dir("rootfs/work/deep");
            w.image("x.aci", image.link("rootfs/way", "/work").bytes())
        };
        w.go(&[&image("/work/deep")]).prints("/work/deep\n");
        w.go(&[&image("/way/deep")]).prints("/work/deep\n");
        w.go(&[&image("/proc")]).prints("/proc\n");
        w.go(&[&image("/none")]).refused(&["workingDirectory /none is not in the image"]);
        w.go(&[&image("/etc/passwd")]).refused(&["workingDirectory /etc/passwd is no directory"]);
        w.go(&[&image("relative")]).refused(&["workingDirectory", "relative"]);
    });
}

#[test]
fn handlers_run_before_and_after_on_the_same_files() {
    for_everyone(|w| {
        let handler =
            |name: &str, text: &str| json!({"name": name, "exec": ["/bin/sh", "-c", text]});
        let more = |before: &str, after: &str| json!({"eventHandlers": [handler("pre-start", before), handler("post-stop", after)]});
        let before = "test ! -e /made && echo pre $AC_APP_NAME $(pwd) && echo 1 > /made";
        let after = "echo post $(cat /made)";
        let image =
            w.script("echo main $(cat /made); echo 2 >> /made; exit 7", more(before, after));
        let both = "pre app /\nmain 1\npost 1 2\n";
        for _ in 0..2 {
            let ran = w.go(&[&image]);
            assert_eq!((ran.code, &*ran.out, &*ran.err), (Some(7), both, ""));
        }
        // A command in place of the main process has them as well.
        w.go(&[&image, "cat", "/made"]).prints("pre app /\n1\npost 1\n");

        let failing = w.script("echo main", more("exit 3", "echo post"));
        w.go(&[&failing]).refused(&["pre-start handler", "status 3", "not run"]);
        let killed = w.script("kill -9 $$", more("true", "echo post"));
        let ran = w.go(&[&killed]);
        assert_eq!((ran.code, &*ran.out), (Some(137), "post\n"), "{ran:?}");
        let late = w.script("echo main", more("true", "exit 3"));
        let ran = w.go(&[&late]);
        assert_eq!((ran.code, &*ran.out), (Some(0), "main\n"));
        assert!(ran.err.starts_with("run-sandbox: warning: post-stop: "), "{ran:?}");
        let (_, events) = w.events(&[&late]);
        let told = events.iter().filter(|event| event["event"] == "handler");
        let told: Vec<_> = told.map(|event| (&event["name"], &event["status"])).collect();
        assert_eq!(told, [(&json!("pre-start"), &json!(0)), (&json!("post-stop"), &json!(3))]);
    });
}

#[test]
fn its_status_is_passed_on() {
    for_everyone(|w| {
        for (text, code) in [
            ("exit 0", 0),
            ("exit 7", 7),
            ("kill -15 $$", 143),
            ("kill -9 $$", 137),
            ("exit 125", 125),
        ] {
            let ran = w.go(&[&w.script(text, json!({}))]);
            assert_eq!((ran.code, &*ran.out), (Some(code), ""), "{text}: {ran:?}");
        }
    });
}

#[test]
fn every_run_has_the_files_of_the_image() {
    for_everyone(|w| {
        let text = "test ! -e /new && cat /data/file && echo changed > /data/file && rm /bin/echo && : > /new";
        let image = Archive::aci(&script(text, json!({}))).file("rootfs/data/file", "as it was\n");
        let image = &*w.image("x.aci", image.bytes());
        let cache = w.text("images/cache");
        for options in [&[][..], &["--cache", &cache]] {
            for _ in 0..3 {
                says(&w.go(&[options, &[image]].concat()), 0, "as it was\n");
            }
        }
    });
}

#[test]
fn compressions_are_known_by_content() {
    for_everyone(|w| {
        let plain = Archive::aci(&script("echo hi", json!({}))).bytes();
        for (words, name) in [
            (&["cat"][..], "x.zst"),
            (&["gzip", "-1"], "x.xz"),
            (&["bzip2", "-1"], "x.gz"),
            (&["xz", "-0"], "x.tar"),
            (&["zstd", "-1", "-q"], "x"),
        ] {
            let Some(bytes) = through(words, &plain) else { continue };
            w.go(&[&w.image(name, &bytes)]).prints("hi\n");
            w.fed(&["-"], &bytes).prints("hi\n");
            if w.is_root() {
                w.fed(&["/dev/stdin", "echo", "mine"], &bytes).prints("mine\n");
            }
        }
    });
}

#[test]
fn only_the_image_that_was_meant_is_run() {
    for_everyone(|w| {
        let plain = Archive::aci(&script("echo hi", json!({}))).bytes();
        let Some(gzip) = through(&["gzip", "-1"], &plain) else { return };
        let image = &*w.image("x.aci", &gzip);
        let id = appc_id(&plain);
        let (hex, other) =
            (id.trim_start_matches("sha512-"), format!("sha512-{}", "0".repeat(128)));
        let ran = w.go(&["--verbose", image]);
        assert!(ran.err.contains(&id), "{ran:?}");
        for good in [&id, &format!("sha512:{hex}")] {
            w.go(&["--image-id", good, image]).prints("hi\n");
        }
        w.go(&["--image-id", &other, image]).refused(&[&id, &other, "another image"]);
        let sha256 = format!("sha256:{}", "0".repeat(64));
        w.go(&["--image-id", &sha256, image]).refused(&[&sha256, "which has sha512"]);
        for wrong in ["sha512-12", hex, "md5-1234", "", "sha512-xyz"] {
            w.go(&["--image-id", wrong, image]).refused(&["--image-id", wrong]);
        }
        let cache = w.text("images/cache");
        for _ in 0..2 {
            says(&w.go(&["--cache", &cache, "--image-id", &id, image]), 0, "hi\n");
            w.go(&["--cache", &cache, "--image-id", &other, image]).refused(&["another image"]);
        }
        fs::remove_dir_all(cache).unwrap();
    });
}
