//! The sandboxes of an app, as plain data.

use std::fs;
use std::os::unix::fs::symlink;

use sandbox_core::Capability;

use super::*;
use crate::app::Rules;

fn root() -> (tempfile::TempDir, RootSource) {
    let directory = tempfile::tempdir().unwrap();
    for name in ["etc", "opt/app", "lower"] {
        fs::create_dir_all(directory.path().join("root").join(name)).unwrap();
    }
    let source = RootSource::Directory(directory.path().join("root"));
    fs::write(source.unpacked().join("file"), "").unwrap();
    fs::write(source.unpacked().join("etc/passwd"), "web:x:33:34::/srv:/bin/sh\n").unwrap();
    symlink("/opt", source.unpacked().join("link")).unwrap();
    (directory, source)
}

fn app() -> App {
    App::new("app", vec!["/bin/app".into(), "x".into()])
}

fn prepared(source: &RootSource, app: &App, options: &Options<'_>) -> Result<Lifecycle, String> {
    let root = RootDirectory::open(source.clone()).unwrap();
    prepare(app, &root, options).map_err(|error| error.to_string())
}

fn path(text: &str) -> InsidePath {
    InsidePath::absolute(text, "test").unwrap()
}

#[test]
fn an_app_is_isolated_in_its_own_files() {
    let (_directory, source) = root();
    let mut app = app();
    app.pre_start = Some(vec!["/before".into()]);
    let done = prepared(&source, &app, &Options::new(Rules::app_container())).unwrap();
    let main = &done.main;
    assert_eq!(main.root, Root::Directory(source.unpacked().to_owned()));
    let all = [main.network, main.processes, main.ipc, main.mounts, main.uts, main.cgroup];
    assert_eq!(all, [Isolation::Isolated; 6]);
    assert_eq!(main.user, User::Root);
    assert_eq!(main.hostname.as_ref().unwrap().as_str(), "app");
    assert!(matches!(&main.capabilities, KeptCapabilities::Only(kept) if kept.len() == 14));
    assert_eq!(main.cwd, Some(InsidePath::root()));
    let mounts: Vec<_> = main.extra_mounts.iter().map(ToString::to_string).collect();
    let expected =
        ["proc on /proc", "sysfs on /sys", "a minimal /dev on /dev", "48 bytes on /etc/hosts"];
    assert_eq!(mounts, expected);
    let mut before = done.pre_start.unwrap();
    assert_eq!(before.command.words(), ["/before"]);
    (before.command, before.stdin) = (main.command.clone(), Input::Inherit);
    assert_eq!(&before, main);
    assert!(done.post_stop.is_none() && done.warnings.is_empty());
}

#[test]
fn the_images_hosts_are_never_covered() {
    let (_directory, source) = root();
    symlink("/nowhere", source.unpacked().join("etc/hosts")).unwrap();
    let done = prepared(&source, &app(), &Options::new(Rules::oci())).unwrap();
    assert_eq!(done.main.extra_mounts.len(), 3);
}

#[test]
fn a_command_of_the_callers_takes_the_place_of_the_images() {
    let (_directory, source) = root();
    let mut options = Options::new(Rules::app_container());
    options.command = Some(vec!["sh".into()]);
    let words = |app: &App, options: &Options<'_>| {
        prepared(&source, app, options).map(|done| done.main.command.words().to_vec())
    };
    assert_eq!(words(&app(), &options).unwrap(), ["sh"]);
    assert_eq!(words(&App::new("app", Vec::new()), &options).unwrap(), ["sh"]);
    options.command = None;
    assert_eq!(words(&app(), &options).unwrap(), ["/bin/app", "x"]);
    let error = words(&App::new("app", Vec::new()), &options).unwrap_err();
    assert_eq!(error, "exec of app: the image names no command: give one");
    let mut app = app();
    app.post_stop = Some(Vec::new());
    assert!(words(&app, &options).unwrap_err().starts_with("post-stop of app: "));
}

#[test]
fn the_working_directory() {
    for (at, rules, expected) in [
        ("/opt/app", Rules::app_container(), Ok(())),
        ("/link/app", Rules::app_container(), Ok(())),
        // The kernel's, whatever the image has.
        ("/proc/1", Rules::app_container(), Ok(())),
        (
            "/gone",
            Rules::app_container(),
            Err("workingDirectory /gone is not in the image: make it, or give another one"),
        ),
        (
            "/file",
            Rules::oci(),
            Err("workingDirectory /file is no directory in the image: give another one"),
        ),
        ("/file/x", Rules::oci(), Err("workingDirectory /file/x is no directory in the image")),
        ("/link/new/deep", Rules::oci(), Ok(())),
    ] {
        let (_directory, source) = root();
        let mut app = app();
        app.working_directory = path(at);
        match (prepared(&source, &app, &Options::new(rules)), expected) {
            (Ok(done), Ok(())) => assert_eq!(done.main.cwd, Some(path(at))),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (other, _) => panic!("{at}: {other:?}"),
        }
        let made = source.unpacked().join("opt/new/deep").is_dir();
        assert_eq!(made, at == "/link/new/deep");
    }
}

