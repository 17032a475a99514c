//! The engine on Linux, as root: a small tree, without namespaces.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use sandbox_core::{
    BackendName, CaptureLimit, Captured, CommandLine, Environment, InsidePath, Missing,
    NewFilesystem, Output, Plan, Policy, Recursion, SandboxConfig, Session, Status, Step,
    negotiate,
};
use tempfile::TempDir;

use super::mounts::Mounts;
use super::process::Process;
use super::program::Mounting;
use super::{assume, probe, spawn};
use crate::end::End;
use crate::error::SpawnError;
use crate::set_up::SetUp;
use crate::streams::{Collector, Flow, Streams};

const BUSYBOX: &str = "/bin/busybox";

/// A tree with a shell, or nothing where there is none or the caller is not root.
fn tree() -> Option<TempDir> {
    if !geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        skip(&format!("needs root, and {BUSYBOX} (Debian: busybox-static)"));
        return None;
    }
    let tree = tempfile::tempdir().unwrap();
    for name in ["bin", "dev", "data"] {
        fs::create_dir(tree.path().join(name)).unwrap();
    }
    // By another process: a child that another test forks meanwhile would hold the file open for
    // writing, and it could not be executed (ETXTBSY).
    let copied = std::process::Command::new("cp")
        .args([Path::new(BUSYBOX), &tree.path().join("bin/busybox")])
        .status();
    assert!(copied.unwrap().success());
    for name in ["sh", "cat", "ls", "id", "sleep", "head"] {
        symlink("busybox", tree.path().join("bin").join(name)).unwrap();
    }
    Some(tree)
}

/// Says by name and reason what cannot run here, past the test harness, which would swallow it; in the
/// file that `cargo xtask test` makes its summary from, too.
fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("sandbox-sys {test}: {reason}\n");
    std::io::stderr().write_all(format!("skipped: {line}").as_bytes()).unwrap();
    if let Some(file) = std::env::var_os("SANDBOX_TEST_SKIPS") {
        let file = fs::OpenOptions::new().append(true).create(true).open(file);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

fn inside(path: &str) -> InsidePath {
    InsidePath::absolute(path, "test").unwrap()
}

/// A plan of the chroot backend's shape.
fn plan(tree: &Path, script: &str, steps: impl IntoIterator<Item = Step>) -> Plan {
    let config = SandboxConfig::builder(["sh", "-c", script]).build().unwrap();
    let all = sandbox_core::Capabilities::none(BackendName::new("test"))
        .with(sandbox_core::Feature::ALL, &sandbox_core::Support::Yes);
    let mut plan = Plan::new(&negotiate(&config, &all, &Policy::Require).unwrap());
    plan.steps.push(Step::RootDirectory(tree.to_owned()));
    plan.steps.extend(steps);
    plan.steps.push(Step::Chroot);
    plan.steps.push(Step::ChangeDirectory(InsidePath::root()));
    plan.exec.env = Environment::exactly([("PATH", "/bin")]);
    plan.exec.stdout = Output::Capture(CaptureLimit::Unlimited);
    plan.exec.stderr = Output::ToStdout;
    plan.exec.session = Session::New;
    plan
}

fn finish(mut process: Process, collector: Option<Collector>) -> (Status, Captured) {
    let mut collector = collector.unwrap();
    while collector.read().unwrap() == Flow::Open {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let End { status, .. } = process.end().unwrap();
    (status, collector.into_captured())
}

fn run(plan: &Plan) -> Result<(Status, Vec<u8>), SpawnError> {
    let mut streams = Streams::open(&plan.exec)?;
    let process = spawn(plan, &streams, &mut SetUp::unwatched(&mut |_| Ok(())))?;
    streams.command = [None, None, None];
    let (status, captured) = finish(process, streams.stdout.take());
    Ok((status, captured.bytes))
}

fn says(plan: &Plan) -> String {
    let (status, bytes) = run(plan).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(status, Status::Exited(0), "{text}");
    text
}

#[test]
fn the_command_sees_the_tree_alone() {
    let Some(tree) = tree() else { return };
    assert_eq!(says(&plan(tree.path(), "ls /; pwd", [])), "bin\ndata\ndev\n/\n");
}

#[test]
fn how_the_command_ended_is_known() {
    let Some(tree) = tree() else { return };
    let status = |script| run(&plan(tree.path(), script, [])).unwrap().0;
    assert_eq!(status("exit 42"), Status::Exited(42));
    assert_eq!(status("kill -TERM $$"), Status::Signaled(libc::SIGTERM));
}

#[test]
fn a_failed_step_is_named() {
    let Some(tree) = tree() else { return };
    let mut plan = plan(tree.path(), "true", []);
    plan.steps.push(Step::ChangeDirectory(inside("/absent")));
    match run(&plan) {
        Err(SpawnError::Step { step, source, .. }) => {
            assert_eq!(*step, Step::ChangeDirectory(inside("/absent")));
            assert_eq!(source.raw_os_error(), Some(libc::ENOENT));
        }
        other => panic!("{other:?}"),
    }
    plan.exec.command = CommandLine::new(["/bin/absent"]).unwrap();
    plan.steps.pop();
    assert!(
        matches!(run(&plan), Err(SpawnError::Exec { program, .. }) if program == "/bin/absent")
    );
    plan.steps.push(Step::PivotRoot);
    assert!(matches!(run(&plan), Err(SpawnError::NotHere { .. })));
}

#[test]
fn ids_are_given_up() {
    let Some(tree) = tree() else { return };
    let steps = [Step::Chroot, Step::SetIds { uid: 1234, gid: 5678, groups: Vec::new() }];
    let mut plan = plan(tree.path(), "id -u; id -g; id -G", []);
    plan.steps.splice(1..2, steps);
    assert_eq!(says(&plan), "1234\n5678\n5678\n");
}

#[test]
fn much_output_is_captured() {
    let Some(tree) = tree() else { return };
    let (status, bytes) =
        run(&plan(tree.path(), "head -c 10000000 /bin/busybox /bin/busybox", [])).unwrap();
    assert_eq!(status, Status::Exited(0));
    assert!(bytes.len() as u64 >= 2 * fs::metadata(BUSYBOX).unwrap().len());
}

#[test]
fn dropping_it_ends_the_group() {
    let Some(tree) = tree() else { return };
    let plan = plan(tree.path(), "sleep 1000 & sleep 1000", []);
    let mut streams = Streams::open(&plan.exec).unwrap();
    let process = spawn(&plan, &streams, &mut SetUp::unwatched(&mut |_| Ok(()))).unwrap();
    streams.command = [None, None, None];
    drop(process);
    // Both hold the pipe: its end means that both are gone.
    let mut collector = streams.stdout.take().unwrap();
    for _ in 0..5000 {
        if collector.read().unwrap() == Flow::Ended {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("something of the sandbox is left");
}

/// mount(8) mounts in the namespace of this thread alone.
fn in_a_mount_namespace(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use nix::mount::{MsFlags, mount};
            use nix::sched::{CloneFlags, unshare};
            // A thread's own working directory and root come first: mount namespaces need that.
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
            let (private, none) = (MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
            mount(none, "/", none, private, none).unwrap();
            test();
        });
    });
}

#[test]
fn mount_points_can_be_entered_whatever_the_umask() {
    let Some(tree) = tree() else { return };
    in_a_mount_namespace(|| {
        // The thread's own: its file system attributes are not shared.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
        let steps = [Step::MakeDirectory(inside("/data/new/deep"))];
        let text = says(&plan(tree.path(), "ls -ld /data/new", steps));
        assert!(text.starts_with("drwxr-xr-x"), "{text}");
    });
}

#[test]
fn unmounting_is_not_led_elsewhere() {
    let Some(tree) = tree() else { return };
    let (source, victim) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let victims = victim.path().join("deep");
    fs::create_dir(&victims).unwrap();
    let flags = nix::mount::MsFlags::empty();
    in_a_mount_namespace(|| {
        nix::mount::mount(None::<&str>, &victims, Some("tmpfs"), flags, None::<&str>).unwrap();
        let target = inside("/data/new/deep");
        let steps = [
            Step::MakeTarget {
                target: target.clone(),
                like: source.path().to_owned(),
                missing: Missing::Fails,
            },
            Step::Bind {
                source: source.path().to_owned(),
                target,
                recursion: Recursion::Single,
                flags: Vec::new(),
                missing: Missing::Fails,
            },
        ];
        let to = victim.path().display();
        let script = format!("busybox mv /data/new /data/old; busybox ln -s {to} /data/new");
        let plan = plan(tree.path(), &script, steps);
        let mut streams = Streams::open(&plan.exec).unwrap();
        let mut process = spawn(&plan, &streams, &mut SetUp::unwatched(&mut |_| Ok(()))).unwrap();
        streams.command = [None, None, None];
        let error = process.end().unwrap_err().to_string();
        assert!(error.contains("is still mounted"), "{error}");
        assert_eq!(mounts_below(victim.path()), 1);
        assert_eq!(mounts_below(tree.path()), 1);
        nix::mount::umount(&tree.path().join("data/old/deep")).unwrap();
    });
}

fn mounts_below(tree: &Path) -> usize {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(tree.to_str().unwrap())).count()
}

