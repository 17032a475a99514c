//! Bad input: a clear error that names the field and the value, and nothing left behind.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sandbox_core::{
    ConfigError, Environment, Feature, Filesystem, Input, Mount, Output, SandboxConfig, User,
};

use super::mounts::tmpfs;
use crate::case::{Case, Need};
use crate::check::{Check, Failure, names};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("bad-input/empty-command", &[], empty_command).without_tree(),
    Case::new("bad-input/nul-in-command", &[], nul_in_command).without_tree(),
    Case::new("bad-input/environment", &[], environment).without_tree(),
    Case::new("bad-input/nul-in-paths", &[], nul_in_paths).without_tree(),
    Case::new("bad-input/empty-paths", &[], empty_paths).without_tree(),
    Case::new("bad-input/mount-target", &[], mount_target).without_tree(),
    Case::new("bad-input/mount-text", &[], mount_text).without_tree(),
    Case::new("bad-input/hostname", &[], hostname).without_tree(),
    Case::new("bad-input/ids", &[], ids),
    Case::new("bad-input/stdout-to-stdout", &[], stdout_to_stdout).without_tree(),
    Case::new("bad-input/root-missing", &[], root_missing),
    Case::new("bad-input/root-is-a-file", &[], root_is_a_file),
    Case::new("bad-input/root-not-permitted", &[Need::PlainUser], root_not_permitted),
    Case::new(
        "bad-input/bind-source-not-permitted",
        &[Need::PlainUser, Need::Has(Feature::MountBind)],
        source_not_permitted,
    ),
];

fn refused<T>(result: Result<T, ConfigError>, words: &[&str]) -> Check {
    match result {
        Ok(_) => Err(Failure::wrong(format!("accepted; the error should name {words:?}"))),
        Err(error) => names(&error, words),
    }
}

fn empty_command(_: &World<'_>) -> Check {
    let none: [&str; 0] = [];
    refused(SandboxConfig::builder(none).build(), &["command", "empty"])?;
    refused(SandboxConfig::builder([""]).build(), &["command", "empty"])
}

fn nul_in_command(_: &World<'_>) -> Check {
    refused(SandboxConfig::builder(["a\0b"]).build(), &["command", "a\\0b", "NUL"])?;
    refused(SandboxConfig::builder(["a", "b\0c"]).build(), &["command", "b\\0c", "NUL"])
}

fn environment(_: &World<'_>) -> Check {
    for (name, value, words) in [
        ("a=b", "c", ["env", "a=b", "`=`"]),
        ("", "c", ["env", "empty", "name"]),
        ("a\0", "c", ["env", "a\\0", "NUL"]),
        ("a", "c\0", ["env", "c\\0", "NUL"]),
    ] {
        let config = SandboxConfig::builder(["x"]).env(Environment::exactly([(name, value)]));
        refused(config.build(), &words)?;
    }
    Ok(())
}

fn nul_in_paths(_: &World<'_>) -> Check {
    let config = || SandboxConfig::builder(["x"]);
    refused(config().root("/a\0b").build(), &["root", "a\\0b", "NUL"])?;
    refused(config().cwd("/a\0b").build(), &["cwd", "a\\0b", "NUL"])?;
    refused(config().writable(["/a\0b"]).build(), &["writable", "a\\0b", "NUL"])?;
    refused(config().stdin(Input::File("a\0b".into())).build(), &["stdin", "a\\0b", "NUL"])?;
    refused(config().stdout(Output::File("a\0b".into())).build(), &["stdout", "a\\0b", "NUL"])?;
    refused(config().stderr(Output::File("a\0b".into())).build(), &["stderr", "a\\0b", "NUL"])?;
    refused(config().hostname("a\0b").build(), &["hostname", "a\\0b"])?;
    refused(Mount::bind("/a\0b", "/x"), &["source", "a\\0b", "NUL"])?;
    refused(Mount::bind("/x", "/a\0b"), &["target", "a\\0b", "NUL"])
}

