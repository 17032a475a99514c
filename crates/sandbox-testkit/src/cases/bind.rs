//! Binds: what of the host they show, and their restrictions.

use std::fs;
use std::path::Path;

use sandbox_core::{Feature, Filesystem, Mount, MountFlag, Recursion, SandboxConfigBuilder};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const BIND: &[Need] = &[Need::Has(Feature::MountBind)];
const FLAGS: &[Need] = &[Need::Has(Feature::MountBind), Need::Has(Feature::MountFlags)];

pub(super) const CASES: &[Case] = &[
    Case::new("bind/directory", BIND, directory).control(nothing_there),
    Case::new("bind/file", BIND, file).control(nothing_there),
    Case::new("bind/source-is-a-link", BIND, source_link),
    Case::new("bind/source-by-way-of-the-root", BIND, source_by_root).control(nothing_there),
    Case::new("bind/source-missing", BIND, source_missing),
    Case::new("bind/directory-on-file", BIND, directory_on_file),
    Case::new("bind/read-only", FLAGS, read_only).control(read_write),
    Case::new("bind/nosuid-nodev-noexec", FLAGS, restricted).control(unrestricted),
    Case::new("bind/recursive", BIND, recursive),
    Case::new("bind/single", BIND, single).control(recursive),
];

fn bound(w: &World<'_>, words: &str, flags: &[MountFlag]) -> Check<SandboxConfigBuilder> {
    let mount = Mount::bind(w.shared(), "/data")?;
    Ok(w.probe(words).mount(flags.iter().fold(mount, |mount, flag| mount.with(*flag))))
}

fn nothing_there(w: &World<'_>) -> Check {
    same("without it", w.says(w.probe("exists /data/marker , exists /data/1"))?, "ENOENT\nok")
}

fn directory(w: &World<'_>) -> Check {
    same("inside", w.says(bound(w, "read /data/marker , exists /data/1", &[])?)?, "shared\nENOENT")
}

fn file(w: &World<'_>) -> Check {
    let mount = Mount::bind(w.shared().join("marker"), "/etc/marker")?;
    same("inside", w.says(w.probe("read /etc/marker").mount(mount))?, "shared")?;
    same("the tree's own", fs::read_to_string(w.path("/etc/marker"))?, "inside\n")
}

fn source_link(w: &World<'_>) -> Check {
    let link = w.shared().join("link");
    std::os::unix::fs::symlink(w.outside(), &link)?;
    let config = w.probe("read /data/marker").mount(Mount::bind(link, "/data")?);
    same("inside", w.says(config)?, "outside")
}

/// `..` of a directory in the host's root is the host's root, also by a link that is somewhere.
fn source_by_root(w: &World<'_>) -> Check {
    let plain = w.shared();
    let below = plain.strip_prefix("/").unwrap_or(&plain);
    let link = w.shared().join("link");
    std::os::unix::fs::symlink(Path::new("/proc/../").join(below), &link)?;
    for source in [Path::new("/..").join(below), Path::new("/dev/..").join(below), link] {
        let config = w.probe("read /data/marker").mount(Mount::bind(source, "/data")?);
        same("inside", w.says(config)?, "shared")?;
    }
    Ok(())
}

fn source_missing(w: &World<'_>) -> Check {
    for target in ["/data", "/made/for/it"] {
        let config = w.probe("exit 0").mount(Mount::bind(w.shared().join("absent"), target)?);
        w.refuses_naming(config, &["shared/absent", "No such file or directory"])?;
    }
    Ok(())
}

fn directory_on_file(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").mount(Mount::bind(w.shared(), "/etc/marker")?);
    w.refuses_naming(config, &["/etc/marker", "directory"])
}

const ATTEMPTS: &str = "write /data/new , write /data/marker , unlink /data/new";

fn read_only(w: &World<'_>) -> Check {
    let said = w.says(bound(w, ATTEMPTS, &[MountFlag::ReadOnly])?)?;
    same("attempts", said, "EROFS\nEROFS\nEROFS")?;
    same(
        "the source",
        fs::read_to_string(w.shared().join("marker"))?.lines().next(),
        Some("shared"),
    )
}

fn read_write(w: &World<'_>) -> Check {
    same("attempts", w.says(bound(w, ATTEMPTS, &[])?)?, "ok\nok\nok")?;
    same("the source", fs::read_to_string(w.shared().join("marker"))?, "shared\nx")
}

const RESTRICTED: &str = "flags /data , run /data/probe cwd";

fn restricted(w: &World<'_>) -> Check {
    let flags = [MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec];
    same("inside", w.says(bound(w, RESTRICTED, &flags)?)?, "rw nosuid nodev noexec\nEACCES")
}

fn unrestricted(w: &World<'_>) -> Check {
    fs::copy(w.probe_path(), w.shared().join("probe"))?;
    let said = w.says(bound(w, RESTRICTED, &[])?)?;
    ensure!(!said.contains("noexec") && !said.contains("EACCES"), "without flags: {said}");
    Ok(())
}

/// A mount of the host below another directory than `/`, to be seen or not through a bind.
fn mount_below(dir: &str) -> Check<String> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
    let at = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    let below = at.filter_map(|at| at.strip_prefix(dir)).find(|below| below.len() > 1);
    let reason = || Failure::cannot_run(format!("the host has no mount below {dir}"));
    below.map(str::to_owned).ok_or_else(reason)
}

/// The devices of what `/dev` and the mount below it show, as the probe sees them.
fn dev_bound(w: &World<'_>, recursion: Recursion) -> Check<SandboxConfigBuilder> {
    let below = mount_below("/dev")?;
    let bind = Filesystem::Bind { source: "/dev".into(), recursion };
    let words = format!("capacity /data , capacity /data{below} , flags /data{below}");
    Ok(w.probe(&words).mount(Mount::new("/data", bind)?))
}

fn recursive(w: &World<'_>) -> Check {
    let said = w.says(dev_bound(w, Recursion::Recursive)?)?;
    let below = mount_below("/dev")?;
    let host = w.host_says(&format!("capacity /dev , capacity /dev{below}"))?;
    let capacities: Vec<_> = said.lines().take(2).collect();
    same("capacities", capacities, host.lines().collect::<Vec<_>>())
}

/// Without the mounts below, their directories show the file system that they cover. An unprivileged
/// caller may not look there (mount_namespaces(7)), and is told so.
fn single(w: &World<'_>) -> Check {
    match w.run(dev_bound(w, Recursion::Single)?) {
        Ok(outcome) => {
            let said = crate::world::said(&outcome)?;
            let capacities: Vec<_> = said.lines().take(2).collect();
            ensure!(capacities.first() == capacities.get(1), "a mount came along: {said}");
            Ok(())
        }
        Err(error) => crate::check::names(&error, &["/dev", "/data"]),
    }
}
