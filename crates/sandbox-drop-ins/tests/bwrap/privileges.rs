//! A copy that is set-user-ID root gives nobody anything.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use crate::fixture::{Fixture, Ran, Who, for_everyone, skip};

#[test]
fn a_set_user_id_copy_is_its_callers() {
    for_everyone(|f: &Fixture| {
        let copy = f.host("privileged");
        fs::copy(f.host("bwrap"), &copy).unwrap();
        if f.who == Who::Root || chown(&copy, Some(0), Some(0)).is_err() {
            return fs::remove_file(&copy).unwrap();
        }
        fs::set_permissions(&copy, Permissions::from_mode(0o6755)).unwrap();
        let run = |program: &str| {
            let options = ["--bind", "/", "/", "--proc", "/proc", "--unshare-pid"];
            let script = "id; grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status; cat /etc/shadow";
            let mut command = f.program(program, "");
            Ran::of(command.args(options).args(["/bin/sh", "-c", script]))
        };
        let plain = run(&f.text("bwrap"));
        if plain.code == Some(0) {
            skip("everybody can read /etc/shadow here");
        }
        assert!(plain.out.contains("CapEff:\t0000000000000000"), "{plain:?}");
        assert_eq!(run(&f.text("privileged")), plain);
        fs::remove_file(&copy).unwrap();
    });
}
