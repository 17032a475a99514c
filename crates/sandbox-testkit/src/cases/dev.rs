//! The minimal /dev.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::libc::{major, minor};
use sandbox_core::{Feature, Filesystem, Input, Mount, Output, SandboxConfigBuilder, User};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const DEV: &[Need] = &[Need::Has(Feature::MountDev)];

pub(super) const CASES: &[Case] = &[
    Case::new("dev/nodes-do-their-work", DEV, nodes).control(no_nodes),
    Case::new("dev/nothing-else", DEV, nothing_else).control(host_has_more),
    Case::new("dev/links", DEV, links),
    Case::new("dev/terminals", DEV, terminals).control(no_terminals),
    Case::new("dev/console-is-the-terminal", DEV, console).control(hosts_console),
    Case::new("dev/console-without-a-terminal", DEV, no_terminal),
    Case::new("dev/no-console-where-none-is-wanted", DEV, no_console),
    Case::new("dev/shm", DEV, shm),
    Case::new("dev/writable-where-all-is", DEV, writable),
    Case::new(
        "dev/read-only-tree",
        &[Need::Has(Feature::MountDev), Need::Has(Feature::WritableNothing)],
        read_only,
    ),
    Case::new("dev/no-new-nodes", &[], no_new_nodes),
    Case::new(
        "dev/as-root-inside",
        &[Need::Has(Feature::MountDev), Need::Has(Feature::UserRoot)],
        as_root,
    ),
];

pub(super) const ROLES: &[Role] = &[Role { name: "console", run: console_role }];

fn with_dev(w: &World<'_>, words: &str) -> Check<SandboxConfigBuilder> {
    Ok(w.probe(words).mount(Mount::new("/dev", Filesystem::Dev)?))
}

const WORKING: &str = "null ok\nzero ok\nfull ok\nrandom ok\nurandom ok\ntty ok";

fn nodes(w: &World<'_>) -> Check {
    same("inside", w.says(with_dev(w, "devices")?)?, WORKING)
}

fn no_nodes(w: &World<'_>) -> Check {
    let said = w.says(w.probe("devices"))?;
    ensure!(!said.contains("ok"), "there are devices without a /dev: {said}");
    Ok(())
}

fn nothing_else(w: &World<'_>) -> Check {
    let said = w.says(with_dev(w, "ls /dev")?)?;
    let wanted =
        "console fd full null ptmx pts random shm stderr stdin stdout tty urandom zero".split(' ');
    let found: Vec<_> = said.split(' ').filter(|name| *name != "core").collect();
    same("inside", found, wanted.collect::<Vec<_>>())
}

fn host_has_more(w: &World<'_>) -> Check {
    let count = w.host_says("ls /dev")?.split(' ').count();
    if count > 16 { Ok(()) } else { Err(Failure::cannot_run("the host's own /dev is minimal")) }
}

fn links(w: &World<'_>) -> Check {
    let words = "readlink /dev/fd , readlink /dev/stdin , readlink /dev/stdout , \
                 readlink /dev/stderr";
    let expected = "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2";
    same("inside", w.says(with_dev(w, words)?)?, expected)
}

fn terminals(w: &World<'_>) -> Check {
    // An instance of its own: the first terminal in it has the number 0, whatever the host has open.
    same("inside", w.says(with_dev(w, "pty , ls /dev/pts")?)?, "ok\n0 ptmx")
}

fn no_terminals(w: &World<'_>) -> Check {
    same("without a /dev", w.says(w.probe("pty"))?, "ENOENT")
}

fn console(w: &World<'_>) -> Check {
    w.play("on-terminal", "console")
}

fn device_of(descriptor: i32) -> Check<String> {
    let node = fs::metadata(format!("/proc/self/fd/{descriptor}"))?.rdev();
    Ok(format!("{}:{}", major(node), minor(node)))
}

/// A caller with a terminal, of which the command gets one stream, or none. The console is not what the
/// session has, but what the command has.
fn console_role(w: &World<'_>) -> Check {
    let dev = || with_dev(w, "device /dev/console");
    let terminal = device_of(0)?;
    same("standard input", w.says(dev()?.stdin(Input::Inherit))?, &*terminal)?;
    same("standard error", w.says(dev()?.stderr(Output::Inherit))?, &*terminal)?;
    same("neither", w.says(dev()?)?, NULL)?;
    let config = with_dev(w, "write /dev/console , device /dev/console")?.read_only();
    if w.backend.capabilities(sandbox_sys::probe()?).supports(Feature::WritableNothing) {
        same("read-only", w.says(config.stdin(Input::Inherit))?, format!("ok\n{terminal}"))?;
    }
    Ok(())
}

/// `/dev/null`
const NULL: &str = "1:3";

fn no_terminal(w: &World<'_>) -> Check {
    same("inside", w.says(with_dev(w, "device /dev/console , write /dev/console")?)?, "1:3\nok")
}

/// What must not be seen: the host has another one.
fn hosts_console(w: &World<'_>) -> Check {
    match &*w.host_says("device /dev/console")? {
        NULL | "ENOENT" => Err(Failure::cannot_run("the host has no console")),
        _ => Ok(()),
    }
}

fn no_console(w: &World<'_>) -> Check {
    let config = w.probe("exists /dev/console , devices");
    let config = config.mount(Mount::new("/dev", Filesystem::DevWithoutConsole)?);
    same("inside", w.says(config)?, format!("ENOENT\n{WORKING}"))
}

fn shm(w: &World<'_>) -> Check {
    let said = w.says(with_dev(w, "stat /dev/shm , ls /dev/shm , write /dev/shm/new")?)?;
    ensure!(said.starts_with("dir 1777 "), "inside: {said}");
    ensure!(said.ends_with("\n\nok"), "inside: {said}");
    ensure!(!std::path::Path::new("/dev/shm/new").exists(), "it is the host's");
    Ok(())
}

fn writable(w: &World<'_>) -> Check {
    same("inside", w.says(with_dev(w, "write /dev/new")?)?, "ok")?;
    ensure!(!w.path("/dev/new").exists(), "what was written is in the tree");
    Ok(())
}

/// Devices take input where files cannot be made.
fn read_only(w: &World<'_>) -> Check {
    let config = with_dev(w, "write /dev/new , write /dev/null , devices , pty")?.read_only();
    same("inside", w.says(config)?, format!("EROFS\nok\n{WORKING}\nok"))
}

fn no_new_nodes(w: &World<'_>) -> Check {
    same("mknod", w.says(w.probe("mknod /work/node"))?, "EPERM")
}

fn as_root(w: &World<'_>) -> Check {
    let words = "devices , pty , mknod /dev/node , exists /dev/kmsg";
    let said = w.says(with_dev(w, words)?.user(User::Root))?;
    same("inside", said, format!("{WORKING}\nok\nEPERM\nENOENT"))
}
