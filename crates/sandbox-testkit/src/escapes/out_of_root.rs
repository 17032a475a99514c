//! Out of the root: every known way from a tree to what lies beside it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sandbox_core::{Feature, Filesystem, Input, Isolation, Mount, SandboxConfigBuilder};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{World, said, text};

const PROC: &[Need] = &[Need::Has(Feature::MountProc)];
const MASKS: &[Need] = &[Need::Has(Feature::MountProc), Need::Root];
const OWN: &[Need] = &[Need::Has(Feature::MountsIsolated)];

/// The attacks of the probe's `break-out`, by number: a function pointer has no other way to carry one.
const WAYS: [&str; 16] = [
    "chroot-twice",
    "chroot-fd",
    "up",
    "proc-self-cwd",
    "proc-1-root",
    "proc-root",
    "proc-cwd",
    "proc-fd",
    "join-own",
    "join-1",
    "move-mount",
    "pivot",
    "uncover",
    "fchdir",
    "join-fd",
    "mount-over",
];

pub(super) const CASES: &[Case] = &[
    Case::new("escape-root/chroot-twice", &[], plain::<0>).control(in_plain_chroot::<0>),
    Case::new("escape-root/chroot-and-fchdir", &[], plain::<1>).control(in_plain_chroot::<1>),
    Case::new("escape-root/cwd-outside", &[], cwd_outside::<2>).control(with_cwd_outside::<2>),
    Case::new("escape-root/proc-self-cwd", PROC, cwd_outside::<3>).control(with_cwd_outside::<3>),
    Case::new("escape-root/proc-1-root", PROC, with_proc::<4>).control(in_bare_chroot::<4>),
    Case::new("escape-root/proc-any-root", PROC, with_proc::<5>).control(in_bare_chroot::<5>),
    Case::new("escape-root/proc-any-cwd", PROC, with_proc::<6>).control(in_bare_chroot::<6>),
    Case::new("escape-root/proc-any-fd", PROC, with_proc::<7>).control(in_bare_chroot::<7>),
    Case::new("escape-root/setns-own-mounts", PROC, with_proc::<8>).control(in_bare_chroot::<8>),
    Case::new("escape-root/setns-of-pid-1", PROC, with_proc::<9>).control(in_bare_chroot::<9>),
    Case::new("escape-root/move-mount-of-old-root", PROC, with_proc::<10>)
        .control(in_bare_chroot::<10>),
    Case::new("escape-root/pivot-again", PROC, with_proc::<11>).control(over_old_root::<11>),
    Case::new("escape-root/umount-of-root", PROC, with_proc::<12>).control(over_old_root::<12>),
    Case::new("escape-root/fchdir-to-inherited", &[], with_inherited::<13>)
        .control(inherited_in_chroot::<13>),
    Case::new("escape-root/setns-to-inherited", &[], with_inherited::<14>)
        .control(inherited_in_chroot::<14>),
    Case::new("escape-root/mount-over-root", PROC, with_proc::<15>).control(in_bare_chroot::<15>),
    Case::new("escape-root/mount-over-masks", MASKS, masks).control(no_masks),
    Case::new("escape-root/open-by-handle", &[], by_handle).control(by_handle_in_chroot),
    Case::new("escape-root/moved-directory", OWN, moved).control(moved_in_chroot),
];

fn marker(w: &World<'_>) -> PathBuf {
    w.outside().join("marker")
}

/// Everything that the backend can isolate here: less is tried by no attacker.
fn isolated(w: &World<'_>, mut config: SandboxConfigBuilder) -> Check<SandboxConfigBuilder> {
    let can = w.backend.capabilities(sandbox_sys::probe()?);
    let has = |feature| can.support(feature).is_yes();
    if has(Feature::MountsIsolated) {
        config = config.mounts(Isolation::Isolated);
    }
    if has(Feature::ProcessesIsolated) {
        config = config.processes(Isolation::Isolated);
    }
    Ok(config)
}

fn proc(config: SandboxConfigBuilder) -> Check<SandboxConfigBuilder> {
    Ok(config.mount(Mount::new("/proc", Filesystem::Proc)?))
}

/// With what the command has, and with what it can get in a user namespace of its own.
fn tried(
    w: &World<'_>,
    way: &str,
    dress: impl Fn(SandboxConfigBuilder) -> Check<SandboxConfigBuilder>,
) -> Check {
    for rights in ["plain", "nested"] {
        let config = w.probe(&format!("break-out {rights} {way} {}", marker(w).display()));
        let said = w.says(dress(config)?)?;
        ensure!(said.starts_with("held: "), "{rights}: {said}");
    }
    Ok(())
}

fn plain<const N: usize>(w: &World<'_>) -> Check {
    tried(w, WAYS[N], Ok)?;
    tried(w, WAYS[N], |config| isolated(w, config))
}

fn with_proc<const N: usize>(w: &World<'_>) -> Check {
    tried(w, WAYS[N], |config| proc(isolated(w, config)?))
}

/// The caller's directory is outside, as it is nearly always.
fn cwd_outside<const N: usize>(w: &World<'_>) -> Check {
    std::env::set_current_dir(w.outside())?;
    if N == 2 { plain::<N>(w) } else { with_proc::<N>(w) }
}

/// The attack through a wrapper that gives the tree for a root and holds nothing back.
fn succeeds(w: &World<'_>, wrapper: &str, way: &str) -> Check {
    let (tree, marker) = (w.tree(), marker(w));
    let (tree, marker) = (tree.display(), marker.display());
    let words = format!("{wrapper} {tree} /bin/probe break-out plain {way} {marker}");
    let output = w.host(&words).current_dir(w.outside()).output()?;
    if !output.status.success() {
        let why = text(&output.stderr);
        return Err(Failure::cannot_run(format!("no {wrapper} for this caller: {why}")));
    }
    let said = text(&output.stdout);
    if said.contains("Function not implemented") {
        return Err(Failure::cannot_run("this kernel has no such call"));
    }
    same(wrapper, said, "escaped")
}

