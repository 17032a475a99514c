//! What an app finds: its directory, devices, volumes and what earlier processes of it have left.

use std::fs;

use sandbox_image::app::{
    App, MountPoint, RootAccess, RootDirectory, RootSource, Rules, Volume, VolumeSource, prepare,
};
use sandbox_luc::InsidePath;
use sandbox_testkit::fixture::{BUSYBOX, skip};

use crate::run::{is_privileged, lifecycle, options, output, run, script, tree, words};

#[test]
fn the_processes_of_an_app_share_its_files_and_start_in_its_directory() {
    let Some(tree) = tree() else { return };
    let mut app = script("test -e before && test ! -e after && touch main && pwd");
    app.pre_start = Some(words(&["sh", "-c", "test ! -e before && touch before"]));
    app.post_stop = Some(words(&["sh", "-c", "test -e before && test -e main && touch after"]));
    app.working_directory = InsidePath::root().join("data");
    let done = lifecycle(&tree, &app, &options());
    for process in [done.pre_start.as_ref(), Some(&done.main), done.post_stop.as_ref()] {
        let said = run(process.unwrap());
        assert!(said.status.success(), "{said:?}");
        if process == Some(&done.main) {
            assert_eq!(said.out, "/data\n");
        }
    }
    let made = ["before", "main", "after"].map(|name| tree.inside("data").join(name));
    assert!(made.iter().all(|file| file.exists()));
    for file in made {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(tree.left().unwrap(), [""; 0]);
}

#[test]
fn what_the_specification_wants_is_there() {
    let Some(tree) = tree() else { return };
    let app = script(
        "cd /dev; for name in null zero full random urandom tty console; do \
         test -c $name || echo no $name; done; test -d pts && test -e ptmx && test -d shm || echo no; \
         test -e /proc/self/status || echo no proc; test -d /sys/kernel || echo no sys; \
         head -n 1 /etc/hosts; hostname; echo > console",
    );
    assert_eq!(output(&tree, &app, &options()), "127.0.0.1 localhost\napp\n");
    // The image's own is kept.
    fs::write(tree.inside("etc/hosts"), "of the image\n").unwrap();
    let app = script("cat /etc/hosts");
    assert_eq!(output(&tree, &app, &options()), "of the image\n");
    fs::remove_file(tree.inside("etc/hosts")).unwrap();
    // /sys was made for the time of the run only.
    assert_eq!(tree.left().unwrap(), [""; 0]);
}

#[test]
fn the_environment_is_exact() {
    let Some(tree) = tree() else { return };
    let mut app = App::new("app", words(&["env"]));
    app.environment.push(("B".to_owned(), "image".into()));
    let mut options = options();
    options.env.push(("A".into(), "caller".into()));
    let out = output(&tree, &app, &options);
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    let expected = [
        "A=caller",
        "AC_APP_NAME=app",
        "B=image",
        "HOME=/root",
        "LOGNAME=root",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SHELL=/bin/sh",
        "USER=root",
        "container=sandboxlib",
    ];
    assert_eq!(lines, expected);
}

fn point(name: &str, path: &str, read_only: bool) -> MountPoint {
    let path = InsidePath::absolute(path, "test").unwrap();
    MountPoint { name: name.to_owned(), path, read_only }
}

fn volume(name: &str, source: VolumeSource) -> Volume {
    Volume { name: name.to_owned(), source, read_only: false }
}

#[test]
fn volumes_are_mounts_and_read_only_where_either_says_so() {
    let Some(tree) = tree() else { return };
    for read_only in [false, true] {
        let mut app = script("grep -c ' /db/deep ' /proc/self/mountinfo; echo x > /db/deep/new");
        app.mount_points.push(point("database", "/db/deep", read_only));
        let mut options = options();
        let source = VolumeSource::HostPath(tree.host("source").canonicalize().unwrap());
        options.volumes.push(volume("database", source));
        let said = run(&lifecycle(&tree, &app, &options).main);
        assert_eq!(said.out, "1\n", "{said:?}");
        assert_eq!(said.status.success(), !read_only, "{said:?}");
        assert_eq!(tree.host("source/new").exists(), !read_only, "{said:?}");
        _ = fs::remove_file(tree.host("source/new"));
    }
}

#[test]
fn a_read_only_root_has_writable_volumes() {
    let Some(tree) = tree() else { return };
    let mut app = script(
        "touch /data/x 2> /dev/null && echo root; touch /keep/x && echo volume; \
         touch /dev/shm/x && echo shm; touch /etc/x 2> /dev/null && echo etc; true",
    );
    app.mount_points.push(point("keep", "/keep", false));
    let mut options = options();
    let empty = |name: &str| {
        let path = tree.host(&format!("empty-{name}"));
        fs::create_dir_all(&path).map(|()| path)
    };
    options.empty_volumes = &empty;
    options.volumes.push(volume("keep", VolumeSource::Empty));
    assert!(output(&tree, &app, &options).starts_with("root\nvolume\nshm\netc\n"));
    options.root_access = RootAccess::ReadOnly;
    assert_eq!(output(&tree, &app, &options), "volume\nshm\n");
    assert!(tree.host("empty-keep/x").exists());
}

#[test]
fn an_overlay_leaves_what_is_shared_as_it_is() {
    let Some(tree) = tree() else { return };
    for name in ["upper", "work"] {
        tree.directory(name).unwrap();
    }
    let mut app = script("pwd; touch /data/x; ls /data /srv; echo y > /srv/volume/y");
    app.working_directory = InsidePath::root().join("made").join("here");
    app.mount_points.push(point("volume", "/srv/volume", false));
    let mut options = options();
    options.rules = Rules::oci();
    let source = tree.host("source").canonicalize().unwrap();
    options.volumes.push(volume("volume", VolumeSource::HostPath(source)));
    let [lower, upper, work] = ["tree", "upper", "work"].map(|name| tree.host(name));
    for source in [
        RootSource::Overlay { lower: lower.clone(), upper, work },
        RootSource::TemporaryOverlay { lower },
    ] {
        let root = RootDirectory::open(source).unwrap();
        let said = run(&prepare(&app, &root, &options).unwrap().main);
        assert!(said.status.success(), "{said:?}");
        assert_eq!(said.out, "/made/here\n/data:\nx\n\n/srv:\nvolume\n");
        assert!(tree.host("source/y").exists());
        fs::remove_file(tree.host("source/y")).unwrap();
    }
    assert!(tree.host("upper/data/x").exists());
    assert!(!tree.inside("data/x").exists() && !tree.inside("made").exists());
    assert!(!tree.inside("srv").exists());
}

#[test]
fn devices_of_the_image_and_of_the_app_cannot_be_opened() {
    let Some(tree) = tree() else { return };
    if !is_privileged() {
        let reason = "as root: only root can make a device";
        return skip("sandbox-image", reason).unwrap();
    }
    let node = |at: std::path::PathBuf| {
        let words = ["mknod", at.to_str().unwrap(), "c", "1", "3"];
        std::process::Command::new(BUSYBOX).args(words).status().unwrap().success()
    };
    // A container around the tests may not let them.
    if !node(tree.inside("of-the-image")) || !node(tree.host("source/given")) {
        return skip("sandbox-image", "no device can be made here").unwrap();
    }
    let mut app = script(
        "busybox mknod /made c 1 3 && busybox mknod /volume/made c 1 3 && echo made; \
         for node in /dev/null /of-the-image /made /volume/given /volume/made; do \
         echo 2> /dev/null > $node && echo $node; done; true",
    );
    app.mount_points.push(point("volume", "/volume", false));
    let mut options = options();
    let source = VolumeSource::HostPath(tree.host("source").canonicalize().unwrap());
    options.volumes.push(volume("volume", source));
    assert_eq!(output(&tree, &app, &options), "made\n/dev/null\n");
    // The control: there is nothing else about them.
    assert!(fs::write(tree.inside("made"), "x").is_ok());
}
