//! What makes no sense is refused in one message, and leaves nothing.

use std::fs;
use std::os::unix::fs::symlink;

use crate::fixture::{Fixture, for_everyone};

#[test]
fn no_command_is_answered_with_the_usage() {
    for_everyone(|f: &Fixture| {
        for words in [&[][..], &["--unshare-pid"], &["--bind", "/", "/", "--"]] {
            let ran = f.run(words);
            assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
            assert!(ran.err.starts_with("usage: bwrap "), "{ran:?}");
        }
        f.run(&["--bind", "/", "/", ""]).refused(&["command is empty"]);
    });
}

#[test]
fn missing_operands() {
    for_everyone(|f: &Fixture| {
        f.run(&["--bind"]).refused(&["--bind takes SRC DEST"]);
        f.run(&["--bind", "/"]).refused(&["--bind takes SRC DEST"]);
        f.run(&["--setenv", "A"]).refused(&["--setenv takes VAR VALUE"]);
        f.run(&["--nonsense", "true"]).refused(&["unknown option \"--nonsense\""]);
        f.run(&["-x", "true"]).refused(&["unknown option \"-x\""]);
    });
}

#[test]
fn ten_thousand_arguments() {
    for_everyone(|f: &Fixture| {
        let mut options = vec!["--tmpfs", "/data"];
        options.extend(["--dir", "/data/a"].repeat(5_000));
        f.inside(&options, &["ls", "/data"]).prints("a\n");
        let words = "--setenv\0A\0b\0".repeat(20_000);
        fs::write(f.host("many"), words).unwrap();
        f.redirected("9<many", &["--args", "9"], &["sh", "-c", "echo $A"]).prints("b\n");
        fs::remove_file(f.host("many")).unwrap();
        let many: Vec<_> = ["--dir"].repeat(9_999);
        f.run(&many).refused(&["--dir takes DEST"]);
    });
}

#[test]
fn files_of_arguments_that_make_no_sense() {
    for_everyone(|f: &Fixture| {
        f.run(&["--args", "9", "true"]).refused(&["--args 9: Bad file descriptor"]);
        let cases: [(&[u8], &[&str]); 6] = [
            (b"\0\0--dir\0/a\0", &["--args 9", "not an option"]),
            (b"--dir\0\0", &["--dir DEST is empty"]),
            (b"--args\x009\0", &["--args"]),
            (b"--bind\0a\0", &["--bind takes SRC DEST"]),
            (b"\xff\xfe", &["not an option"]),
            (b"--\xff", &["unknown option"]),
        ];
        for (words, message) in cases {
            fs::write(f.host("args"), words).unwrap();
            f.redirected("9<args", &["--args", "9"], &["true"]).refused(message);
        }
        for harmless in [&b""[..], b"\0", b"\0\0\0", b"--new-session"] {
            fs::write(f.host("args"), harmless).unwrap();
            f.redirected("9<args", &["--args", "9"], &["true"]).prints("");
        }
        fs::remove_file(f.host("args")).unwrap();
        f.redirected("9<tree", &["--args", "9"], &["true"]).refused(&["--args 9: Is a directory"]);
    });
}

#[test]
fn bad_numbers_and_descriptors() {
    const WITH_NUMBER: [&str; 10] = [
        "--sync-fd",
        "--block-fd",
        "--info-fd",
        "--json-status-fd",
        "--seccomp",
        "--args",
        "--userns",
        "--userns2",
        "--pidns",
        "--pass-fd",
    ];
    for_everyone(|f: &Fixture| {
        for option in WITH_NUMBER {
            for number in ["x", "-1", "", "3.0", "99999999999999999999"] {
                f.inside(&[option, number], &["true"]).refused(&[option, &format!("{number:?}")]);
            }
            f.inside(&[option, "77"], &["true"]).refused(&[option, "77", "Bad file descriptor"]);
        }
        for option in ["--file", "--bind-data", "--ro-bind-data", "--bind-fd", "--ro-bind-fd"] {
            f.inside(&[option, "x", "/data/a"], &["true"]).refused(&[option, "\"x\""]);
            f.inside(&[option, "77", "/data/a"], &["true"]).refused(&["77", "Bad file descriptor"]);
        }
        for (option, value) in [("--uid", "4294967295"), ("--gid", "-1"), ("--uid", "99999999999")]
        {
            f.inside(&["--unshare-user", option, value], &["true"]).refused(&[option, value]);
        }
    });
}

#[test]
fn sources_that_are_missing_or_no_directories() {
    for_everyone(|f: &Fixture| {
        for option in ["--bind", "--ro-bind", "--dev-bind"] {
            f.inside(&[option, "/nonexistent", "/data/new"], &["true"]).refused(&["/nonexistent"]);
            f.inside(&[option, "", "/data"], &["true"]).refused(&["source is empty"]);
        }
        f.inside(&["--bind", &f.text("words"), "/data"], &["true"]).refused(&["/data"]);
        f.inside(&["--bind", &f.text("source"), "/bin/busybox"], &["true"])
            .refused(&["/bin/busybox"]);
        f.inside(&["--bind", "relative", "/data"], &["true"]).refused(&["relative"]);
        // Relative to where bwrap is called.
        f.inside(&["--bind", "source", "/data"], &["cat", "/data/file"]).prints("of the host\n");
        symlink("nowhere", f.host("dangling")).unwrap();
        f.inside(&["--bind", &f.text("dangling"), "/data"], &["true"]).refused(&["dangling"]);
        f.inside(&["--bind-try", &f.text("dangling"), "/data"], &["true"]).prints("");
        fs::remove_file(f.host("dangling")).unwrap();
    });
}

/// What was read is closed, and its number may be another file's by then.
#[test]
fn a_descriptor_is_read_or_kept() {
    for_everyone(|f: &Fixture| {
        for option in ["--pass-fd", "--sync-fd", "--block-fd"] {
            let options = ["--file", "9", "/tmp/f", option, "9"];
            let ran = f.redirected("9<words", &options, &["true"]);
            ran.refused(&[option, "9", "Bad file descriptor"]);
        }
    });
}
