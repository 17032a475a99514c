//! Bugs of the original in what it mounts where.

use std::fs;
use std::os::unix::fs::symlink;

use sandboxlib::{Config, Isolation};

use crate::fixture::{for_everyone, isolating, prints, refused, runs, text};

const READ_ONLY: &str = "Read-only file system";

#[test]
fn bug_12_mounts_are_made_in_order_each_time_they_are_listed() {
    for_everyone(|f| {
        for executor in f.executors() {
            let bind = || (f.host("source"), "/data/one", "", "bind");
            let tmpfs = |target| ("tmpfs", target, "tmpfs");
            let list = || f.config(["ls", "-A", "/data", "/data/one"]);
            // The same three, the later over the earlier.
            let config = list().extra_mount(tmpfs("/data")).extra_mount(bind());
            prints(executor, &config, "/data:\none\n\n/data/one:\nfile\n");
            let config = list().extra_mount(bind()).extra_mount(tmpfs("/data/one"));
            prints(executor, &config, "/data:\none\none2\n\n/data/one:\n");
            // One target twice, the original's fake tmpfs included.
            let config = list().extra_mount(tmpfs("/data/one")).extra_mount(bind());
            prints(executor, &config, "/data:\none\none2\n\n/data/one:\nfile\n");
            let config = list().extra_mount(tmpfs("/data/one")).extra_mount(tmpfs("/data/one"));
            prints(executor, &config, "/data:\none\none2\n\n/data/one:\n");
        }
    });
}

#[test]
fn bug_12_options_are_followed_and_unknown_ones_refused() {
    for_everyone(|f| {
        for executor in f.executors() {
            let touch = |options| {
                let bind = (f.host("source"), "/data/one", "", options);
                f.config(["touch", "/data/one/new"]).extra_mount(bind)
            };
            let finished = runs(executor, &touch("bind,ro"));
            assert!(finished.exit == 1 && text(finished.err.as_ref()).contains(READ_ONLY));
            prints(executor, &touch("bind"), "");
            fs::remove_file(f.host("source/new")).unwrap();
            refused(executor, &touch("bind,sync=7"), &["\"sync\""]);
            let noexec = ("tmpfs", "/tmp", "tmpfs", "noexec");
            let script = "cat /bin/busybox > /tmp/sh; /bin/busybox chmod +x /tmp/sh; /tmp/sh true";
            let finished = runs(executor, &f.shell(script).extra_mount(noexec));
            assert_eq!(finished.exit, 126);
        }
    });
}

#[test]
fn bug_12_a_writable_target_keeps_what_is_mounted_there() {
    for_everyone(|f| {
        fs::write(f.inside("data/one/of-the-tree"), "").unwrap();
        fs::write(f.inside("tmp/of-the-tree"), "").unwrap();
        for executor in isolating() {
            let config = f
                .shell("ls /data/one /tmp; touch /data/one/new /tmp/new")
                .extra_mount((f.host("source"), "/data/one", "", "bind"))
                .extra_mount(("tmpfs", "/tmp", "tmpfs"))
                .filesystem_writable_paths(["/data/one", "/tmp"]);
            prints(executor, &config, "/data/one:\nfile\n\n/tmp:\n");
            fs::remove_file(f.host("source/new")).unwrap();
            assert!(!f.inside("tmp/new").exists() && !f.inside("data/one/new").exists());
        }
        fs::remove_file(f.inside("data/one/of-the-tree")).unwrap();
        fs::remove_file(f.inside("tmp/of-the-tree")).unwrap();
    });
}

#[test]
fn bug_12_no_target_is_treated_by_its_name() {
    for_everyone(|f| {
        for executor in f.executors() {
            // What is bound on /dev is there, and nothing that was not asked for.
            let dev = (f.host("source"), "/dev", "", "bind");
            prints(executor, &f.config(["ls", "-A", "/dev"]).extra_mount(dev), "file\n");
            prints(executor, &f.config(["ls", "-A", "/dev", "/proc"]), "/dev:\n\n/proc:\n");
        }
    });
}

