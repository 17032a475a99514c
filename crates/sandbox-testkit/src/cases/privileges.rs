//! Privileges: none are left, and none can be had.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use sandbox_core::{Feature, Filesystem, Input, Isolation, Mount, SandboxConfig, User};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{World, text};

pub(super) const CASES: &[Case] = &[
    Case::new("privileges/no-capabilities", &[], no_capabilities).control(some_on_host),
    Case::new(
        "privileges/no-capabilities-as-root-inside",
        &[Need::Has(Feature::UserRoot)],
        none_as_root,
    )
    .control(some_on_host),
    Case::new("privileges/no-new-privileges", &[], no_new_privileges).control(new_on_host),
    Case::new(
        "privileges/setuid-has-no-effect",
        &[Need::Has(Feature::UserIds), Need::Root],
        setuid,
    )
    .control(setuid_on_host),
    Case::new(
        "privileges/settings-of-the-host-are-read-only",
        &[Need::Has(Feature::MountsIsolated), Need::Root],
        host_settings,
    )
    .control(settings_on_host),
    Case::new("privileges/no-typing-into-terminal", &[], tiocsti).control(tiocsti_on_host),
    Case::new("privileges/only-three-descriptors", &[], descriptors).control(descriptors_on_host),
];

pub(super) const ROLES: &[Role] = &[Role { name: "terminal", run: terminal_role }];

const NONE: &str =
    "effective 000000000 permitted 000000000 inheritable 000000000 bounding 0 ambient 0";

fn no_capabilities(w: &World<'_>) -> Check {
    same("capabilities", w.says(w.probe("caps"))?, NONE)
}

fn none_as_root(w: &World<'_>) -> Check {
    same("capabilities", w.says(w.probe("caps").user(User::Root))?, NONE)
}

fn some_on_host(w: &World<'_>) -> Check {
    // A plain user has none in force either, but could get all of the bounding set.
    ensure!(w.host_says("caps")? != NONE, "the host gives none either");
    Ok(())
}

fn no_new_privileges(w: &World<'_>) -> Check {
    same("no_new_privs", w.says(w.probe("no-new-privs"))?, "1")
}

fn new_on_host(w: &World<'_>) -> Check {
    if w.host_says("no-new-privs")? == "1" {
        return Err(Failure::cannot_run("no_new_privs is set for the caller already"));
    }
    Ok(())
}

/// A copy of the probe that makes its user root.
fn setuid_probe(w: &World<'_>) -> Check {
    fs::copy(w.probe_path(), w.path("/work/setuid"))?;
    fs::set_permissions(w.path("/work/setuid"), Permissions::from_mode(0o4755))?;
    Ok(())
}

fn setuid(w: &World<'_>) -> Check {
    let config = w.probe("run /work/setuid ids").user(User::Ids { uid: 4321, gid: 4322 });
    same("ids", w.says(config)?, "4321 4321 4322 4322")
}

fn setuid_on_host(w: &World<'_>) -> Check {
    setuid_probe(w)?;
    let words = format!("with-ids 4321 4322 {} ids", w.path("/work/setuid").display());
    let said = w.host_says(&words)?;
    if said == "4321 4321 4322 4322" {
        let reason = "the temporary directory is mounted nosuid, or no_new_privs is set";
        return Err(Failure::cannot_run(reason));
    }
    same("ids", said, "4321 0 4322 4322")
}

fn tiocsti(w: &World<'_>) -> Check {
    w.play("on-terminal", "terminal")
}

/// A caller with a terminal, which the command gets as its standard input.
fn terminal_role(w: &World<'_>) -> Check {
    let said = w.says(w.probe("tiocsti").stdin(Input::Inherit))?;
    ensure!(said != "ok", "a character was typed into the caller's terminal");
    Ok(())
}

fn tiocsti_on_host(w: &World<'_>) -> Check {
    let words = format!("on-terminal {} tiocsti", w.probe_path().display());
    let said = text(&w.host(&words).output()?.stdout);
    if said.contains("ok") {
        return Ok(());
    }
    Err(Failure::cannot_run(format!("dev.tty.legacy_tiocsti is off: {}", said.trim())))
}

/// A file of the caller's that a child inherits.
fn inheritable(w: &World<'_>) -> Check<fs::File> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    let file = fs::File::open(w.outside().join("marker"))?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(file)
}

/// What user 0 owns it can write without any capability. They are opened only, not written to.
const SETTINGS: &str = "open /proc/sys/kernel/core_pattern , open /proc/sys/kernel/threads-max";

/// On the host's root, where they are already, and in a proc of the sandbox's own.
fn host_settings(w: &World<'_>) -> Check {
    let probe = w.probe_path().display().to_string();
    let words = std::iter::once(&*probe).chain(SETTINGS.split(' '));
    let config = SandboxConfig::builder(words).mounts(Isolation::Isolated);
    same("the host's root", w.says(config)?, "EROFS\nEROFS")?;
    let config = w.probe(SETTINGS).mount(Mount::new("/proc", Filesystem::Proc)?);
    same("a proc in a tree", w.says(config)?, "EROFS\nEROFS")
}

fn settings_on_host(w: &World<'_>) -> Check {
    same("on the host", w.host_says(SETTINGS)?, "ok\nok")
}

fn descriptors(w: &World<'_>) -> Check {
    let _file = inheritable(w)?;
    same("descriptors", w.says(w.probe("fds"))?, "0 1 2")
}

fn descriptors_on_host(w: &World<'_>) -> Check {
    let _file = inheritable(w)?;
    ensure!(w.host_says("fds")? != "0 1 2", "a plain child does not inherit it either");
    Ok(())
}
