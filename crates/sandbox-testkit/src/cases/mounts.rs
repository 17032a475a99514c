//! The list of extra mounts, its order, and what the command itself may mount.

use sandbox_core::{Feature, Filesystem, Isolation, Mount, MountFlag};

use crate::case::{Case, Need};
use crate::check::{Check, ensure, same};
use crate::world::World;

const BIND_AND_TMPFS: &[Need] = &[Need::Has(Feature::MountBind), Need::Has(Feature::MountTmpfs)];

pub(super) const CASES: &[Case] = &[
    Case::new("mounts/undefined", &[Need::Has(Feature::MountsUndefined)], undefined),
    Case::new(
        "mounts/isolated",
        &[Need::Has(Feature::MountsIsolated), Need::Has(Feature::MountProc)],
        isolated,
    )
    .control(shared_on_host),
    Case::new("mounts/command-cannot-mount", &[], cannot_mount),
    Case::new("mounts/later-covers-earlier", BIND_AND_TMPFS, later_covers),
    Case::new("mounts/later-at-the-same-target", BIND_AND_TMPFS, same_target),
    Case::new("mounts/later-below-earlier", BIND_AND_TMPFS, later_below),
    Case::new(
        "mounts/remount-read-only",
        &[
            Need::Has(Feature::MountFlags),
            Need::Has(Feature::MountBind),
            Need::Has(Feature::MountTmpfs),
        ],
        remount,
    )
    .control(without_remount),
    Case::new("mounts/hundred", &[Need::Has(Feature::MountTmpfs)], hundred),
];

pub(super) fn tmpfs() -> Filesystem {
    Filesystem::Tmpfs { size: None, mode: None }
}

fn undefined(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe("read /etc/marker").mounts(Isolation::Undefined))?, "inside")
}

/// The host's /proc shows from inside, which mount namespace the command is in.
fn isolated(w: &World<'_>) -> Check {
    let config = w.probe("readlink /proc/self/ns/mnt").mounts(Isolation::Isolated);
    let inside = w.says(config.mount(Mount::new("/proc", Filesystem::Proc)?))?;
    ensure!(inside.starts_with("mnt:["), "inside: {inside}");
    ensure!(inside != w.host_says("readlink /proc/self/ns/mnt")?, "the namespace is the host's");
    Ok(())
}

fn shared_on_host(w: &World<'_>) -> Check {
    let ours = std::fs::read_link("/proc/self/ns/mnt")?.display().to_string();
    same("a plain child's mount namespace", w.host_says("readlink /proc/self/ns/mnt")?, ours)
}

fn cannot_mount(w: &World<'_>) -> Check {
    same(
        "attempts",
        w.says(w.probe("mount /tmp , umount / , remount-rw /"))?,
        "EPERM\nEPERM\nEPERM",
    )
}

fn later_covers(w: &World<'_>) -> Check {
    let config = w.probe("ls /data").mount(Mount::bind(w.shared(), "/data/1")?);
    same("inside", w.says(config.mount(Mount::new("/data", tmpfs())?))?, "")
}

fn same_target(w: &World<'_>) -> Check {
    let (bind, empty) = (Mount::bind(w.shared(), "/data")?, Mount::new("/data", tmpfs())?);
    let first = w.probe("ls /data").mount(bind.clone()).mount(empty.clone());
    same("bind, then tmpfs", w.says(first)?, "")?;
    same("tmpfs, then bind", w.says(w.probe("ls /data").mount(empty).mount(bind))?, "marker")
}

fn later_below(w: &World<'_>) -> Check {
    // The directory for the second is made in the first.
    let config = w.probe("ls /data , ls /data/deep/er").mount(Mount::new("/data", tmpfs())?);
    let config = config.mount(Mount::bind(w.shared(), "/data/deep/er")?);
    same("inside", w.says(config)?, "deep\nmarker")?;
    ensure!(!w.path("/data/deep").exists(), "the directory was made in the tree");
    Ok(())
}

const REMOUNTED: &str = "write /data/new , write /data/tmp/new , write /work/new";

fn remount(w: &World<'_>) -> Check {
    let read_only =
        Mount::from_fields("".as_ref(), "/data".as_ref(), "".as_ref(), "remount,ro".as_ref())?;
    same("flags", read_only.flags.contains(&MountFlag::ReadOnly), true)?;
    let config = w.probe(REMOUNTED).mount(Mount::bind(w.shared(), "/data")?);
    let config = config.mount(read_only).mount(Mount::new("/data/tmp", tmpfs())?);
    // What is mounted there afterwards cannot have its directory made any more.
    std::fs::create_dir(w.shared().join("tmp"))?;
    same("attempts", w.says(config)?, "EROFS\nok\nok")
}

fn without_remount(w: &World<'_>) -> Check {
    std::fs::create_dir(w.path("/data/tmp"))?;
    same("attempts", w.says(w.probe(REMOUNTED))?, "ok\nok\nok")
}

fn hundred(w: &World<'_>) -> Check {
    let mut config = w.probe("write /data/0/new , write /data/99/new , ls /data/98 , pid");
    for number in 0..100 {
        config = config.mount(Mount::new(format!("/data/{number}"), tmpfs())?);
    }
    let said = w.says(config)?;
    ensure!(said.starts_with("ok\nok\n\n"), "inside: {said}");
    Ok(())
}
