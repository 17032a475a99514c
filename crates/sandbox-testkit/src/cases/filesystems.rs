//! New file systems: tmpfs, proc, sysfs, overlay.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sandbox_core::{Feature, Filesystem, Isolation, Mount, OverlayUpper, Recursion};

use super::mounts::tmpfs;
use crate::case::{Case, Need};
use crate::check::{Check, ensure, same};
use crate::world::World;

const TMPFS: &[Need] = &[Need::Has(Feature::MountTmpfs)];
const OVERLAY: &[Need] = &[Need::Has(Feature::MountOverlay)];

pub(super) const CASES: &[Case] = &[
    Case::new("tmpfs/empty-and-gone-afterwards", TMPFS, fresh).control(kept),
    Case::new("tmpfs/size", TMPFS, size).control(no_size),
    Case::new("tmpfs/mode", TMPFS, mode),
    Case::new("proc/shows-the-command", &[Need::Has(Feature::MountProc)], proc),
    Case::new(
        "sysfs/read-only-and-own-network",
        &[Need::Has(Feature::MountSysfs), Need::Has(Feature::NetworkIsolated)],
        sysfs,
    ),
    Case::new(
        "sysfs/on-the-hosts-network",
        &[Need::Has(Feature::MountSysfs), Need::Has(Feature::NetworkUndefined)],
        host_sysfs,
    ),
    Case::new("overlay/merges-read-only", OVERLAY, merges),
    Case::new("overlay/changes-go-to-the-upper", OVERLAY, upper),
    Case::new("overlay/layer-missing", OVERLAY, layer_missing),
    Case::new(
        "overlay/comma-and-colon-in-path",
        &[Need::Has(Feature::MountOverlay), Need::Has(Feature::MountBind)],
        odd_path,
    ),
];

fn fresh(w: &World<'_>) -> Check {
    let config = w.probe("ls /data , write /data/new , ls /data");
    same("inside", w.says(config.mount(Mount::new("/data", tmpfs())?))?, "\nok\nnew")?;
    ensure!(!w.path("/data/new").exists(), "what was written is in the tree");
    Ok(())
}

fn kept(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe("ls /data , write /data/new"))?, "1\nok")?;
    ensure!(w.path("/data/new").exists(), "what was written is not in the tree");
    fs::remove_file(w.path("/data/new"))?;
    Ok(())
}

const FILL: &str = "fill /data/a 1000000 , fill /data/b 1000000";

fn size(w: &World<'_>) -> Check {
    let small = Filesystem::Tmpfs { size: Some(1 << 20), mode: None };
    let config = w.probe(&format!("capacity /data , {FILL}")).mount(Mount::new("/data", small)?);
    same("inside", w.says(config)?, format!("{}\nok\nENOSPC", 1 << 20))
}

fn no_size(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe(FILL).mount(Mount::new("/data", tmpfs())?))?, "ok\nok")
}

fn mode(w: &World<'_>) -> Check {
    for (mode, expected) in [(None, "755"), (Some(0o1777), "1777"), (Some(0o700), "700")] {
        let filesystem = Filesystem::Tmpfs { size: None, mode };
        let config =
            w.probe("stat /data , write /data/new").mount(Mount::new("/data", filesystem)?);
        let said = w.says(config)?;
        ensure!(said.starts_with(&format!("dir {expected} ")), "mode {expected}: {said}");
        ensure!(said.ends_with("\nok"), "its own user cannot write: {said}");
    }
    Ok(())
}

fn proc(w: &World<'_>) -> Check {
    let config = w.probe("readlink /proc/self/exe , exists /proc/sys/kernel/ostype");
    let said = w.says(config.mount(Mount::new("/proc", Filesystem::Proc)?))?;
    same("inside", said, "/bin/probe\nok")
}

fn sysfs(w: &World<'_>) -> Check {
    let config = w.probe("ls /sys/class/net , write /sys/new , flags /sys");
    let config = config.network(Isolation::Isolated);
    let said = w.says(config.mount(Mount::new("/sys", Filesystem::Sysfs)?))?;
    ensure!(said.starts_with("lo\n"), "network devices: {said}");
    let flags = said.lines().nth(2).unwrap_or_default();
    ensure!(flags.starts_with("ro"), "flags of /sys: {flags}");
    Ok(())
}

fn host_sysfs(w: &World<'_>) -> Check {
    let config = w.probe("exists /sys/kernel , flags /sys");
    let said = w.says(config.mount(Mount::new("/sys", Filesystem::Sysfs)?))?;
    ensure!(said.starts_with("ok\nro"), "inside: {said}");
    Ok(())
}

fn layer(w: &World<'_>, name: &str, files: &[&str]) -> Check<PathBuf> {
    let dir = w.shared().join(name);
    fs::create_dir(&dir)?;
    for file in files {
        fs::write(dir.join(file), format!("{name}\n"))?;
    }
    Ok(dir)
}

fn merges(w: &World<'_>) -> Check {
    let lower = vec![layer(w, "first", &["a", "b"])?, layer(w, "second", &["b", "c"])?];
    let overlay = Mount::new("/data", Filesystem::Overlay { lower, upper: None })?;
    let config = w.probe("ls /data , read /data/b , read /data/c , write /data/new").mount(overlay);
    same("inside", w.says(config)?, "a b c\nfirst\nsecond\nEROFS")
}

fn upper(w: &World<'_>) -> Check {
    let lower = vec![layer(w, "lower", &["a", "b"])?];
    let (upper, work) = (layer(w, "upper", &[])?, layer(w, "workdir", &[])?);
    let overlay =
        Filesystem::Overlay { lower, upper: Some(OverlayUpper { upper: upper.clone(), work }) };
    let config = w.probe("write /data/a , unlink /data/b , write /data/new , ls /data");
    same("inside", w.says(config.mount(Mount::new("/data", overlay)?))?, "ok\nok\nok\na new")?;
    same("the lower", fs::read_to_string(w.shared().join("lower/a"))?, "lower\n")?;
    same("the upper", fs::read_to_string(upper.join("a"))?, "lower\nx")?;
    ensure!(w.shared().join("lower/b").exists(), "the lower directory was changed");
    // The kernel keeps its own directory there, closed to its owner.
    fs::set_permissions(w.shared().join("workdir/work"), Permissions::from_mode(0o700))?;
    Ok(())
}

fn layer_missing(w: &World<'_>) -> Check {
    let lower = vec![w.shared(), w.shared().join("absent")];
    let overlay = Mount::new("/data", Filesystem::Overlay { lower, upper: None })?;
    w.refuses_naming(w.probe("exit 0").mount(overlay), &["shared/absent", "/data"])
}

/// The kernel's overlay options are separated by these; a bind has no such trouble.
fn odd_path(w: &World<'_>) -> Check {
    let lower = vec![layer(w, "a,b:c\\d", &["odd"])?, layer(w, "plain", &[])?];
    let overlay = Filesystem::Overlay { lower: lower.clone(), upper: None };
    let config = w.probe("ls /data").mount(Mount::new("/data", overlay)?);
    same("overlay", w.says(config)?, "odd")?;
    let bind = Filesystem::Bind { source: lower[0].clone(), recursion: Recursion::Recursive };
    same("bind", w.says(w.probe("ls /data").mount(Mount::new("/data", bind)?))?, "odd")
}