fn in_plain_chroot<const N: usize>(w: &World<'_>) -> Check {
    succeeds(w, "in-chroot", WAYS[N])
}

fn in_bare_chroot<const N: usize>(w: &World<'_>) -> Check {
    succeeds(w, "bare-chroot", WAYS[N])
}

fn with_cwd_outside<const N: usize>(w: &World<'_>) -> Check {
    succeeds(w, "bare-chroot-cwd", WAYS[N])
}

fn over_old_root<const N: usize>(w: &World<'_>) -> Check {
    succeeds(w, if N == 11 { "old-root" } else { "over-root" }, WAYS[N])
}

/// The caller's directory, or its mounts, by a descriptor that every child inherits.
fn inherited<const N: usize>(w: &World<'_>) -> Check<File> {
    let path = if N == 13 { w.outside() } else { PathBuf::from("/proc/self/ns/mnt") };
    let file = File::open(path)?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(file)
}

fn with_inherited<const N: usize>(w: &World<'_>) -> Check {
    let _file = inherited::<N>(w)?;
    plain::<N>(w)
}

fn inherited_in_chroot<const N: usize>(w: &World<'_>) -> Check {
    let _file = inherited::<N>(w)?;
    let tried = succeeds(w, "in-chroot", WAYS[N]);
    if N == 14 && matches!(tried, Err(Failure::Wrong(_))) {
        return Err(Failure::cannot_run("only the host's root joins its mounts"));
    }
    tried
}

/// A proc without the parts that are covered, over the one that has them.
fn masks(w: &World<'_>) -> Check {
    let words = "fresh-proc /work/sub";
    let tmpfs = Filesystem::Tmpfs { size: None, mode: None };
    let with = [
        ("all isolated", proc(isolated(w, w.probe(words))?)?),
        ("with a proc", proc(w.probe(words))?),
        ("without one", w.probe(words)),
        ("with another mount", w.probe(words).mount(Mount::new("/tmp", tmpfs)?)),
    ];
    for (what, config) in with {
        let said = w.says(config)?;
        ensure!(said != "escaped", "{what}: the host's settings can be written");
    }
    Ok(())
}

fn no_masks(w: &World<'_>) -> Check {
    match w.host_says(&format!("fresh-proc {}", w.path("/work/sub").display()))?.as_str() {
        "escaped" => Ok(()),
        other => Err(Failure::cannot_run(format!("no proc of its own: {other}"))),
    }
}

/// As if it had guessed the number.
fn handle(w: &World<'_>) -> Check<String> {
    let handle = w.host_says(&format!("handle {}", marker(w).display()))?;
    if handle.starts_with('E') || handle.starts_with("errno") {
        return Err(Failure::cannot_run(format!("the file system gives no handles: {handle}")));
    }
    Ok(handle)
}

fn by_handle(w: &World<'_>) -> Check {
    let handle = handle(w)?;
    for rights in ["plain", "nested"] {
        let said = w.says(isolated(w, w.probe(&format!("by-handle {rights} {handle}")))?)?;
        ensure!(said.starts_with("held: "), "{rights}: {said}");
    }
    Ok(())
}

fn by_handle_in_chroot(w: &World<'_>) -> Check {
    let words =
        format!("in-chroot {} /bin/probe by-handle plain {}", w.tree().display(), handle(w)?);
    let output = w.host(&words).output()?;
    match text(&output.stdout).as_str() {
        "escaped" => Ok(()),
        other => Err(Failure::cannot_run(format!("only root opens by a handle: {other}"))),
    }
}

/// Somebody outside moves the directory in which the command stands out of the tree.
fn moved(w: &World<'_>) -> Check {
    let words = format!("moved /work/sub {}", marker(w).display());
    let config = isolated(w, w.probe(&words))?.stdin(Input::Piped);
    let mut child = w.start(config)?;
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::wrong("no standard input"))?;
    move_out(w)?;
    stdin.write_all(b"\n")?;
    drop(stdin);
    let said = said(&child.wait()?)?;
    std::fs::rename(w.shared().join("moved"), w.path("/work/sub"))?;
    ensure!(said.contains("held: "), "{said}");
    Ok(())
}

/// The command needs a moment to get there; it does not matter if it gets more.
fn move_out(w: &World<'_>) -> Check {
    std::thread::sleep(std::time::Duration::from_millis(200));
    Ok(std::fs::rename(w.path("/work/sub"), w.shared().join("moved"))?)
}

fn moved_in_chroot(w: &World<'_>) -> Check {
    let (tree, marker) = (w.tree(), marker(w));
    let (tree, marker) = (tree.display(), marker.display());
    let words = format!("in-chroot {tree} /bin/probe moved /work/sub {marker}");
    let mut command = w.host(&words);
    let (pipe, out) = (std::process::Stdio::piped(), std::process::Stdio::piped());
    let mut child = command.stdin(pipe).stdout(out).spawn()?;
    move_out(w)?;
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::wrong("no standard input"))?;
    // Where there is no chroot, nobody reads.
    let _ = stdin.write_all(b"\n");
    drop(stdin);
    let output = child.wait_with_output()?;
    std::fs::rename(w.shared().join("moved"), w.path("/work/sub"))?;
    if !output.status.success() {
        return Err(Failure::cannot_run("no chroot without a privilege or a user namespace"));
    }
    same("in a plain chroot", text(&output.stdout), "standing\nescaped")
}
