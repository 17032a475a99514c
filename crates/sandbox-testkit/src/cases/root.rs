//! What the sandbox sees as its root.

use sandbox_core::{Feature, Isolation, Mount, SandboxConfig};

use crate::case::{Case, Need};
use crate::check::{Check, ensure, same};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("root/directory", &[], directory).control(host_file_is_there),
    Case::new("root/host", &[Need::Has(Feature::RootHost)], host).without_tree(),
    Case::new("root/empty", &[Need::Has(Feature::RootEmpty), Need::Has(Feature::MountBind)], empty)
        .control(host_root_is_not_empty)
        .without_tree(),
    Case::new("root/relative-to-the-caller", &[], relative),
    Case::new("root/symlink-to-directory", &[], link),
    Case::new("root/dotdot-of-root", &[], dotdot).control(dotdot_on_host),
    Case::new("root/second-chroot", &[], second_chroot).control(second_chroot_on_host),
    Case::new(
        "root/no-other-mounts",
        &[
            Need::Has(Feature::MountsIsolated),
            Need::Has(Feature::ProcessesIsolated),
            Need::Has(Feature::MountProc),
        ],
        no_other_mounts,
    )
    .control(many_mounts_on_host),
];

fn directory(w: &World<'_>) -> Check {
    let marker = w.outside().join("marker");
    let words = format!("read /etc/marker , exists {} , ls /", marker.display());
    same("inside", w.says(w.probe(&words))?, "inside\nENOENT\nbin data dev etc proc tmp work work2")
}

fn host_file_is_there(w: &World<'_>) -> Check {
    let marker = w.outside().join("marker");
    same("outside", w.host_says(&format!("exists {}", marker.display()))?, "ok")
}

fn host(w: &World<'_>) -> Check {
    let probe = w.probe_path().display().to_string();
    let marker = w.outside().join("marker").display().to_string();
    let config = SandboxConfig::builder([&*probe, "read", &*marker]);
    same("outside", w.says(config)?, "outside")
}

fn empty(w: &World<'_>) -> Check {
    let config = World::rootless("ls / , ls /bin , write /new").empty_root();
    let config = config.mount(Mount::bind(w.probe_path(), "/bin/probe")?);
    same("inside", w.says(config)?, "bin\nprobe\nok")
}

fn host_root_is_not_empty(w: &World<'_>) -> Check {
    let listed = w.host_says("ls /")?;
    ensure!(listed.split(' ').count() > 2, "the host's root holds only {listed}");
    Ok(())
}

fn relative(w: &World<'_>) -> Check {
    let depth = std::env::current_dir()?.components().count();
    let up = "../".repeat(depth - 1);
    let tree = format!("{up}{}", w.tree().display().to_string().trim_start_matches('/'));
    same("inside", w.says(World::rootless("read /etc/marker").root(tree))?, "inside")
}

fn link(w: &World<'_>) -> Check {
    let link = w.shared().join("link");
    std::os::unix::fs::symlink(w.tree(), &link)?;
    same("inside", w.says(World::rootless("read /etc/marker").root(link))?, "inside")
}

const UP: &str = "/../../../../../../..";

fn dotdot(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe(&format!("read {UP}/etc/marker")))?, "inside")
}

fn dotdot_on_host(w: &World<'_>) -> Check {
    let up = format!("{}/../outside/marker", w.tree().display());
    same("from the tree", w.host_says(&format!("read {up}"))?, "outside")
}

fn second_chroot(w: &World<'_>) -> Check {
    let marker = w.outside().join("marker");
    let said = w.says(w.probe(&format!("escape {}", marker.display())))?;
    ensure!(said == "EPERM" || said == "held", "the command is out: {said}");
    Ok(())
}

/// With nothing but chroot(2) around it, a privileged program walks out.
fn second_chroot_on_host(w: &World<'_>) -> Check {
    let (tree, marker) = (w.tree(), w.outside().join("marker"));
    let words = format!("in-chroot {} /bin/probe escape {}", tree.display(), marker.display());
    let output = w.host(&words).output()?;
    if !output.status.success() {
        let reason = "no chroot without a privilege or a user namespace";
        return Err(crate::check::Failure::cannot_run(reason));
    }
    same("in a plain chroot", crate::world::text(&output.stdout), "escaped")
}

fn no_other_mounts(w: &World<'_>) -> Check {
    let config = w.probe("read /proc/self/mountinfo").mounts(Isolation::Isolated);
    let config = config.processes(Isolation::Isolated);
    let said = w.says(config.mount(Mount::new("/proc", sandbox_core::Filesystem::Proc)?))?;
    for line in said.lines() {
        let at = line.split(' ').nth(4).unwrap_or_default();
        ensure!(
            at == "/" || at == "/proc" || at.starts_with("/proc/"),
            "a mount of the host: {line}"
        );
    }
    Ok(())
}

fn many_mounts_on_host(w: &World<'_>) -> Check {
    let said = w.host_says("read /proc/self/mountinfo")?;
    ensure!(
        said.lines().any(|line| !line.split(' ').nth(4).unwrap_or("/").starts_with("/proc")
            && line.split(' ').nth(4) != Some("/")),
        "the host has no other mounts"
    );
    Ok(())
}