fn empty_paths(_: &World<'_>) -> Check {
    let config = || SandboxConfig::builder(["x"]);
    refused(config().root("").build(), &["root", "empty"])?;
    refused(config().cwd("").build(), &["cwd", "empty"])?;
    refused(config().writable([""]).build(), &["writable", "empty"])?;
    refused(config().stdin(Input::File("".into())).build(), &["stdin", "empty"])?;
    refused(Mount::bind("", "/x"), &["source", "empty"])?;
    let overlay = Filesystem::Overlay { lower: Vec::new(), upper: None };
    refused(Mount::new("/x", overlay), &["lower", "empty"])
}

fn mount_target(_: &World<'_>) -> Check {
    refused(Mount::new("", tmpfs()), &["target", "empty"])?;
    refused(Mount::new("relative/dir", tmpfs()), &["target", "relative/dir"])?;
    for root in ["/", "//", "/./"] {
        refused(Mount::new(root, Filesystem::Proc), &["target", "`/`"])?;
    }
    Ok(())
}

fn mount_text(_: &World<'_>) -> Check {
    for (line, words) in [
        ("none /x ntfs", ["type", "ntfs"]),
        ("none /x tmpfs sizes=3", ["tmpfs", "sizes"]),
        ("none /x tmpfs size=lots", ["size", "lots"]),
        ("none /x tmpfs mode=9", ["mode", "9"]),
        ("none /x proc size=1", ["options", "size"]),
        ("none x tmpfs", ["target", "x"]),
        ("none", ["mount", "none"]),
    ] {
        refused(line.parse::<Mount>(), &words)?;
    }
    let fields = |options: &str| {
        Mount::from_fields(OsStr::new("/x"), OsStr::new("/y"), OsStr::new("none"), options.as_ref())
    };
    refused(fields("bind,loop"), &["options", "loop"])?;
    refused(fields("remount"), &["remount"])
}

fn hostname(_: &World<'_>) -> Check {
    for name in ["", "two words", "a/b", &"x".repeat(65)] {
        let config = SandboxConfig::builder(["x"]).hostname(name);
        refused(config.build(), &["hostname", name, "1 to 64"])?;
    }
    Ok(())
}

/// For the kernel it means that nothing is changed: a command of root's would stay root's.
fn ids(_: &World<'_>) -> Check {
    for (uid, gid, field) in [(u32::MAX, 1, "user.uid"), (1, u32::MAX, "user.gid")] {
        let config = SandboxConfig::builder(["x"]).user(User::Ids { uid, gid });
        refused(config.build(), &[field, "4294967295", "4294967294"])?;
    }
    Ok(())
}

fn stdout_to_stdout(_: &World<'_>) -> Check {
    let config = SandboxConfig::builder(["x"]).stdout(Output::ToStdout);
    refused(config.build(), &["stdout", "stderr"])
}

fn root_missing(w: &World<'_>) -> Check {
    let missing = w.shared().join("absent");
    w.refuses_naming(World::rootless("exit 0").root(missing), &["shared/absent", "No such file"])
}

fn root_is_a_file(w: &World<'_>) -> Check {
    let file = w.shared().join("marker");
    w.refuses_naming(World::rootless("exit 0").root(file), &["shared/marker", "Not a directory"])
}

/// A directory that only root may enter. One of the caller's own would not do: in a user namespace of
/// its own, permissions do not keep it out of its own files.
fn closed() -> Check<PathBuf> {
    let closed = Path::new("/root");
    match fs::read_dir(closed) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(closed.join("dir")),
        _ => Err(Failure::cannot_run("/root is not closed to the caller")),
    }
}

fn root_not_permitted(w: &World<'_>) -> Check {
    let config = World::rootless("exit 0").root(closed()?);
    w.refuses_naming(config, &["/root/dir", "Permission denied"])
}

fn source_not_permitted(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").mount(Mount::bind(closed()?, "/data")?);
    w.refuses_naming(config, &["/root/dir", "Permission denied"])
}
