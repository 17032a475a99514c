//! Mounts and what can be written.

use std::fs;
use std::os::unix::fs::symlink;

use crate::fixture::for_everyone;

#[test]
fn mounts_are_made_in_the_order_given() {
    for_everyone(|f| {
        let bind = format!("{}:/data/one", f.text("source"));
        f.run(&["--tmpfs", "/data", "--bind", &bind], &["ls", "/data", "/data/one"])
            .prints("/data:\none\n\n/data/one:\nfile\n");
        // The later covers the earlier.
        f.run(&["--bind", &bind, "--tmpfs", "/data"], &["ls", "-A", "/data"]).prints("");
        f.run(&["--tmpfs", "/data/one", "--bind", &bind], &["ls", "/data/one"]).prints("file\n");
        f.run(&["--bind", &bind, "--tmpfs", "/data/one"], &["ls", "/data/one"]).prints("");
    });
}

#[test]
fn a_bind_is_what_it_says() {
    for_everyone(|f| {
        let source = f.text("source");
        let file = format!("{source}/file:/data/new");
        f.run(&["--bind", &file], &["cat", "/data/new"]).prints("of the host\n");
        let bind = format!("{source}:/data/one");
        f.shell(&["--bind", &bind], "echo inside > /data/one/file").prints("");
        assert_eq!(fs::read_to_string(f.host("source/file")).unwrap(), "inside\n");
        let ran = f.shell(&["--ro-bind", &bind], "echo again > /data/one/file");
        assert!(ran.err.contains("Read-only file system"), "{ran:?}");
        let fields = format!("{source}:/data/one:none:rbind,ro");
        let ran = f.shell(&["--mount", &fields], "cat /data/one/file; touch /data/one/x");
        assert!(ran.out == "inside\n" && ran.err.contains("Read-only file system"), "{ran:?}");
        fs::write(f.host("source/file"), "of the host\n").unwrap();
    });
}

#[test]
fn a_colon_in_a_path_is_escaped() {
    for_everyone(|f| {
        fs::write(f.host("source/a:b"), "colon\n").unwrap();
        let bind = format!("{}:/data/one", f.text(r"source/a\:b"));
        fs::remove_dir(f.tree().join("data/one")).unwrap();
        f.run(&["--bind", &bind], &["cat", "/data/one"]).prints("colon\n");
        fs::create_dir(f.tree().join("data/one")).unwrap();
        fs::remove_file(f.host("source/a:b")).unwrap();
    });
}

#[test]
fn only_what_is_named_can_be_written() {
    for_everyone(|f| {
        let script = "touch /data/one/x && echo one; touch /data/two/x && echo two";
        let named = f.shell(&["--writable", "/data/one"], script);
        assert_eq!(named.out, "one\n", "{named:?}");
        assert!(named.err.contains("/data/two/x: Read-only file system"), "{named:?}");
        fs::remove_file(f.tree().join("data/one/x")).unwrap();
        let both = f.shell(&["--writable", "data/one", "--writable", "/data/two"], script);
        assert_eq!(both.out, "one\ntwo\n", "{both:?}");
        fs::remove_file(f.tree().join("data/one/x")).unwrap();
        fs::remove_file(f.tree().join("data/two/x")).unwrap();
        assert_eq!(f.shell(&["--read-only"], script).out, "");
    });
}

#[test]
fn writing_is_settled_after_the_mounts() {
    for_everyone(|f| {
        let bind = format!("{}:/data/one", f.text("source"));
        let script = "echo new > /data/one/file";
        let ran = f.shell(&["--writable", "/data/two", "--bind", &bind], script);
        assert!(ran.err.contains("Read-only file system"), "{ran:?}");
        f.shell(&["--writable", "/data/one", "--bind", &bind], script).prints("");
        fs::write(f.host("source/file"), "of the host\n").unwrap();
    });
}

#[test]
fn a_link_in_the_tree_leads_nowhere_else() {
    for_everyone(|f| {
        // The host has that directory, the tree does not.
        let outside = f.text("source");
        symlink(&outside, f.tree().join("data/link")).unwrap();
        let ran = f.run(&["--tmpfs", "/data/link/sub"], &["ls", "/data"]);
        assert!(!f.host("source/sub").exists(), "{ran:?}");
        symlink("../../../../..", f.tree().join("data/up")).unwrap();
        let up = format!("/data/up{outside}");
        let ran = f.run(&["--tmpfs", &up], &["ls", "/bin/sh"]);
        assert!(f.host("source/file").exists(), "{ran:?}");
        fs::remove_file(f.tree().join("data/link")).unwrap();
        fs::remove_file(f.tree().join("data/up")).unwrap();
    });
}

#[test]
fn proc_and_dev_are_those_of_the_sandbox() {
    for_everyone(|f| {
        let own = ["--processes", "isolated", "--proc", "/proc", "--dev", "/dev"];
        let ran = f.shell(&own, "ls -d /proc/[0-9]* | head -9; echo x > /dev/null; ls /dev");
        assert!(ran.out.starts_with("/proc/1\n"), "{ran:?}");
        assert!(ran.out.lines().filter(|line| line.starts_with("/proc/")).count() <= 5, "{ran:?}");
        for name in ["fd", "full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero"]
        {
            assert!(ran.out.lines().any(|line| line == name), "no {name} in {ran:?}");
        }
        assert_eq!(ran.err, "");
    });
}
