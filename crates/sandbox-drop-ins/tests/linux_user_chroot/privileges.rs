//! Who PROGRAM is, and what it may do.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use crate::fixture::{
    Fixture, PLAIN_USER, Ran, Who, closed_directory, copy, for_everyone, skip, with_help_of_root,
};

/// A line of /proc/self/status inside.
fn status(f: &Fixture, name: &str) -> String {
    let ran = f.run(&["--mount-proc", "/proc"], &["cat", "/proc/self/status"]);
    let line = ran.out.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {ran:?}"))
        .trim_start_matches([':', '\t'])
        .to_owned()
}

#[test]
fn the_callers_ids() {
    for_everyone(|f| {
        let id = f.as_user(&["id", "-u"]);
        let outside = Ran::of(&mut { id });
        for options in [&[][..], &["--unshare-pid"], &["--unshare-ipc", "--unshare-net"]] {
            f.run(options, &["id", "-u"]).prints(&outside.out);
        }
        let group = Ran::of(&mut f.as_user(&["id", "-g"]));
        f.run(&[], &["id", "-g"]).prints(&group.out);
        let file = "touch /tmp/new; stat -c %u:%g /tmp/new; rm /tmp/new";
        let owner = format!("{}:{}\n", outside.out.trim(), group.out.trim());
        f.shell(&[], file).prints(&owner);
    });
}

#[test]
fn a_plain_user_has_no_capabilities_and_root_those_of_a_build() {
    for_everyone(|f| {
        // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID, SYS_CHROOT, SETFCAP
        let kept = if f.who == Who::Root { 0x0000_0000_8004_00fb_u64 } else { 0 };
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status(f, set), format!("{kept:016x}"), "{set}");
        }
    });
}

#[test]
fn root_can_install_and_cannot_mount_or_make_devices() {
    with_help_of_root(Who::Root, |f| {
        let install = "touch /tmp/x && busybox chown 1:2 /tmp/x && stat -c %u:%g /tmp/x; rm /tmp/x";
        f.shell(&[], install).prints("1:2\n");
        f.run(&[], &["busybox", "chroot", "/", "echo", "in"]).prints("in\n");
        let mount = ["busybox", "mount", "-t", "tmpfs", "none", "/tmp"];
        f.run(&[], &mount).refused_inside("denied");
        let device = ["busybox", "mknod", "/tmp/sda", "b", "8", "0"];
        f.run(&[], &device).refused_inside("Operation not permitted");
    });
}

#[test]
fn no_program_gives_privileges() {
    for_everyone(|f| assert_eq!(status(f, "NoNewPrivs"), "1"));
}

/// A set-user-ID copy of a program in a directory of the fixture, or nothing where such bits have no
/// effect; a control shows which.
fn privileged(f: &mut Fixture, program: &str, name: &str) -> Option<String> {
    let path = f.host(name);
    copy(program, &path);
    chown(&path, Some(0), Some(0)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4755)).unwrap();
    let id = f.host(&format!("{name}-control"));
    copy("/usr/bin/id", &id);
    chown(&id, Some(0), Some(0)).unwrap();
    fs::set_permissions(&id, Permissions::from_mode(0o4755)).unwrap();
    f.seal();
    let works = Ran::of(&mut f.as_user(&[&f.text(&format!("{name}-control")), "-u"])).out == "0\n";
    if !works {
        skip("set-user-ID bits have no effect where temporary files are");
    }
    works.then(|| f.text(name))
}

#[test]
fn a_setuid_program_inside_stays_the_callers() {
    with_help_of_root(Who::Plain, |f| {
        let Some(id) = privileged(f, "/usr/bin/id", "id") else { return };
        f.with(&["/", &id, "-u"]).prints(&format!("{PLAIN_USER}\n"));
    });
}

#[test]
fn set_user_id_root_it_gives_up_what_it_got() {
    with_help_of_root(Who::Plain, |f| {
        let program = env!("CARGO_BIN_EXE_linux-user-chroot");
        let Some(program) = privileged(f, program, "setuid") else { return };
        let tree = f.text("tree");
        let run = |words: &[&str]| Ran::of(&mut f.as_user(&[&[&*program], words].concat()));
        run(&[&tree, "id", "-u"]).prints(&format!("{PLAIN_USER}\n"));
        let mount = ["--unshare-pid", "--mount-proc", "/proc", "--mount-devapi", "/dev", &tree];
        let capabilities = ["busybox", "grep", "CapEff", "/proc/self/status"];
        run(&[&mount[..], &capabilities].concat()).prints("CapEff:\t0000000000000000\n");
        // What root only may read stays closed.
        let closed = closed_directory();
        let closed = closed.path().to_str().unwrap();
        let bind = ["--mount-bind", closed, "/data", &tree, "ls", "/data"];
        run(&bind).fails("Couldn't open bind mount source");
        run(&[closed, "true"]).fails("chdir: Permission denied");
    });
}

/// The C program makes such a caller's group the number of its user. A plain user has no way to that.
#[test]
fn a_caller_of_group_0_stays_in_it() {
    with_help_of_root(Who::Plain, |f| {
        let id = PLAIN_USER.to_string();
        let (program, tree) = (f.text("linux-user-chroot"), f.text("tree"));
        let words = ["setpriv", "--reuid", &id, "--regid", "0", "--clear-groups", &program, &tree];
        let mut command = std::process::Command::new(words[0]);
        Ran::of(command.args(&words[1..]).args(["id", "-g"])).prints("0\n");
    });
}
