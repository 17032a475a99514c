//! Bad input: each is one clear error that names the field and the value, and leaves nothing behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::fixture::{Ran, Who, for_everyone};

#[test]
fn roots_that_are_none() {
    for_everyone(|f| {
        f.run_in("", &[], &["true"]).refused(&["root is empty"]);
        f.run_in("/no/such/tree", &[], &["true"]).refused(&["/no/such/tree", "root"]);
        let file = f.text("source/file");
        f.run_in(&file, &[], &["true"]).refused(&[&file, "not a tar archive", "directory tree"]);
    });
}

#[test]
fn commands_and_directories_that_are_none() {
    for_everyone(|f| {
        f.run(&[], &[""]).refused(&["command is empty"]);
        f.run(&["--cwd", "/no/such"], &["true"]).refused(&["/no/such", "working directory"]);
        f.run(&["--cwd", "/bin/sh"], &["true"]).refused(&["/bin/sh", "working directory"]);
        f.run(&["--cwd", ""], &["true"]).refused(&["cwd is empty"]);
        f.run(&["--writable", "/no/such"], &["true"]).refused(&["/no/such", "writable"]);
        f.run(&["--writable", ""], &["true"]).refused(&["writable is empty"]);
        f.run(&["--env", "=x"], &["true"]).refused(&["env is empty"]);
        f.run(&["--hostname", "a b"], &["true"]).refused(&["hostname \"a b\""]);
        f.run(&["--uid", "root"], &["true"]).refused(&["'root'", "--uid", "give a number"]);
        f.run(&["--require", "net"], &["true"]).refused(&["'net'", "--require", "settings are"]);
    });
}

#[test]
fn mounts_that_cannot_be() {
    for_everyone(|f| {
        f.run(&["--tmpfs", ""], &["true"]).refused(&["--tmpfs \"\"", "target is empty"]);
        f.run(&["--tmpfs", "tmp"], &["true"]).refused(&["--tmpfs \"tmp\"", "is relative"]);
        f.run(&["--proc", "/"], &["true"]).refused(&["--proc \"/\"", "target is `/`"]);
        f.run(&["--mount", "a:/b:ext4"], &["true"]).refused(&["type \"ext4\"", "types are"]);
        f.run(&["--mount", "/b:tmpfs"], &["true"]).refused(&["--mount \"/b:tmpfs\"", "give SRC"]);
        f.run(&["--tmpfs", "/t:size=x"], &["true"]).refused(&["--tmpfs", "size \"x\""]);
        f.run(&["--bind", "/a:b"], &["true"]).refused(&["--bind \"/a:b\"", "\"b\" is relative"]);
        f.run(&["--mount", "a:/b:tmpfs:uid=1"], &["true"]).refused(&["options \"uid\""]);
        let none = format!("{}:/data", f.text("none"));
        f.run(&["--bind", &none], &["true"]).refused(&[&f.text("none"), "No such file"]);
        f.run(&["--tmpfs", "/bin/sh"], &["true"]).refused(&["/bin/sh"]);
        // Nothing of those before the one that fails stays.
        let before = ["--tmpfs", "/made/by/us", "--bind", &none];
        f.run(&before, &["true"]).refused(&[&f.text("none")]);
    });
}

#[test]
fn a_target_through_a_link_out_of_the_tree() {
    for_everyone(|f| {
        symlink("/etc", f.tree().join("data/link")).unwrap();
        let ran = f.run(&["--tmpfs", "/data/link/run-sandbox-test"], &["true"]);
        assert!(!fs::exists("/etc/run-sandbox-test").unwrap(), "{ran:?}");
        fs::remove_file(f.tree().join("data/link")).unwrap();
    });
}

#[test]
fn a_tree_that_may_not_be_entered() {
    for_everyone(|f| {
        if f.who == Who::Plain {
            let tree = f.tree();
            fs::set_permissions(&tree, Permissions::from_mode(0o0)).unwrap();
            let ran = f.run(&[], &["true"]);
            fs::set_permissions(&tree, Permissions::from_mode(0o755)).unwrap();
            assert!(matches!(ran.code, Some(125 | 126)), "{ran:?}");
            assert!(ran.err.contains("Permission denied"), "{ran:?}");
        }
    });
}

#[test]
fn a_long_argument_list_arrives_whole() {
    for_everyone(|f| {
        let word = "x".repeat(1000);
        let words: Vec<_> = std::iter::repeat_n(word.as_str(), 1000).collect();
        let script = ["sh", "-c", "echo $#", "sh"];
        f.run(&[], &[&script[..], &words].concat()).prints("1000\n");
        // No word may be longer than 32 pages: what cannot be is named.
        let long = "x".repeat(128 << 10);
        let ran = f.run(&["--env", &long[2..]], &["true"]);
        assert!(ran.code == Some(0) && ran.err.is_empty(), "it names a variable: {:?}", ran.code);
        fs::write(f.host("long.toml"), format!("command = ['true', '{long}']")).unwrap();
        let file = ["--config", &f.text("long.toml")];
        let ran = Ran::of(f.command().args(file).arg(f.tree()));
        ran.fails(126, &["\"true\"", "Argument list too long"]);
        fs::remove_file(f.host("long.toml")).unwrap();
    });
}

#[test]
fn exhausted_limits_are_an_error() {
    for_everyone(|f| {
        let options = ["--network", "isolated", "--tmpfs", "/tmp"];
        for limit in 3..12 {
            let set = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
            let ran =
                Ran::of(f.started_by(&["sh", "-c", &set]).args(options).arg(f.tree()).arg("true"));
            match ran.code {
                Some(0) => {}
                Some(125) => assert!(ran.err.starts_with("run-sandbox: error: "), "{ran:?}"),
                _ if limit < 5 => {} // Not enough for the loader of run-sandbox itself.
                _ => panic!("{limit}: {ran:?}"),
            }
        }
        if f.who == Who::Plain {
            let limit = ["prlimit", "--nproc=1:1"];
            let ran = Ran::of(f.started_by(&limit).arg(f.tree()).arg("true"));
            assert!(matches!(ran.code, Some(0 | 125)), "{ran:?}");
            assert_eq!(ran.code == Some(0), ran.err.is_empty(), "{ran:?}");
        }
    });
}
