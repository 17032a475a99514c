//! Links and `..` in ROOTDIR: they mean what they mean to who is inside, and never lead to the host.

use std::fs;
use std::os::unix::fs::symlink;

use crate::fixture::for_everyone;

const MISSING: &str = "No such file or directory";

#[test]
fn an_absolute_link_is_followed_inside() {
    for_everyone(|f| {
        symlink("/data/one", f.tree().join("link")).unwrap();
        f.seal();
        let bind = ["--mount-bind", &f.text("source"), "/link"];
        f.run(&bind, &["cat", "/data/one/file"]).prints("of source\n");
        f.shell(&["--mount-readonly", "/link"], "touch /data/one/new")
            .refused_inside("Read-only file system");
    });
}

/// Where the same path is there on the host and in ROOTDIR, it is ROOTDIR's that is mounted on.
#[test]
fn an_absolute_link_to_the_host_is_none() {
    for_everyone(|f| {
        let outside = f.text("other");
        symlink(&outside, f.tree().join("link")).unwrap();
        f.seal();
        let source = f.text("source");
        let run = |options: &[&str]| f.run(options, &["true"]);
        run(&["--mount-bind", &source, "/link"]).fails(&format!("mount (MS_BIND): {MISSING}"));
        run(&["--mount-readonly", "/link"]).fails(&format!("mount (MS_BIND): {MISSING}"));
        run(&["--mount-proc", "/link"]).fails(&format!("mount (\"proc\"): {MISSING}"));
        run(&["--mount-devapi", "/link"]).fails(&format!("setting up devapi: {MISSING}"));
        run(&["--chdir", "/link"]).fails(&format!("chdir: {MISSING}"));
        // The control: the link works on the host, and what it leads to is as it was.
        let seen = fs::read_to_string(f.tree().join("link/file")).unwrap();
        assert_eq!(seen, "of other\n");

        let inside = f.tree().join(outside.trim_start_matches('/'));
        fs::create_dir_all(&inside).unwrap();
        f.seal();
        let bind = ["--mount-bind", &source, "/link"];
        f.run(&bind, &["cat", &format!("{outside}/file")]).prints("of source\n");
        let seen = fs::read_to_string(f.host("other/file")).unwrap();
        assert_eq!(seen, "of other\n");
    });
}

#[test]
fn dots_stay_inside() {
    for_everyone(|f| {
        let source = f.text("source");
        // Beside ROOTDIR there is a directory of that name.
        for at in ["/../other", "/data/../../other", "../other", "/../../../../../../other"] {
            let ran = f.run(&["--mount-bind", &source, at], &["true"]);
            ran.fails(&format!("mount (MS_BIND): {MISSING}"));
        }
        let inside = ["--mount-bind", &source, "/../data/../data/one"];
        f.run(&inside, &["cat", "/data/one/file"]).prints("of source\n");
        symlink("../../other", f.tree().join("data/link")).unwrap();
        f.seal();
        let ran = f.run(&["--mount-bind", &source, "/data/link"], &["true"]);
        ran.fails(&format!("mount (MS_BIND): {MISSING}"));
        assert!(f.tree().join("data/link/../other/file").exists(), "the link works on the host");
        assert_eq!(fs::read_to_string(f.host("other/file")).unwrap(), "of other\n");
    });
}

#[test]
fn a_dangling_link_is_an_error_and_nothing_is_made() {
    for_everyone(|f| {
        let nowhere = f.text("nowhere");
        symlink(&nowhere, f.tree().join("dangling")).unwrap();
        symlink("/dangling", f.tree().join("twice")).unwrap();
        symlink("loop", f.tree().join("loop")).unwrap();
        f.seal();
        let source = f.text("source");
        for at in ["/dangling", "/twice", "/dangling/x"] {
            let ran = f.run(&["--mount-bind", &source, at], &["true"]);
            ran.fails(&format!("mount (MS_BIND): {MISSING}"));
        }
        let ran = f.run(&["--mount-bind", &source, "/loop"], &["true"]);
        ran.fails("mount (MS_BIND): Too many levels of symbolic links");
        assert!(!f.host("nowhere").exists());
    });
}

#[test]
fn a_bound_directory_with_links_leads_nowhere_else_either() {
    for_everyone(|f| {
        symlink(f.host("other"), f.host("source/link")).unwrap();
        f.seal();
        let (source, other) = (f.text("source"), f.text("other"));
        let options = ["--mount-bind", &source, "/data", "--mount-bind", &other, "/data/link"];
        f.run(&options, &["true"]).fails(&format!("mount (MS_BIND): {MISSING}"));
        assert_eq!(fs::read_dir(f.host("other")).unwrap().count(), 1);
    });
}

#[test]
fn a_root_that_is_a_link() {
    for_everyone(|f| {
        symlink("tree", f.host("link")).unwrap();
        symlink("nowhere", f.host("dangling")).unwrap();
        f.seal();
        let bind = ["--mount-bind", &f.text("source"), "/data"];
        let link = f.text("link");
        let words = [&bind[..], &[&link, "ls", "/data"]].concat();
        f.with(&words).prints("below\nfile\n");
        f.with(&[&f.text("dangling"), "true"]).fails(&format!("chdir: {MISSING}"));
    });
}

/// The old root is not below the new one.
#[test]
fn the_host_cannot_be_reached_by_dots() {
    for_everyone(|f| {
        f.run(&["--chdir", "/.."], &["ls", "/../../../data"]).prints("one\ntwo\n");
        let host = f.text("source");
        f.run(&[], &["ls", &host]).refused_inside(MISSING);
    });
}
