//! The options that mount: one row each.

use std::fs;

use crate::fixture::{Ran, Who, for_everyone, with_help_of_root};

#[test]
fn nothing_is_mounted_unless_asked_for() {
    for_everyone(|f| {
        f.run(&[], &["ls", "/proc", "/dev", "/data"])
            .prints("/data:\none\ntwo\n\n/dev:\n\n/proc:\n");
    });
}

#[test]
fn bind_of_a_directory() {
    for_everyone(|f| {
        let bind = ["--mount-bind", &f.text("source"), "/data/one"];
        f.run(&bind, &["cat", "/data/one/file"]).prints("of source\n");
        f.shell(&bind, "touch /data/one/new && rm /data/one/new").prints("");
        f.run(&[], &["ls", "/data/one"]).prints("own\n");
    });
}

#[test]
fn bind_of_a_file_and_a_device() {
    for_everyone(|f| {
        let bind = ["--mount-bind", &f.text("source/file"), "/data/one/own"];
        f.run(&bind, &["cat", "/data/one/own"]).prints("of source\n");
        let null = ["--mount-bind", "/dev/null", "/data/one/own"];
        f.shell(&null, "echo gone > /data/one/own && stat -c %t:%T /data/one/own").prints("1:3\n");
    });
}

#[test]
fn bind_of_a_link_and_of_a_relative_path() {
    for_everyone(|f| {
        std::os::unix::fs::symlink("source", f.host("link")).unwrap();
        f.seal();
        let bind = ["--mount-bind", &f.text("link"), "/data/one"];
        f.run(&bind, &["ls", "/data/one"]).prints("below\nfile\n");
        let tree = f.text("tree");
        let words = ["--mount-bind", "source", "/data/one", &tree, "ls", "/data/one"];
        Ran::of(f.command(&words).current_dir(f.host(""))).prints("below\nfile\n");
    });
}

/// As the C program does. A plain user may not uncover what a mount hides, so there they come along.
#[test]
fn bind_leaves_out_what_is_mounted_below_as_far_as_the_kernel_lets_it() {
    for who in [Who::Root, Who::Plain] {
        with_help_of_root(who, |f| {
            let below = f.text("source/below");
            let mount = "mount -t tmpfs none $0 && touch $0/hidden && chmod 755 $0 && exec \"$@\"";
            let prefix = ["unshare", "--mount", "sh", "-c", mount, &below];
            let (program, source, tree) =
                (f.text("linux-user-chroot"), f.text("source"), f.text("tree"));
            let words = [&*program, "--mount-bind", &source, "/data/one", &tree];
            let run = |command: &[&str]| Ran::of(&mut f.under(&prefix, command));
            run(&["ls", &below]).prints("hidden\n");
            let expected = if who == Who::Root { "" } else { "hidden\n" };
            run(&[&words[..], &["ls", "/data/one/below"]].concat()).prints(expected);
        });
    }
}

#[test]
fn readonly_of_a_directory_and_a_file() {
    for_everyone(|f| {
        for (at, write) in [
            ("/data", "touch /data/new"),
            ("/data/one", "touch /data/one/new"),
            ("/data/one/own", "echo > /data/one/own"),
            ("/", "touch /data/new"),
        ] {
            f.shell(&["--mount-readonly", at], write).refused_inside("Read-only file system");
        }
        let elsewhere = "touch /data/two/new && rm /data/two/new";
        f.shell(&["--mount-readonly", "/data/one"], elsewhere).prints("");
    });
}

#[test]
fn proc() {
    for_everyone(|f| {
        let own = ["--unshare-pid", "--mount-proc", "/proc"];
        f.shell(&own, "cat /proc/1/comm; echo /proc/[0-9]*").prints("sh\n/proc/1\n");
        let shared = f.run(&["--mount-proc", "/proc"], &["cat", "/proc/1/comm"]);
        let hosts = fs::read_to_string("/proc/1/comm").unwrap();
        assert!(shared.out == hosts, "{shared:?}");
    });
}

#[test]
fn devapi() {
    for_everyone(|f| {
        let devices = ["--mount-devapi", "/dev"];
        f.run(&devices, &["ls", "/dev"])
            .prints("full\nnull\nrandom\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
        for (name, number, mode) in [
            ("null", "1:3", "666"),
            ("zero", "1:5", "666"),
            ("full", "1:7", "666"),
            ("random", "1:8", "666"),
            ("urandom", "1:9", "666"),
            ("tty", "5:0", "666"),
        ] {
            let path = format!("/dev/{name}");
            let stat = ["stat", "-c", "%F %t:%T %a", &path];
            f.run(&devices, &stat).prints(&format!("character special file {number} {mode}\n"));
        }
        for (name, to) in [("stdin", 0), ("stdout", 1), ("stderr", 2)] {
            let link = format!("/dev/{name}");
            f.run(&devices, &["readlink", &link]).prints(&format!("/proc/self/fd/{to}\n"));
        }
        f.run(&devices, &["stat", "-c", "%a", "/dev"]).prints("755\n");
        let works = "echo gone > /dev/null && head -c 2 /dev/zero | wc -c";
        let works = works.replace("head", "busybox head").replace("wc", "busybox wc");
        f.shell(&devices, &works).prints("2\n");
        f.shell(&devices, "echo no > /dev/full").refused_inside("No space left on device");
        let with_proc = ["--mount-devapi", "/dev", "--mount-proc", "/proc"];
        f.shell(&with_proc, "echo in | cat /dev/stdin").prints("in\n");
    });
}

/// The C program appends DEST to ROOTDIR as it is, and so takes a directory beside ROOTDIR.
#[test]
fn a_target_without_a_slash_is_inside_all_the_same() {
    for_everyone(|f| {
        fs::create_dir(f.host("treedata")).unwrap();
        f.seal();
        let bind = ["--mount-bind", &f.text("source"), "data"];
        f.run(&bind, &["cat", "/data/file"]).prints("of source\n");
        assert_eq!(fs::read_dir(f.host("treedata")).unwrap().count(), 0);
    });
}

/// An empty DEST is ROOTDIR itself.
#[test]
fn a_bind_on_the_root_takes_its_place() {
    for_everyone(|f| {
        for at in ["/", "", "/data/..", "/data/../."] {
            let bind = ["--mount-bind", &f.text("tree/bin"), at];
            f.run(&bind, &["/busybox", "ls", "/sh"]).prints("/sh\n");
        }
    });
}
