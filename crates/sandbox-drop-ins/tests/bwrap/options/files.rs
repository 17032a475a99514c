//! The options that mount and make files.

use crate::fixture::Fixture;

fn source(f: &Fixture) -> String {
    f.text("source")
}

/// Whether a bound device works.
fn dev_null(f: &Fixture, option: &str) -> String {
    let script = "if (echo x > /tmp/null) 2>/dev/null; then echo works; else echo fails; fi";
    f.shell(&["--dev", "/dev", "--tmpfs", "/tmp", option, "/dev/null", "/tmp/null"], script).out
}

super::options! {
    "--bind" bind = |f| {
        f.shell(&["--bind", &source(f), "/data"], "echo y > /data/new; cat /data/file; rm /data/new")
            .prints("of the host\n");
        f.inside(&["--bind", "/nonexistent", "/data"], &["true"]).refused(&["/nonexistent"]);
        assert_eq!(dev_null(f, "--bind"), "fails\n");
    };
    "--bind-try" bind_try = |f| {
        f.inside(&["--bind-try", &source(f), "/data"], &["cat", "/data/file"]).prints("of the host\n");
        f.inside(&["--bind-try", "/nonexistent", "/new"], &["ls", "/"])
            .prints("bin\ndata\ndev\nproc\ntmp\n");
    };
    "--dev-bind" dev_bind = |f| {
        assert_eq!(dev_null(f, "--dev-bind"), "works\n");
        f.inside(&["--dev-bind", "/nonexistent", "/data"], &["true"]).refused(&["/nonexistent"]);
    };
    "--dev-bind-try" dev_bind_try = |f| {
        assert_eq!(dev_null(f, "--dev-bind-try"), "works\n");
        f.inside(&["--dev-bind-try", "/nonexistent", "/data"], &["true"]).prints("");
    };
    "--ro-bind" ro_bind = |f| {
        let write = f.shell(&["--ro-bind", &source(f), "/data"], "cat /data/file; echo > /data/new");
        assert_eq!((write.code, write.out.as_str()), (Some(1), "of the host\n"));
        assert!(write.err.contains("Read-only file system"), "{write:?}");
    };
    "--ro-bind-try" ro_bind_try = |f| {
        assert_eq!(f.shell(&["--ro-bind-try", &source(f), "/data"], "echo > /data/new").code, Some(1));
        f.inside(&["--ro-bind-try", "/nonexistent", "/data"], &["true"]).prints("");
    };
    "--bind-fd" bind_fd = |f| {
        f.redirected("9<source", &["--bind-fd", "9", "/data"], &["cat", "/data/file"])
            .prints("of the host\n");
        f.redirected("9<words", &["--bind-fd", "9", "/tmp/file"], &["cat", "/tmp/file"])
            .prints("some words\n");
        f.inside(&["--bind-fd", "9", "/data"], &["true"]).refused(&["9", "Bad file descriptor"]);
    };
    "--ro-bind-fd" ro_bind_fd = |f| {
        let write = f.redirected(
            "9<source",
            &["--ro-bind-fd", "9", "/data"],
            &["sh", "-c", "cat /data/file; echo > /data/new"],
        );
        assert_eq!((write.code, write.out.as_str()), (Some(1), "of the host\n"));
    };
    "--remount-ro" remount_ro = |f| {
        let options = ["--tmpfs", "/data", "--tmpfs", "/data/below", "--remount-ro", "/data"];
        let script = "touch /data/below/a && echo below; (touch /data/a) 2>&1 | grep -c Read-only";
        f.shell(&options, script).prints("below\n1\n");
        f.inside(&["--remount-ro", "/nonexistent"], &["true"]).refused(&["/nonexistent"]);
        let root = f.inside(&["--remount-ro", "/"], &["touch", "/new"]);
        assert_eq!(root.code, Some(1), "{root:?}");
    };
    "--overlay-src" overlay_src = |f| {
        // The last is the uppermost.
        let options = ["--overlay-src", &f.text("tree/bin"), "--overlay-src", &source(f), "--tmp-overlay", "/data"];
        f.shell(&options, "cat /data/file; ls /data/busybox").prints("of the host\n/data/busybox\n");
    };
    "--overlay" overlay = |f| {
        let [upper, work] = ["upper", "work"].map(|name| f.directory(name));
        let options = ["--overlay-src", &source(f), "--overlay", &upper, &work, "/data"];
        f.shell(&options, "echo new > /data/file; cat /data/file").prints("new\n");
        assert_eq!(std::fs::read_to_string(f.host("upper/file")).unwrap(), "new\n");
        assert_eq!(std::fs::read_to_string(f.host("source/file")).unwrap(), "of the host\n");
        // The kernel's own directory in there is closed, and empty.
        std::fs::remove_dir(f.host("work/work")).unwrap();
        for directory in [upper, work] {
            std::fs::remove_dir_all(directory).unwrap();
        }
    };
    "--tmp-overlay" tmp_overlay = |f| {
        let options = ["--overlay-src", &source(f), "--tmp-overlay", "/data"];
        f.shell(&options, "echo new > /data/file; echo x > /data/other; cat /data/file").prints("new\n");
        let unchanged = std::fs::read_to_string(f.host("source/file")).unwrap();
        assert_eq!(unchanged, "of the host\n");
        assert!(!f.host("source/other").exists());
    };
    "--ro-overlay" ro_overlay = |f| {
        let options = ["--overlay-src", &f.text("tree/bin"), "--overlay-src", &source(f), "--ro-overlay", "/data"];
        let write = f.shell(&options, "cat /data/file; ls /data/busybox; echo > /data/new");
        assert_eq!((write.code, write.out.as_str()), (Some(1), "of the host\n/data/busybox\n"));
        f.inside(&["--overlay-src", &source(f), "--ro-overlay", "/data"], &["true"])
            .refused(&["--ro-overlay needs at least two"]);
    };
    "--exec-label" exec_label = |f| {
        f.inside(&["--exec-label", "unconfined_u"], &["true"])
            .refused(&["--exec-label \"unconfined_u\"", "SELinux"]);
    };
    "--file-label" file_label = |f| {
        f.inside(&["--file-label", "unconfined_u"], &["true"])
            .refused(&["--file-label \"unconfined_u\"", "SELinux"]);
    };
    "--proc" proc = |f| {
        f.inside(&["--unshare-pid", "--proc", "/proc"], &["sh", "-c", "set -- /proc/[0-9]*; echo $#"])
            .prints("2\n");
        f.inside(&["--proc", "/proc"], &["cat", "/proc/sys/kernel/ostype"]).prints("Linux\n");
        f.inside(&[], &["ls", "/proc"]).prints("");
    };
    "--dev" dev = |f| {
        let nodes = "core\nfd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n";
        f.inside(&["--dev", "/dev"], &["ls", "/dev"]).prints(nodes);
        f.shell(&["--dev", "/dev"], "echo > /dev/null; head -c 2 /dev/zero | wc -c; touch /dev/shm/a")
            .prints("2\n");
    };
    "--tmpfs" tmpfs = |f| {
        f.shell(&["--tmpfs", "/data"], "touch /data/a; ls /data; stat -c %a /data").prints("a\n755\n");
        assert!(!f.host("tree/data/a").exists());
        f.inside(&["--tmpfs", "/bin/busybox"], &["true"]).refused(&["/bin/busybox", "Not a directory"]);
    };
    "--mqueue" mqueue = |f| {
        f.shell(&["--unshare-ipc", "--mqueue", "/data"], "touch /data/queue; ls /data").prints("queue\n");
    };
    "--dir" dir = |f| {
        f.shell(&["--tmpfs", "/data", "--dir", "data/a/b"], "stat -c %a /data/a /data/a/b").prints("755\n755\n");
        f.shell(&["--dir", "/tmp"], "ls -d /tmp").prints("/tmp\n");
        f.inside(&["--dir", "/bin/busybox"], &["true"]).refused(&["/bin/busybox"]);
        f.inside(&["--dir", "/bin/busybox/below"], &["true"]).refused(&["/bin/busybox/below"]);
    };
    "--file" file = |f| {
        let options = ["--tmpfs", "/data", "--file", "9", "/data/a/file"];
        f.redirected("9<words", &options, &["sh", "-c", "cat /data/a/file; stat -c %a /data/a/file"])
            .prints("some words\n666\n");
        f.redirected("9<words", &["--file", "9", "/data"], &["true"]).refused(&["/data"]);
        let twice = ["--tmpfs", "/data", "--file", "9", "/data/a", "--file", "9", "/data/b"];
        f.redirected("9<words", &twice, &["true"]).refused(&["--file 9: Bad file descriptor"]);
    };
    "--bind-data" bind_data = |f| {
        let script = "cat /tmp/file; stat -c %a /tmp/file; echo more > /tmp/file; cat /tmp/file";
        f.redirected("9<words", &["--bind-data", "9", "/tmp/file"], &["sh", "-c", script])
            .prints("some words\n600\nmore\n");
        f.inside(&["--bind-data", "9", "/tmp/file"], &["true"]).refused(&["--bind-data 9"]);
    };
    "--ro-bind-data" ro_bind_data = |f| {
        let script = "cat /tmp/file; (echo > /tmp/file) 2>&1 | grep -c Read-only";
        f.redirected("9<words", &["--ro-bind-data", "9", "/tmp/file"], &["sh", "-c", script])
            .prints("some words\n1\n");
    };
    "--symlink" symlink = |f| {
        let twice = ["--tmpfs", "/data", "--symlink", "../x", "/data/a/l", "--symlink", "../x", "/data/a/l"];
        f.inside(&twice, &["readlink", "/data/a/l"]).prints("../x\n");
        let other = ["--tmpfs", "/data", "--symlink", "a", "/data/l", "--symlink", "b", "/data/l"];
        f.inside(&other, &["true"]).refused(&["/data/l", "File exists"]);
    };
    "--perms" perms = |f| {
        let script = "stat -c %a /data /data/t /data/d /data/d/e /data/f /data/g";
        let options = [
            "--tmpfs", "/data", "--perms", "0700", "--tmpfs", "/data/t", "--perms", "0700", "--dir",
            "/data/d/e", "--perms", "0640", "--file", "9", "/data/f", "--perms", "0444",
            "--ro-bind-data", "8", "/data/g",
        ];
        f.redirected("9<words 8<words", &options, &["sh", "-c", script])
            .prints("755\n700\n700\n700\n640\n444\n");
    };
    "--size" size = |f| {
        let script = "stat -f -c %b /data; [ $(stat -f -c %b /tmp) -gt 16 ] && echo more";
        let options = ["--size", "65536", "--perms", "0700", "--tmpfs", "/data", "--tmpfs", "/tmp"];
        f.shell(&options, script).prints("16\nmore\n");
        f.inside(&["--size", "0", "--tmpfs", "/data"], &["true"]).refused(&["--size \"0\""]);
    };
    "--chmod" chmod = |f| {
        let options = ["--tmpfs", "/data", "--dir", "/data/a", "--chmod", "0711", "/data/a"];
        f.inside(&options, &["stat", "-c", "%a", "/data/a"]).prints("711\n");
        f.inside(&["--chmod", "0711", "/nonexistent"], &["true"]).refused(&["/nonexistent"]);
    };
}
