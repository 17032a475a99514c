//! Promises about what the command sees: its directory, its root, mounts, and the network.

use std::fs;

use sandboxlib::{Config, Executor, Isolation, MountEntry, WritablePaths, validate_extra_mounts};

use crate::fixture::{BUSYBOX, for_everyone, isolating, prints, refused, runs, text};

const READ_ONLY: &str = "Read-only file system";

#[test]
fn row_cwd_is_inside_and_relative_to_the_root() {
    for_everyone(|f| {
        for executor in f.executors() {
            prints(executor, &f.config(["pwd"]).cwd("/data/one"), "/data/one\n");
            prints(executor, &f.config(["pwd"]).cwd("data/one"), "/data/one\n");
            let error = ["working directory", "/missing", "No such file"];
            refused(executor, &f.config(["pwd"]).cwd("/missing"), &error);
        }
    });
}

#[test]
fn row_cwd_default_is_the_root_or_the_callers() {
    for_everyone(|f| {
        for executor in f.executors() {
            prints(executor, &f.config(["pwd"]), "/\n");
            let here = std::env::current_dir().unwrap();
            let host = Config::new([BUSYBOX, "pwd"]);
            prints(executor, &host, &format!("{}\n", here.display()));
            prints(executor, &host.cwd("/tmp"), "/tmp\n");
        }
    });
}

#[test]
fn row_filesystem_root_default_is_the_hosts() {
    for_everyone(|f| {
        for executor in f.executors() {
            let file = f.host("source/file");
            let words = [BUSYBOX, "cat", file.to_str().unwrap()];
            prints(executor, &Config::new(words), "of the host\n");
            prints(executor, &Config::new(words).filesystem_root("/"), "of the host\n");
            // In another root it is not to be found.
            let finished = runs(executor, &Config::new(words).filesystem_root(f.tree()));
            assert_eq!(finished.exit, 1);
            assert!(text(finished.err.as_ref()).contains("No such file"));
        }
    });
}

#[test]
fn row_filesystem_writable_paths_all_some_or_none() {
    for_everyone(|f| {
        let script = "for dir in tmp data/one data; do touch /$dir/new && echo $dir; done";
        let clean = || {
            for dir in ["tmp", "data/one", "data"] {
                let _ = fs::remove_file(f.inside(dir).join("new"));
            }
        };
        for executor in isolating() {
            let written = |paths: WritablePaths| {
                let config = f.shell(script).filesystem_writable_paths(paths);
                let finished = runs(executor, &config);
                clean();
                let err = text(finished.err.as_ref());
                assert!(err.lines().all(|line| line.contains(READ_ONLY)), "{err}");
                text(finished.out.as_ref())
            };
            assert_eq!(written(WritablePaths::All), "tmp\ndata/one\ndata\n");
            assert_eq!(written(["/data/one"].into()), "data/one\n");
            assert_eq!(written(["data/one", "/tmp"].into()), "tmp\ndata/one\n");
            assert_eq!(written(WritablePaths::Nothing), "");
            assert_eq!(written(WritablePaths::Paths(Vec::new())), "");
        }
        if f.executors().contains(&Executor::Chroot) {
            runs(Executor::Chroot, &f.shell(script));
            assert!(f.inside("tmp/new").exists());
            clean();
        }
    });
}

#[test]
fn row_filesystem_writable_paths_come_after_extra_mounts() {
    for_everyone(|f| {
        for executor in isolating() {
            let config = f
                .shell("touch /data/one/new; touch /tmp/new && ls /tmp; touch /bin/new")
                .extra_mount((f.host("source"), "/data/one", "", "bind"))
                .extra_mount(("tmpfs", "/tmp", "tmpfs"))
                .filesystem_writable_paths(["/tmp"]);
            let finished = runs(executor, &config);
            assert_eq!(text(finished.out.as_ref()), "new\n");
            let err = text(finished.err.as_ref());
            assert_eq!(err.lines().filter(|line| line.contains(READ_ONLY)).count(), 2, "{err}");
        }
    });
}

/// The number of the namespace of a kind that a process on the host's root is in.
fn namespace(executor: Executor, kind: &str, config: impl Fn(Config) -> Config) -> String {
    let words = [BUSYBOX, "readlink", &format!("/proc/self/ns/{kind}")].map(str::to_owned);
    text(runs(executor, &config(Config::new(words))).out.as_ref())
}

fn hosts_namespace(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    format!("{}\n", link.display())
}

