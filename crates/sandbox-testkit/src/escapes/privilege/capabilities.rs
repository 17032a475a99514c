//! Capabilities, other users, and programs that would give them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use sandbox_core::{Feature, Mount, User};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::escapes::attack::{attack, is_refused, permitted, permitted_with_all, refused};
use crate::world::World;

/// A case in which the control has every capability in a user namespace.
macro_rules! kept {
    ($name:literal, $words:literal) => {
        Case::new($name, &[], |w| refused(w, $words, &[], &[]))
            .control(|w| permitted_with_all(w, $words))
    };
}

pub(in crate::escapes) const CASES: &[Case] = &[
    Case::new("escape-privilege/setuid-binary", OTHER_USER, setuid).control(setuid_on_host),
    Case::new("escape-privilege/setgid-binary", OTHER_USER, setgid).control(setgid_on_host),
    Case::new("escape-privilege/setuid-binary-of-a-bind", OTHER_USER_AND_BIND, setuid_bound)
        .control(setuid_on_host),
    Case::new("escape-privilege/file-capabilities", OTHER_USER, file_capabilities)
        .control(file_capabilities_on_host),
    attack!("escape-privilege/no-new-privs-off", "clear-no-new-privs", &[],
        permitted: &["ok"], refused: &[]),
    kept!("escape-privilege/capability-permitted", "cap-permitted"),
    kept!("escape-privilege/capability-inheritable", "cap-inheritable"),
    kept!("escape-privilege/capability-ambient", "cap-ambient"),
    kept!("escape-privilege/capability-bounding", "cap-bounding"),
    kept!("escape-privilege/securebits", "securebits"),
    attack!("escape-privilege/another-user", "become-user 4399", &[],
        permitted: &["ok"], refused: &["EINVAL"]),
    attack!("escape-privilege/another-group", "become-group 4399", &[],
        permitted: &["ok"], refused: &["EINVAL"]),
    attack!("escape-privilege/more-groups", "set-groups 4399", &[],
        permitted: &["ok"], refused: &["EINVAL"]),
    Case::new("escape-privilege/change-of-owner", &[], |w| {
        refused(w, "chown /etc/marker 4399", &[], &["EINVAL", "EROFS"])
    })
    .control(|w| {
        let path = w.path("/etc/marker");
        permitted(w, &format!("chown {} 4399", path.display()), &["ok"])?;
        Ok(chown(path, Some(0), None)?)
    }),
    Case::new("escape-privilege/files-of-others", &[], secret_file).control(secret_file_on_host),
];

const OTHER_USER: &[Need] = &[Need::Has(Feature::UserIds), Need::Root];
const OTHER_USER_AND_BIND: &[Need] =
    &[Need::Has(Feature::UserIds), Need::Has(Feature::MountBind), Need::Root];

const PROGRAM: &str = "/work/program";

/// A copy of the probe with some bits of its mode.
fn program(w: &World<'_>, mode: u32) -> Check<String> {
    let path = w.path(PROGRAM);
    fs::copy(w.probe_path(), &path)?;
    fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(path.display().to_string())
}

fn inside(w: &World<'_>, words: &str) -> Check<String> {
    w.says(w.probe(&format!("run {PROGRAM} {words}")).user(User::Ids { uid: 4321, gid: 4322 }))
}

/// The ids of another user, who runs that copy without a sandbox.
fn on_host(w: &World<'_>, mode: u32) -> Check<String> {
    let said = w.host_says(&format!("with-ids 4321 4322 {} ids", program(w, mode)?))?;
    if said == "4321 4321 4322 4322" {
        let reason = "the temporary directory is mounted nosuid, or no_new_privs is set";
        return Err(Failure::cannot_run(reason));
    }
    Ok(said)
}

fn setuid(w: &World<'_>) -> Check {
    same("ids", inside(w, "ids")?, "4321 4321 4322 4322")
}

fn setuid_on_host(w: &World<'_>) -> Check {
    same("ids", on_host(w, 0o4755)?, "4321 0 4322 4322")
}

fn setgid(w: &World<'_>) -> Check {
    same("ids", inside(w, "ids")?, "4321 4321 4322 4322")
}

fn setgid_on_host(w: &World<'_>) -> Check {
    same("ids", on_host(w, 0o2755)?, "4321 4321 4322 0")
}

fn setuid_bound(w: &World<'_>) -> Check {
    let config = w.probe("run /data/program ids").mount(Mount::bind(w.path("/work"), "/data")?);
    same("ids", w.says(config.user(User::Ids { uid: 4321, gid: 4322 }))?, "4321 4321 4322 4322")
}

const NONE: &str =
    "effective 000000000 permitted 000000000 inheritable 000000000 bounding 0 ambient 0";

fn file_capabilities(w: &World<'_>) -> Check {
    match &*inside(w, "caps")? {
        NONE => Ok(()),
        other => is_refused(other, &[]),
    }
}

fn file_capabilities_on_host(w: &World<'_>) -> Check {
    let path = program(w, 0o755)?;
    permitted(w, &format!("give-capabilities {path}"), &["ok"])?;
    let said = w.host_says(&format!("with-ids 4321 4322 {path} caps"))?;
    if said.starts_with("effective 000000000") {
        return Err(Failure::cannot_run("files give no capabilities here"));
    }
    Ok(())
}

/// A file that only its owner may read, who is nobody here.
fn secret_file(w: &World<'_>) -> Check {
    refused(w, "open-to-read /work/secret", &[], &[])
}

fn secret_file_on_host(w: &World<'_>) -> Check {
    let path = w.path("/work/secret");
    fs::write(&path, "secret")?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    if chown(&path, Some(4399), Some(4399)).is_err() {
        return Err(Failure::cannot_run("the caller cannot make a file of another user's"));
    }
    let said = w.host_says(&format!("open-to-read {}", path.display()))?;
    ensure!(said == "ok", "the caller cannot read it either: {said}");
    Ok(())
}
