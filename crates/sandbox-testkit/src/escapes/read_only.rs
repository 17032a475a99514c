//! Writing where nothing may be written, by every means that there is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sandbox_core::{Feature, Mount, MountFlag, SandboxConfig, SandboxConfigBuilder};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{World, text};

const NEEDS: &[Need] = &[
    Need::Has(Feature::WritableOnly),
    Need::Has(Feature::WritableNothing),
    Need::Has(Feature::MountBind),
    Need::Has(Feature::MountFlags),
];

/// A case for each method, which is tried in each kind of place.
macro_rules! methods {
    ($($number:literal $name:literal,)*) => {
        const METHODS: &[&str] = &[$($name,)*];
        pub(super) const CASES: &[Case] = &[$(
            Case::new(concat!("escape-read-only/by-", $name), NEEDS, held::<$number>)
                .control(done::<$number>),
        )*];
    };
}

methods! {
    0 "open", 1 "open-truncate", 2 "truncate", 3 "chmod", 4 "chown", 5 "utimes", 6 "xattr",
    7 "fallocate", 8 "mmap", 9 "set-flags", 10 "reopen", 11 "hard-link", 12 "create", 13 "rename",
    14 "rename-away", 15 "exchange", 16 "link", 17 "symlink", 18 "unlink", 19 "mkdir", 20 "rmdir",
    21 "chmod-directory", 22 "mknod", 23 "mkfifo", 24 "tmpfile", 25 "socket", 26 "bind",
    27 "bind-of-parent",
}

/// The first methods are about a file alone, and can be tried on one that is bound by itself.
const ON_A_FILE: usize = 12;

/// Ways to take a cover away.
const COVERS: [&str; 8] = [
    "remount",
    "mount-setattr",
    "umount",
    "copy",
    "nested-remount",
    "nested-mount-setattr",
    "nested-umount",
    "nested-copy",
];

pub(super) const COVER_CASES: &[Case] = &[
    Case::new("escape-read-only/remount", NEEDS, covered::<0>).control(uncovered::<0>),
    Case::new("escape-read-only/mount-setattr", NEEDS, covered::<1>).control(uncovered::<1>),
    Case::new("escape-read-only/umount", NEEDS, covered::<2>).control(uncovered::<2>),
    Case::new("escape-read-only/copy-of-mount", NEEDS, covered::<3>).control(uncovered::<3>),
    Case::new("escape-read-only/nested-remount", NEEDS, covered::<4>).control(uncovered::<4>),
    Case::new("escape-read-only/nested-mount-setattr", NEEDS, covered::<5>).control(uncovered::<5>),
    Case::new("escape-read-only/nested-umount", NEEDS, covered::<6>).control(uncovered::<6>),
    Case::new("escape-read-only/nested-copy-of-mount", NEEDS, covered::<7>).control(uncovered::<7>),
];

/// The tree's root, its fixed directory, what is beside a writable path, what is above one, and a bind.
const PLACES: [&str; 5] = ["/", "/etc", "/work2", "/work", "/data/bound"];
/// A single file that is bound in a writable directory.
const SINGLE: &str = "/data/1/single";

/// The places as the methods want them, whatever was done there before.
fn prepare(w: &World<'_>) -> Check<Vec<PathBuf>> {
    fs::create_dir_all(w.path("/data/bound"))?;
    fs::create_dir_all(w.path(SINGLE))?;
    fs::write(w.path(SINGLE).join("file"), "")?;
    fs::create_dir_all(w.path("/work/sub/spot"))?;
    remove(&w.path("/work/sub/spare"))?;
    let mut places = Vec::new();
    for place in PLACES {
        let (inside, on_host) = match place {
            "/data/bound" => (None, w.shared()),
            place => (Some(place.trim_end_matches('/')), w.path(place)),
        };
        fs::set_permissions(&on_host, Permissions::from_mode(0o755))?;
        for name in ["file", "dir", "other"] {
            remove(&on_host.join(name))?;
        }
        if let Some(inside) = inside {
            w.file(&format!("{inside}/file"), "0123456789", 0o644)?;
            w.directory(&format!("{inside}/dir"))?;
        } else {
            fs::write(on_host.join("file"), "0123456789")?;
            fs::create_dir(on_host.join("dir"))?;
        }
        places.push(on_host);
    }
    Ok(places)
}

fn remove(path: &Path) -> Check {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(fs::remove_dir(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(_) => Ok(()),
    }
}

/// All that the kernel notes of a change: its time is set by every one of them.
fn look(places: &[PathBuf]) -> Check<Vec<String>> {
    let mut seen = Vec::new();
    for place in places {
        for path in [place.clone(), place.join("file"), place.join("dir")] {
            let at = fs::symlink_metadata(&path)?;
            seen.push(format!(
                "{} {} {:o} {} {} {}.{} {}.{}",
                path.display(),
                at.ino(),
                at.mode(),
                at.size(),
                at.nlink(),
                at.mtime(),
                at.mtime_nsec(),
                at.ctime(),
                at.ctime_nsec()
            ));
        }
    }
    Ok(seen)
}

fn spare(number: usize) -> &'static str {
    if number >= 26 { "/work/sub/spot" } else { "/work/sub/spare" }
}