#[test]
fn users_and_what_is_told_of_them() {
    let (_directory, source) = root();
    let mut app = app();
    app.user = "web".to_owned();
    app.supplementary_gids = vec![5, 6];
    let mut options = Options::new(Rules::app_container());
    let done = prepared(&source, &app, &options).unwrap();
    assert_eq!(done.main.user, User::Ids { uid: 33, gid: 34 });
    assert_eq!(done.main.capabilities, KeptCapabilities::Nothing);
    assert_eq!(done.main.groups, [0; 0]);
    let not_given = Warning::GroupsNotGiven { groups: vec![5, 6] };
    assert_eq!(done.warnings, [Warning::OneUser { uid: 33 }, not_given]);
    options.standing = Standing::Privileged;
    let done = prepared(&source, &app, &options).unwrap();
    assert_eq!((done.warnings, done.main.groups), (Vec::new(), vec![5, 6]));
    options.rules.capabilities = [Capability::SYS_RESOURCE].into();
    app.user = "0".to_owned();
    app.group = Some("7".to_owned());
    let main = prepared(&source, &app, &options).unwrap().main;
    assert_eq!(main.user, User::Ids { uid: 0, gid: 7 });
    assert_eq!(main.capabilities, KeptCapabilities::Only([Capability::SYS_RESOURCE].into()));
    let retain = ["CAP_KILL", "CAP_SYS_ADMIN"].map(str::to_owned);
    app.isolators.push(crate::app::Isolator::CapabilitiesRetain(retain.into()));
    let warnings = prepared(&source, &app, &options).unwrap().warnings;
    let capabilities = vec!["CAP_SYS_ADMIN".to_owned()];
    assert_eq!(warnings, [Warning::PowerOverHost { capabilities }]);
    options.standing = Standing::Unprivileged;
    app.supplementary_gids.clear();
    assert_eq!(prepared(&source, &app, &options).unwrap().warnings, []);
}

#[test]
fn shared_files_have_an_overlay() {
    let (directory, own) = root();
    let lower = own.unpacked().to_owned();
    let [upper, work] = ["upper", "work"].map(|name| directory.path().join(name));
    let kept =
        RootSource::Overlay { lower: lower.clone(), upper: upper.clone(), work: work.clone() };
    let mut app = app();
    app.post_stop = Some(vec!["/after".into()]);
    app.working_directory = path("/link/new");
    let done = prepared(&kept, &app, &Options::new(Rules::oci())).unwrap();
    assert_eq!(done.main.root, Root::Empty);
    let upper = Some(OverlayUpper { upper, work });
    let overlay = Filesystem::Overlay { lower: vec![lower.clone()], upper };
    let expected = Mount::new("/", overlay).unwrap();
    let expected = expected.with(MountFlag::NoDev).with(MountFlag::NoSuid);
    assert_eq!(done.main.extra_mounts[0], expected);
    let last = done.main.extra_mounts.last().unwrap();
    assert_eq!(last.to_string(), "directory on /opt/new");
    assert!(!lower.join("opt/new").exists());

    let temporary = RootSource::TemporaryOverlay { lower };
    let error = prepared(&temporary, &app, &Options::new(Rules::oci())).unwrap_err();
    assert!(error.starts_with("post-stop of app needs files that last"), "{error}");
    app.post_stop = None;
    let done = prepared(&temporary, &app, &Options::new(Rules::oci())).unwrap();
    assert!(done.main.extra_mounts[0].to_string().starts_with("temporary overlay on /"));
}

#[cfg(target_os = "linux")]
#[test]
fn with_privilege_there_are_no_devices_but_those_of_the_sandbox() {
    let (_directory, source) = root();
    let mut options = Options::new(Rules::oci());
    options.standing = Standing::Privileged;
    let main = prepared(&source, &app(), &options).unwrap().main;
    let expected = Mount::bind(source.unpacked(), "/").unwrap();
    let expected = expected.with(MountFlag::NoDev).with(MountFlag::NoSuid);
    assert_eq!((main.root, &main.extra_mounts[0]), (Root::Empty, &expected));
}

#[test]
fn a_read_only_root_leaves_the_sandboxs_own_and_volumes() {
    let (directory, source) = root();
    let mut app = app();
    let mut options = Options::new(Rules::app_container());
    options.root_access = RootAccess::ReadOnly;
    for (name, read_only) in [("data", false), ("conf", true)] {
        app.mount_points.push(crate::app::MountPoint {
            name: name.to_owned(),
            path: InsidePath::root().join(name),
            read_only,
        });
        let source = directory.path().canonicalize().unwrap();
        let source = crate::app::VolumeSource::HostPath(source);
        options.volumes.push(crate::app::Volume {
            name: name.to_owned(),
            source,
            read_only: false,
        });
    }
    let main = prepared(&source, &app, &options).unwrap().main;
    assert_eq!(main.writable, Writable::Only(["/proc", "/dev", "/data"].map(path).into()));
}

#[test]
fn host_names_are_made_valid() {
    for (name, expected) in [
        ("app", "app"),
        ("example.com/app~1", "example.com-app-1"),
        ("", "sandbox"),
        ("é", "-"),
        (&"x".repeat(99), &"x".repeat(64)),
    ] {
        assert_eq!(hostname(name).unwrap().as_str(), expected);
    }
}

#[test]
fn what_no_sandbox_can_have_is_named() {
    let (_directory, source) = root();
    let mut app = app();
    app.environment.push(("A=B".to_owned(), "x".into()));
    let error = prepared(&source, &app, &Options::new(Rules::oci())).unwrap_err();
    assert!(error.starts_with("env \"A=B\" is not valid"), "{error}");
}