#[test]
fn mounts_are_made_and_undone() {
    let Some(tree) = tree() else { return };
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("file"), "of the host\n").unwrap();
    in_a_mount_namespace(|| {
        let target = inside("/data/new/deep");
        let tmp = inside("/data/tmp");
        let filesystem = NewFilesystem::Tmpfs { size: Some(1 << 20), mode: 0o700 };
        let steps = [
            Step::MakeTarget {
                target: target.clone(),
                like: source.path().to_owned(),
                missing: Missing::Fails,
            },
            Step::Bind {
                source: source.path().to_owned(),
                target,
                recursion: Recursion::Single,
                flags: Vec::new(),
                missing: Missing::Fails,
            },
            Step::MakeDirectory(tmp.clone()),
            Step::Mount { filesystem, target: tmp, flags: Vec::new() },
        ];
        let text =
            says(&plan(tree.path(), "cat /data/new/deep/file; ls -ld /data/tmp", steps.clone()));
        assert!(text.starts_with("of the host\ndrwx------"), "{text}");
        assert_eq!(mounts_below(tree.path()), 0);
        // Also where a later step fails.
        let mut failing = plan(tree.path(), "true", steps);
        failing.steps.push(Step::ChangeDirectory(inside("/absent")));
        assert!(run(&failing).is_err());
        assert_eq!(mounts_below(tree.path()), 0);
        assert_eq!(fs::read_dir(tree.path().join("data")).unwrap().count(), 0);
    });
}

#[test]
fn links_in_targets_are_refused() {
    let Some(tree) = tree() else { return };
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), tree.path().join("out")).unwrap();
    for target in ["out", "out/new"] {
        let mut mounts = Mounts::below(tree.path().to_owned());
        let error = mounts.carry_out(&Mounting::MakeDirectory(PathBuf::from(target))).unwrap_err();
        assert!(error.to_string().contains("out"), "{error}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn the_host_is_known() {
    assert_eq!(probe().unwrap(), assume());
}