fn binds(
    config: SandboxConfigBuilder,
    w: &World<'_>,
    flags: &[MountFlag],
) -> Check<SandboxConfigBuilder> {
    let with = |mount: Mount| flags.iter().fold(mount, |mount, flag| mount.with(*flag));
    let single = Mount::bind(w.shared().join("file"), format!("{SINGLE}/file"))?;
    Ok(config.mount(with(Mount::bind(w.shared(), "/data/bound")?)).mount(with(single)))
}

fn words(number: usize) -> String {
    let single = if number < ON_A_FILE { SINGLE } else { "" };
    format!("change {} {} {} {single}", METHODS[number], spare(number), PLACES.join(" "))
}

/// Nothing was done, and each try was refused for a reason that has to do with it.
fn all_refused(what: &str, said: &str, tries: usize) -> Check {
    same("answers", said.lines().count(), tries)?;
    for answer in said.lines() {
        let fits = ["EROFS", "EPERM", "EACCES", "EXDEV", "EBUSY", "EINVAL"].contains(&answer);
        ensure!(fits, "{what}: {answer} of {}", said.replace('\n', " "));
    }
    Ok(())
}

fn held<const N: usize>(w: &World<'_>) -> Check {
    let places = prepare(w)?;
    let before = look(&places)?;
    let tries = PLACES.len() + usize::from(N < ON_A_FILE);
    let config = binds(w.probe(&words(N)), w, &[MountFlag::ReadOnly])?;
    let said = w.says(config.writable(["/work/sub", "/data/1"]))?;
    all_refused("beside writable paths", &said, tries)?;
    let config = binds(w.probe(&words(N)), w, &[])?;
    all_refused("writable = nothing", &w.says(config.read_only())?, tries)?;
    let probe = w.probe_path().display().to_string();
    let (free, place) = (w.path("/work/sub"), w.shared().display().to_string());
    let spare = w.path(spare(N)).display().to_string();
    let config = SandboxConfig::builder([&*probe, "change", METHODS[N], &*spare, &*place]);
    all_refused("the host's root", &w.says(config.writable([free]))?, 1)?;
    same("on the host", look(&places)?, before)
}

/// The same in the same places, where they are not protected. Another mount has no second name for a file.
fn done<const N: usize>(w: &World<'_>) -> Check {
    prepare(w)?;
    let two_names = matches!(METHODS[N], "rename-away" | "hard-link");
    let places = if two_names { "/work2".to_owned() } else { PLACES.join(" ") };
    let words = format!("change {} {} {places}", METHODS[N], spare(N));
    let config = binds(w.probe(&words), w, &[])?;
    let said = w.says(config)?;
    if said.lines().any(|answer| matches!(answer, "ENOTTY" | "errno 95" | "errno 25")) {
        let reason = "the file system of the temporary directory has nothing of the kind";
        return Err(Failure::cannot_run(reason));
    }
    prepare(w)?;
    let tries = places.split(' ').count();
    same("attempts", said, vec!["ok"; tries].join("\n"))
}

fn covered<const N: usize>(w: &World<'_>) -> Check {
    let places = prepare(w)?;
    let before = look(&places)?;
    for place in ["/data/bound", "/", "/work"] {
        let words = format!("uncover {} {place}", COVERS[N]);
        let config = binds(w.probe(&words), w, &[MountFlag::ReadOnly])?;
        let said = w.says(config.writable(["/work/sub"]))?;
        ensure!(said != "ok", "it wrote to {place}");
    }
    same("on the host", look(&places)?, before)
}

/// Where no border of namespaces lies between who has covered and who uncovers.
fn uncovered<const N: usize>(w: &World<'_>) -> Check {
    prepare(w)?;
    let place = w.path("/data/bound").display().to_string();
    fs::write(format!("{place}/file"), "")?;
    let way = COVERS[N].trim_start_matches("nested-");
    let words = format!("own-cover {} {place} uncover {way} {place}", w.shared().display());
    let output = w.host(&words).output()?;
    remove(Path::new(&format!("{place}/file")))?;
    if !output.status.success() {
        return Err(Failure::cannot_run(format!("no mounts of its own: {}", text(&output.stderr))));
    }
    if text(&output.stdout) == "ENOSYS" {
        return Err(Failure::cannot_run("this kernel has no such call"));
    }
    same("without a border", text(&output.stdout), "ok")
}
