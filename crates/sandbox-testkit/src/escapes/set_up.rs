//! Out of the root while it is set up: links in the tree where something is mounted, also such that change
//! meanwhile.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use sandbox_core::{Feature, Filesystem, Mount};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, names};
use crate::world::{World, said};

const TMPFS: &[Need] = &[Need::Has(Feature::MountTmpfs)];
const ONLY: &[Need] = &[Need::Has(Feature::WritableOnly)];

/// How many sandboxes race, each for at least one path.
const TRIES: usize = 10_000;
/// How many paths one of them looks up, until it comes to one that is elsewhere by then.
const AT_ONCE: usize = 4;
/// It is enough if time runs out: soon, or with `SANDBOX_TEST_ALL_TRIES` shortly before a case may run no longer.
const TIME: Duration = Duration::from_secs(4);
const ALL_TIME: Duration = Duration::from_secs(25);

pub(super) const CASES: &[Case] = &[
    Case::new("escape-root/target-absolute-link", TMPFS, target::<0>).control(target_on_host::<0>),
    Case::new("escape-root/target-relative-link", TMPFS, target::<1>).control(target_on_host::<1>),
    Case::new("escape-root/target-dangling-link", TMPFS, target::<2>).control(target_on_host::<2>),
    Case::new("escape-root/writable-link", ONLY, writable).control(target_on_host::<0>),
    Case::new("escape-root/cwd-link", &[], cwd).control(target_on_host::<0>),
    Case::new("escape-root/race-for-targets", TMPFS, race_targets).control(race_on_host),
    Case::new("escape-root/race-for-writable", ONLY, race_writable).control(race_on_host),
];

/// A link in the tree that on the host leads outside.
fn link<const N: usize>(w: &World<'_>) -> Check {
    let _ = fs::remove_file(w.path("/work/link"));
    let to = match N {
        0 => w.outside(),
        1 => Path::new("../../outside").to_owned(),
        _ => w.outside().join("absent"),
    };
    Ok(symlink(to, w.path("/work/link"))?)
}

fn target<const N: usize>(w: &World<'_>) -> Check {
    link::<N>(w)?;
    let before = changed(w)?;
    let tmpfs = || Filesystem::Tmpfs { size: None, mode: None };
    for target in ["/work/link", "/work/link/new", "/work/link/new/below"] {
        match w.run(w.probe(&format!("write {target}/file")).mount(Mount::new(target, tmpfs())?)) {
            Ok(outcome) => ensure!(said(&outcome)? == "ok", "mounted, but not at {target}"),
            Err(error) => names(&error, &[target])?,
        }
    }
    ensure!(changed(w)? == before, "something was made outside");
    Ok(())
}

fn target_on_host<const N: usize>(w: &World<'_>) -> Check {
    link::<N>(w)?;
    let (by, at) = match N {
        2 => (w.path("/work/link"), w.outside().join("absent")),
        _ => (w.path("/work/link/new"), w.outside().join("new")),
    };
    // Of a dangling link, open(2) makes the file.
    fs::write(by, "")?;
    Ok(fs::remove_file(at)?)
}

fn writable(w: &World<'_>) -> Check {
    link::<0>(w)?;
    let before = changed(w)?;
    let words = format!("write /work/link/new , write {}/new", w.outside().display());
    if let Ok(outcome) = w.run(w.probe(&words).writable(["/work/link"])) {
        ensure!(!said(&outcome)?.contains("ok"), "it wrote by the link");
    }
    ensure!(changed(w)? == before, "it wrote outside");
    Ok(())
}

fn cwd(w: &World<'_>) -> Check {
    link::<1>(w)?;
    let marker = w.outside().join("marker");
    let config = w.probe(&format!("break-out plain up {}", marker.display())).cwd("/work/link");
    match w.run(config) {
        Ok(outcome) => ensure!(said(&outcome)?.starts_with("held"), "it is outside"),
        Err(error) => names(&error, &["/work/link"])?,
    }
    Ok(())
}

/// When something was last made or removed outside, also for a moment.
fn changed(w: &World<'_>) -> Check<(i64, i64)> {
    let at = fs::metadata(w.outside())?;
    Ok((at.mtime(), at.mtime_nsec()))
}

/// Does something while `/data/flip` is by turns a directory and a link to the outside.
fn flipping<T>(w: &World<'_>, action: impl FnOnce() -> Check<T>) -> Check<T> {
    let (flip, link) = (w.path("/data/flip"), w.path("/data/link"));
    fs::create_dir_all(&flip)?;
    if !link.is_symlink() && !link.is_dir() {
        symlink("../../outside", &link)?;
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                // A file system without it is seen by the control.
                let _ = renameat2(AT_FDCWD, &flip, AT_FDCWD, &link, flags);
            }
        });
        let done = action();
        ended.store(true, Relaxed);
        done
    })
}

fn race(w: &World<'_>, action: impl Fn() -> Check) -> Check {
    // Inside the link leads here, so that a set-up can come to its end.
    w.directory("/outside")?;
    w.file("/outside/new", "", 0o666)?;
    let before = changed(w)?;
    let all = std::env::var_os("SANDBOX_TEST_ALL_TRIES").is_some();
    let time = if all { ALL_TIME } else { TIME };
    let start = Instant::now();
    flipping(w, || {
        for _ in 0..TRIES {
            action()?;
            if start.elapsed() > time {
                break;
            }
        }
        Ok(())
    })?;
    ensure!(changed(w)? == before, "something was made outside");
    Ok(())
}

fn race_targets(w: &World<'_>) -> Check {
    race(w, || {
        let mut config = w.probe("exit 0");
        for number in 0..AT_ONCE {
            let tmpfs = Filesystem::Tmpfs { size: Some(65536), mode: None };
            config = config.mount(Mount::new(format!("/data/flip/{number}"), tmpfs)?);
        }
        // Whether it is lost or won for the set-up does not matter, but what it did.
        let _ = w.run(config);
        Ok(())
    })
}

fn race_writable(w: &World<'_>) -> Check {
    let words = "write /data/flip/new , write /data/link/new";
    race(w, || {
        let _ = w.run(w.probe(words).writable(["/data/flip"]));
        Ok(())
    })
}

/// By names alone, as a careless set-up does it.
fn race_on_host(w: &World<'_>) -> Check {
    flipping(w, || {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let _ = fs::create_dir(w.path("/data/flip/by-name"));
            if fs::remove_dir(w.outside().join("by-name")).is_ok() {
                return Ok(());
            }
            let _ = fs::remove_dir(w.path("/data/flip/by-name"));
        }
        Err(Failure::cannot_run("no race was won in 5 s, or names cannot be exchanged here"))
    })?;
    // The last one may be there still, on whichever side.
    let _ = fs::remove_dir(w.outside().join("by-name"));
    Ok(())
}