#[test]
fn bug_13_targets_stay_inside_the_root() {
    for_everyone(|f| {
        // To a directory of the host by its whole path, by dots, and to nothing.
        let secret = f.host("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("file"), "secret\n").unwrap();
        symlink(&secret, f.inside("absolute")).unwrap();
        symlink("../../../../../../../../data", f.inside("dots")).unwrap();
        symlink("/data/nowhere", f.inside("dangling")).unwrap();
        for executor in f.executors() {
            let over = |target: &str, script: &str| {
                f.shell(script).extra_mount((f.host("source"), target, "", "bind"))
            };
            prints(executor, &over("/dots/one", "cat /data/one/file"), "of the host\n");
            prints(executor, &over("/../../data/one", "cat /data/one/file"), "of the host\n");
            for target in ["/absolute", "/absolute/deep", "/dangling"] {
                // Made inside, or refused; in no case does it reach the host.
                let _ = executor.run_sandbox(&over(target, "touch /absolute/new /dangling/new"));
                let left: Vec<_> = fs::read_dir(&secret).unwrap().collect();
                assert_eq!(left.len(), 1, "{target}");
                assert_eq!(fs::read_to_string(secret.join("file")).unwrap(), "secret\n");
                let _ = fs::remove_file(f.host("source/new"));
            }
        }
        for link in ["absolute", "dots", "dangling"] {
            fs::remove_file(f.inside(link)).unwrap();
        }
        fs::remove_dir_all(secret).unwrap();
    });
}

#[test]
fn bug_13_what_is_made_for_a_mount_fits_it_and_goes_away() {
    for_everyone(|f| {
        for executor in f.executors() {
            // A file on a file, a directory on a directory; relative to the root, not to the caller.
            let config = f
                .shell("cat /data/made/file; ls -A data/deep/down; pwd")
                .extra_mount((f.host("source/file"), "data/made/file", "", "bind"))
                .extra_mount(("tmpfs", "data/deep/down", "tmpfs"));
            prints(executor, &config, "of the host\n/\n");
            assert!(!f.inside("data/made").exists() && !f.inside("data/deep").exists());
            // Also where it comes to nothing.
            let config = config.extra_mount((f.host("missing"), "/data/more", "", "bind"));
            refused(executor, &config, &["missing"]);
            assert!(!f.inside("data/made").exists() && !f.inside("data/deep").exists());
        }
    });
}

#[test]
fn bug_14_mounts_never_reach_the_host() {
    for_everyone(|f| {
        for executor in f.executors() {
            let nested = |script: &str| {
                f.shell(script)
                    .extra_mount(("tmpfs", "/data", "tmpfs"))
                    .extra_mount((f.host("source"), "/data/a", "", "bind"))
                    .extra_mount(("tmpfs", "/data/a/b", "tmpfs"))
                    .extra_mount(("proc", "/proc", "proc"))
                    .extra_mount(("", "/tmp", "", "remount,ro"))
            };
            fs::create_dir(f.host("source/b")).unwrap();
            // While it runs: the command sees its mounts, and the host does not.
            let child = executor.start(&nested("cat /proc/self/mountinfo; sleep 1000")).unwrap();
            f.check_mounts();
            // Killed in the middle, nothing is left over, and nothing is undone by walking into it.
            child.kill().unwrap();
            child.wait().unwrap();
            f.check_mounts();
            let inside = runs(executor, &nested("cat /proc/self/mountinfo"));
            let inside = text(inside.out.as_ref());
            assert!(inside.contains(" /data/a/b "), "{inside}");
            f.check_mounts();
            assert_eq!(fs::read_to_string(f.host("source/file")).unwrap(), "of the host\n");
            // Nor does the remount stay.
            fs::write(f.inside("tmp/new"), "").unwrap();
            fs::remove_file(f.inside("tmp/new")).unwrap();
            fs::remove_dir(f.host("source/b")).unwrap();
        }
    });
}

#[test]
fn bug_14_a_tree_that_is_removed_afterwards_takes_no_bind_along() {
    for_everyone(|f| {
        for executor in f.executors() {
            let tree = f.host("unpacked");
            fs::create_dir_all(tree.join("bin")).unwrap();
            // Nothing is opened for writing, which another test's child would hold open.
            fs::hard_link(f.inside("bin/busybox"), tree.join("bin/busybox")).unwrap();
            let config = Config::new(["/bin/busybox", "cat", "/mnt/file"])
                .filesystem_root(&tree)
                .mounts(Isolation::Isolated)
                .extra_mount((f.host("source"), "/mnt", "", "bind"));
            prints(executor, &config, "of the host\n");
            fs::remove_dir_all(&tree).unwrap();
            assert!(f.host("source/file").exists());
        }
    });
}