#[test]
fn row_mounts_are_isolated_where_asked_for() {
    for_everyone(|f| {
        for executor in f.executors() {
            assert_eq!(namespace(executor, "mnt", |config| config), hosts_namespace("mnt"));
            let isolated = |config: Config| config.mounts(Isolation::Isolated);
            assert_ne!(namespace(executor, "mnt", isolated), hosts_namespace("mnt"));
        }
    });
}

#[test]
fn row_network_isolated_is_only_loopback() {
    for_everyone(|f| {
        for executor in isolating() {
            assert_eq!(namespace(executor, "net", |config| config), hosts_namespace("net"));
            let isolated = |config: Config| config.network(Isolation::Isolated);
            assert_ne!(namespace(executor, "net", isolated), hosts_namespace("net"));

            let table = runs(executor, &isolated(Config::new([BUSYBOX, "cat", "/proc/net/dev"])));
            let table = text(table.out.as_ref());
            let names = table.lines().skip(2).map(|line| line.split(':').next().unwrap().trim());
            assert_eq!(names.collect::<Vec<_>>(), ["lo"]);
        }
        if f.executors().contains(&Executor::Chroot) {
            let config = f.config(["true"]).network(Isolation::Isolated);
            refused(Executor::Chroot, &config, &["network = isolated"]);
        }
    });
}

#[test]
fn row_extra_mounts_are_like_lines_of_fstab() {
    for_everyone(|f| {
        for executor in f.executors() {
            let config = f
                .shell("cat /data/made/file; ls -A /tmp; ls -d /proc/self; touch /data/one/x")
                .extra_mount((f.host("source"), "/data/made", "", "bind"))
                .extra_mount(("tmpfs", "/tmp", "tmpfs", "size=1m,mode=1777"))
                .extra_mount(("proc", "/proc", "proc"))
                .extra_mount(("", "/data/one", "", "remount,ro"));
            fs::write(f.inside("tmp/hidden"), "").unwrap();
            let finished = runs(executor, &config);
            assert_eq!(text(finished.out.as_ref()), "of the host\n/proc/self\n");
            let err = text(finished.err.as_ref());
            assert!(err.lines().count() == 1 && err.contains(READ_ONLY), "{err}");
            // The control, and that the target is gone again.
            let finished = runs(executor, &f.shell("ls /data/made; ls /tmp; touch /data/one/x"));
            assert_eq!(text(finished.out.as_ref()), "hidden\n");
            assert!(!f.inside("data/made").exists() && f.inside("data/one/x").exists());
            fs::remove_file(f.inside("data/one/x")).unwrap();
            fs::remove_file(f.inside("tmp/hidden")).unwrap();
        }
    });
}

#[test]
fn row_extra_mounts_are_validated() {
    for_everyone(|_| {
        let entry = |fields: (&str, &str, &str, &str)| MountEntry::from(fields);
        assert_eq!(
            MountEntry::from(("proc", "/proc", "proc")),
            entry(("proc", "/proc", "proc", ""))
        );
        let valid = [
            entry(("proc", "/proc", "proc", "")),
            entry(("tmpfs", "/dev/shm", "tmpfs", "")),
            entry(("/srv", "srv", "", "bind")),
            entry(("/srv", "/srv", "none", "rbind,ro")),
            entry(("", "/srv", "", "remount,ro")),
        ];
        let mounts = validate_extra_mounts(&valid).unwrap();
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.to_string()).collect();
        assert_eq!(targets, ["/proc", "/dev/shm", "/srv", "/srv", "/srv"]);
        for (fields, words) in [
            (("proc", "", "proc", ""), "mount target is empty"),
            (("proc", "/", "proc", ""), "is `/`"),
            (("x", "/x", "ext4", ""), "mount type \"ext4\" is not valid: types are proc, tmpfs"),
            (("/x", "/x", "", ""), "this type needs the option bind"),
            (("", "/x", "", "bind"), "source is empty"),
            (("", "/x", "", "remount"), "remount,ro"),
            (("tmpfs", "/x", "tmpfs", "colour=red"), "mount options \"colour\""),
            (("a\0b", "/x", "", "bind"), "NUL"),
        ] {
            let list = [entry(("proc", "/proc", "proc", "")), entry(fields)];
            let error = validate_extra_mounts(&list).unwrap_err();
            assert_eq!((error.index, &*error.entry), (1, &list[1]));
            let message = error.to_string();
            let place = format!("extra_mounts[1] {}: ", list[1]);
            assert!(message.starts_with(&place) && message.contains(words), "{message}");
        }
    });
}
