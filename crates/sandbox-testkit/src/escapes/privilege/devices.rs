//! Devices: those of the host, and those that one could make.

use std::fs;
use std::path::Path;

use sandbox_core::Feature;

use crate::case::{Case, Need};
use crate::check::{Check, Failure};
use crate::escapes::attack::{permitted, refused};
use crate::world::World;

/// A case that makes a device where the command may write.
macro_rules! made {
    ($name:literal, $node:literal) => {
        Case::new($name, &[], |w| {
            refused(w, concat!("node ", $node, " /work/node"), &[], &["EROFS"])
        })
        .control(|w| {
            let path = w.path("/work/node");
            permitted(w, &format!("node {} {}", $node, path.display()), &["ok"])
        })
    };
}

/// A case that opens a device of the host's in a minimal /dev.
macro_rules! opened {
    ($name:literal, $path:literal) => {
        Case::new($name, DEV, |w| {
            refused(w, concat!("open-to-read ", $path), &["/dev", "/proc"], &["ENOENT"])
        })
        .control(|w| permitted(w, concat!("open-to-read ", $path), &["ok"]))
    };
}

const DEV: &[Need] = &[Need::Has(Feature::MountDev)];

pub(in crate::escapes) const CASES: &[Case] = &[
    made!("escape-privilege/mknod-of-memory", "c 1 1"),
    made!("escape-privilege/mknod-of-the-log", "c 1 11"),
    made!("escape-privilege/mknod-of-a-loop-device", "b 7 0"),
    made!("escape-privilege/mknod-of-a-disk", "b 8 0"),
    opened!("escape-privilege/dev-mem", "/dev/mem"),
    opened!("escape-privilege/dev-port", "/dev/port"),
    opened!("escape-privilege/dev-kmsg", "/dev/kmsg"),
    opened!("escape-privilege/dev-loop", "/dev/loop0"),
    opened!("escape-privilege/dev-loop-control", "/dev/loop-control"),
    opened!("escape-privilege/dev-kvm", "/dev/kvm"),
    opened!("escape-privilege/dev-fuse", "/dev/fuse"),
    opened!("escape-privilege/dev-tun", "/dev/net/tun"),
    opened!("escape-privilege/dev-userfaultfd", "/dev/userfaultfd"),
    opened!("escape-privilege/dev-vsock", "/dev/vsock"),
    opened!("escape-privilege/dev-console-of-the-host", "/dev/tty1"),
    Case::new("escape-privilege/raw-disk", DEV, |w| {
        refused(w, &format!("open-to-read {}", disk()?), &["/dev"], &["ENOENT"])
    })
    .control(|w| permitted(w, &format!("open-to-read {}", disk()?), &["ok"])),
    Case::new("escape-privilege/quota", DEV, |w| {
        refused(w, &format!("quota {}", disk()?), &["/dev"], &["ENOENT"])
    })
    .control(quota_on_host),
    opened!("escape-privilege/proc-kmsg", "/proc/kmsg"),
    opened!("escape-privilege/proc-kcore", "/proc/kcore"),
];

/// The first disk that the machine has.
fn disk() -> Check<String> {
    let none = || Failure::cannot_run("this machine shows no disk");
    let disks = fs::read_dir("/sys/block").map_err(|_| none())?.flatten();
    let real = disks.map(|disk| disk.file_name().display().to_string());
    let real =
        real.filter(|name| !["loop", "ram", "zram"].iter().any(|kind| name.starts_with(kind)));
    let path = real.map(|name| format!("/dev/{name}")).find(|path| Path::new(path).exists());
    path.ok_or_else(none)
}

/// That there are no quotas to turn off is what only one who may is told.
fn quota_on_host(w: &World<'_>) -> Check {
    permitted(w, &format!("quota {}", disk()?), &["ok", "EINVAL", "ESRCH"])
}
