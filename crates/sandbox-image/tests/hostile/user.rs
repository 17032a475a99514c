//! The same as a user who may neither give files away nor make devices.

use std::process::Command;

use sandbox_testkit::fixture::{SKIPPED, skip};

use super::fixture::{Place, Tar, is_root};

#[test]
fn what_a_user_loses_is_reported() {
    if is_root() {
        return skip("hostile", "a user is wanted; see as_a_plain_user").unwrap();
    }
    let place = Place::new();
    let device = |header: &mut tar::Header| {
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
    };
    let read_only = |header: &mut tar::Header| header.set_mode(0o555);
    let others = |header: &mut tar::Header| header.set_uid(7);
    let tar = Tar::default()
        .with(b'5', "d", read_only)
        .file("d/a", "x")
        .with(b'3', "null", device)
        .pax(b'x', &[("SCHILY.xattr.security.capability", b"x")])
        .file("capable", "x")
        .with(b'0', "other", others);
    let options = sandbox_image::unpack::Options::for_layers();
    // The second layer puts something into the directory that is read-only by the first.
    let report =
        place.layers(&[&tar.end(), &Tar::default().file("d/b", "x").end()], options).unwrap();
    assert_eq!(report.owners.examples, [b"other".to_vec()]);
    assert_eq!(report.devices.examples, [b"null".to_vec()]);
    let (name, errno) = report.xattrs.keys().next().unwrap();
    assert_eq!(name, b"security.capability");
    assert!(*errno != 0);
    assert_eq!(place.names(), ["capable", "d/", "d/a", "d/b", "other"]);
    // So that it can be removed.
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(place.target.join("d"), all).unwrap();
}

/// Runs all of this file's neighbours as a plain user.
#[test]
fn as_a_plain_user() {
    if !is_root() {
        return skip("hostile", "another user is wanted: root").unwrap();
    }
    // The program itself may be where a user gets to no file.
    let directory = tempfile::TempDir::new().unwrap();
    let program = directory.path().join("hostile");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let open = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open()).unwrap();
    std::fs::set_permissions(&program, open()).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "54321", "--regid", "54321", "--clear-groups"])
        .arg(&program)
        .args(["--test-threads", "2", "entries::", "kept::", "layers::", "links::", "user::"])
        .current_dir("/")
        // That file is root's.
        .env_remove("SANDBOX_TEST_SKIPS")
        .output();
    let Ok(output) = output else { return skip("hostile", "no setpriv").unwrap() };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("user::what_a_user_loses_is_reported ... ok"), "{text}");
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        if let Some(skipped) = line.strip_prefix(SKIPPED) {
            skip("as a user:", skipped).unwrap();
        }
    }
}
