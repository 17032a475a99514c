//! Operations are done in the order of the command line, and later ones see what earlier ones did.

use std::fs;

use crate::fixture::{Fixture, for_everyone};

#[test]
fn a_later_mount_covers_an_earlier_one() {
    for_everyone(|f: &Fixture| {
        let source = f.text("source");
        f.shell(&["--bind", &source, "/data", "--tmpfs", "/data"], "ls /data").prints("");
        f.shell(&["--tmpfs", "/data", "--bind", &source, "/data"], "ls /data").prints("file\n");
        let below = ["--tmpfs", "/data", "--bind", &source, "/data/a/b", "--dir", "/data/a/c"];
        f.shell(&below, "ls /data/a /data/a/b").prints("/data/a:\nb\nc\n\n/data/a/b:\nfile\n");
    });
}

#[test]
fn the_root_is_built_from_nothing_or_covered() {
    for_everyone(|f: &Fixture| {
        let (bin, tree) = (f.text("tree/bin"), f.text("tree"));
        f.run(&["--ro-bind", &bin, "/bin", "--dir", "x/y", "ls", "/"]).prints("bin\nx\n");
        f.run(&["--dir", "/gone", "--bind", &tree, "/", "ls", "/"])
            .prints("bin\ndata\ndev\nproc\ntmp\n");
        f.run(&["--bind", &tree, "/", "--tmpfs", "/", "--ro-bind", &bin, "/bin", "ls", "/"])
            .prints("bin\n");
        f.run(&["true"]).refused(&["\"true\"", "No such file or directory"]);
    });
}

#[test]
fn sources_are_the_hosts_whatever_is_mounted() {
    for_everyone(|f: &Fixture| {
        let source = f.text("source");
        // The path of the source is covered inside by then.
        let options = ["--tmpfs", "/tmp", "--bind", &source, "/data"];
        f.shell(&options, "cat /data/file").prints("of the host\n");
        f.inside(&["--ro-bind", "/", "/data"], &["cat", &format!("/data{source}/file")])
            .prints("of the host\n");
    });
}

#[test]
fn nothing_leads_back_to_the_host() {
    for_everyone(|f: &Fixture| {
        f.inside(&[], &["ls", "/.."]).prints("bin\ndata\ndev\nproc\ntmp\n");
        f.inside(&["--bind", &f.text("source"), "/data"], &["ls", "/data/../../.."])
            .prints("bin\ndata\ndev\nproc\ntmp\n");
        let host = format!("/proc/1/root{}", f.text("words"));
        assert_eq!(f.inside(&["--unshare-pid", "--proc", "/proc"], &["cat", &host]).code, Some(1));
    });
}

#[test]
fn a_sandbox_can_be_made_inside_a_sandbox() {
    for_everyone(|f: &Fixture| {
        let bwrap = f.text("bwrap");
        let nested = [
            "--bind",
            "/",
            "/",
            &bwrap,
            "--bind",
            "/",
            "/",
            &bwrap,
            "--bind",
            &f.text("tree"),
            "/",
        ];
        f.run(&[&nested[..], &["ls", "/"]].concat()).prints("bin\ndata\ndev\nproc\ntmp\n");
    });
}

#[test]
fn a_read_only_root_takes_no_more() {
    for_everyone(|f: &Fixture| {
        let tree = f.text("tree");
        f.run(&["--ro-bind", &tree, "/", "--dir", "/new", "true"]).refused(&["/new", "Read-only"]);
        f.run(&["--ro-bind", &tree, "/", "--tmpfs", "/data", "--dir", "/data/new", "true"])
            .prints("");
        f.run(&["--bind", &tree, "/", "--remount-ro", "/", "--dir", "/new", "true"])
            .refused(&["/new", "Read-only"]);
    });
}

#[test]
fn what_is_made_in_a_tree_stays_and_mount_points_do_not() {
    for_everyone(|f: &Fixture| {
        let options = [
            "--bind",
            &f.text("source"),
            "/made/for/a/mount",
            "--tmpfs",
            "/another",
            "--dir",
            "/kept/dir",
            "--symlink",
            "a",
            "/kept/link",
            "--file",
            "9",
            "/kept/file",
        ];
        f.redirected("9<words", &options, &["ls", "/made/for/a/mount", "/kept"])
            .prints("/kept:\ndir\nfile\nlink\n\n/made/for/a/mount:\nfile\n");
        for gone in ["made", "another"] {
            assert!(!f.host("tree").join(gone).exists(), "{gone}");
        }
        assert_eq!(fs::read_to_string(f.host("tree/kept/file")).unwrap(), "some words\n");
        fs::remove_dir_all(f.host("tree/kept")).unwrap();
    });
}

#[test]
fn targets_are_followed_inside_the_root_only() {
    for_everyone(|f: &Fixture| {
        let outside = f.directory("outside");
        let absolute = ["--tmpfs", "/data", "--symlink", &outside, "/data/out"];
        for operation in [
            &["--dir", "/data/out/made"][..],
            &["--file", "9", "/data/out/made"],
            &["--bind", &f.text("source"), "/data/out/made"],
            &["--tmpfs", "/data/out/made"],
            &["--symlink", "x", "/data/out/made"],
            &["--bind-data", "9", "/data/out/made"],
        ] {
            let options = [&absolute[..], operation].concat();
            // The same path is made inside, or refused: outside nothing is.
            f.redirected("9<words", &options, &["true"]);
            assert!(fs::read_dir(&outside).unwrap().next().is_none(), "{operation:?}");
        }
        let up = ["--tmpfs", "/data", "--symlink", "../../../../../../..", "/data/up"];
        let options = [&up[..], &["--dir", "/data/up/data/made"]].concat();
        f.inside(&options, &["ls", "/data"]).prints("made\nup\n");
        fs::remove_dir_all(outside).unwrap();
        // What the links lead to inside has been made there.
        fs::remove_dir_all(f.host("tree/tmp")).unwrap();
        f.directory("tree/tmp");
    });
}
