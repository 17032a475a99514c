//! Out through descriptors: what the caller holds must not be the command's.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sandbox_core::{Feature, Filesystem, Isolation, Mount};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{World, said, text};

pub(super) const CASES: &[Case] = &[
    Case::new("escape-fds/file", &[], held::<0>).control(taken::<0>),
    Case::new("escape-fds/directory", &[], held::<1>).control(taken::<1>),
    Case::new("escape-fds/socket", &[], held::<2>).control(taken::<2>),
    Case::new("escape-fds/pipe", &[], held::<3>).control(taken::<3>),
    Case::new("escape-fds/high-number", &[], held::<4>).control(taken::<4>),
    Case::new("escape-fds/process", &[], held::<5>).control(taken::<5>),
    Case::new("escape-fds/cgroup-directory", &[], held::<6>).control(taken::<6>),
    Case::new("escape-fds/mount-namespace", &[], held::<7>).control(taken::<7>),
    Case::new("escape-fds/cwd-by-descriptor", &[Need::Has(Feature::MountProc)], cwd)
        .control(cwd_on_host),
    Case::new("escape-fds/of-the-init", &[Need::Has(Feature::MountProc)], of_the_init)
        .control(of_a_process),
];

/// Something of the caller's that every child inherits, and what it is good for. The last ones only keep it
/// of use.
fn open<const N: usize>(w: &World<'_>) -> Check<(&'static str, Vec<OwnedFd>)> {
    let (good, all): (_, Vec<OwnedFd>) = match N {
        0 => ("write", vec![File::options().append(true).open(w.shared().join("marker"))?.into()]),
        1 => ("look", vec![File::open(w.outside())?.into()]),
        2 => {
            let (ours, other) = UnixStream::pair()?;
            ("write", vec![ours.into(), other.into()])
        }
        3 => {
            let (read, write) = std::io::pipe()?;
            ("write", vec![write.into(), read.into()])
        }
        4 => ("look", vec![high(File::open(w.outside())?)?]),
        // What pidfd_send_signal(2) takes as well as what pidfd_open(2) gives.
        5 => ("signal", vec![File::open("/proc/self")?.into()]),
        6 => ("leave", vec![cgroup_directory()?]),
        _ => ("join", vec![File::open("/proc/self/ns/mnt")?.into()]),
    };
    if let Some(first) = all.first() {
        fcntl(first.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    Ok((good, all))
}

/// The same with a number above 500.
fn high(file: File) -> Check<OwnedFd> {
    let mut low = vec![file];
    loop {
        let next = low[0].try_clone()?;
        if next.as_raw_fd() > 500 {
            return Ok(next.into());
        }
        low.push(next);
    }
}

fn cgroup_directory() -> Check<OwnedFd> {
    let places =
        ["", "/unified", "/systemd", "/memory"].map(|name| format!("/sys/fs/cgroup{name}"));
    let place = places.iter().find(|place| Path::new(place).join("cgroup.procs").exists());
    let place = place.ok_or_else(|| Failure::cannot_run("the host shows no cgroups"))?;
    Ok(File::open(place)?.into())
}

fn held<const N: usize>(w: &World<'_>) -> Check {
    let (good, _all) = open::<N>(w)?;
    same("inside", w.says(w.probe(&format!("use-fds {good}")))?, "used 0")
}

fn taken<const N: usize>(w: &World<'_>) -> Check {
    let (good, _all) = open::<N>(w)?;
    let said = w.host_says(&format!("use-fds {good}"))?;
    if N == 5 && said == "used 0" {
        return Err(Failure::cannot_run("signals are not sent by descriptor before Linux 5.1"));
    }
    ensure!(said != "used 0", "a plain child cannot use it either");
    Ok(())
}

/// CVE-2024-21626: a working directory that is named by a descriptor of the caller's.
fn cwd(w: &World<'_>) -> Check {
    let outside = File::open(w.outside())?;
    let last = outside.as_raw_fd() + 8;
    for number in 3..=last {
        for place in [format!("/proc/self/fd/{number}"), format!("/proc/self/fd/{number}/sub")] {
            let marker = w.outside().join("marker");
            let config = w.probe(&format!("break-out plain up {}", marker.display()));
            let mut config = config.cwd(&place).mount(Mount::new("/proc", Filesystem::Proc)?);
            let can = w.backend.capabilities(sandbox_sys::probe()?);
            if can.support(Feature::ProcessesIsolated).is_yes() {
                config = config.processes(Isolation::Isolated);
            }
            if let Ok(outcome) = w.run(config) {
                let said = said(&outcome)?;
                ensure!(said.starts_with("held: "), "with cwd {place}: {said}");
            }
        }
    }
    Ok(())
}

fn cwd_on_host(w: &World<'_>) -> Check {
    let outside = File::open(w.outside())?;
    let (tree, marker) = (w.tree(), w.outside().join("marker"));
    let (tree, marker) = (tree.display(), marker.display());
    let words = format!("bare-chroot-cwd {tree} /bin/probe break-out plain up {marker}");
    let place = format!("/proc/self/fd/{}", outside.as_raw_fd());
    let output = w.host(&words).current_dir(place).output()?;
    if !output.status.success() {
        return Err(Failure::cannot_run("no chroot and namespaces for this caller"));
    }
    same("in a bare chroot", text(&output.stdout), "escaped")
}

/// The socket on which the init reports, and the memory file that it is.
fn of_the_init(w: &World<'_>) -> Check {
    let config = w.probe("take-fds 0 0").mount(Mount::new("/proc", Filesystem::Proc)?);
    same("inside", w.says(config)?, "taken 0")?;
    let can = w.backend.capabilities(sandbox_sys::probe()?);
    if can.support(Feature::ProcessesIsolated).is_yes() {
        let config = w.probe("take-fds 0 0").mount(Mount::new("/proc", Filesystem::Proc)?);
        same("inside", w.says(config.processes(Isolation::Isolated))?, "taken 0")?;
    }
    Ok(())
}

fn of_a_process(w: &World<'_>) -> Check {
    let said = w.host_says("has-fds")?;
    ensure!(said != "taken 0", "a plain child cannot take them either");
    Ok(())
}
