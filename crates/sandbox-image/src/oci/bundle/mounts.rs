//! The mounts of a bundle.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use sandbox_core::{InsidePath, Mount};
use serde_json::Value;

use super::super::error::OciError;
use super::object::{self, Object};
use super::{Told, inside};

/// Options that make no difference in a sandbox: when access times are kept, and what is so anyway.
const WITHOUT_EFFECT: [&str; 16] = [
    "async",
    "atime",
    "defaults",
    "diratime",
    "loud",
    "noatime",
    "nodiratime",
    "noiversion",
    "nomand",
    "norelatime",
    "nostrictatime",
    "private",
    "relatime",
    "rprivate",
    "silent",
    "strictatime",
];

/// What a mount becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bind,
    Proc,
    Sysfs,
    Mqueue,
    Tmpfs,
    /// The minimal `/dev`, which every runtime fills a tmpfs at `/dev` with.
    Dev,
    /// Its `pts`.
    Pts,
}

/// The mounts, in order.
pub(super) fn mounts(
    list: Vec<Value>,
    directory: &Path,
    told: &mut Told,
) -> Result<Vec<Mount>, OciError> {
    let mut made = Vec::new();
    let mut has_dev = false;
    for (index, value) in list.into_iter().enumerate() {
        let field = format!("mounts[{index}]");
        let mut mount = Object::new(field.clone(), value.clone())?;
        let target: String = mount.need("destination", "give a path inside")?;
        let target = inside(&target, &mount.field("destination"))?;
        let name = mount.take::<String>("type")?.unwrap_or_default();
        let options = mount.take::<Vec<String>>("options")?.unwrap_or_default();
        let Some(kind) = kind(&name, &target, &options, has_dev) else {
            told.unsupported(field, value);
            continue;
        };
        has_dev |= kind == Kind::Dev;
        let source = source(&mut mount, kind, directory)?;
        let options = honoured(kind, &options, &mount.field("options"), told);
        mount.finish(told);
        if kind != Kind::Pts {
            let (kind, options) = (OsStr::new(kind.name()), OsString::from(options.join(",")));
            let mount = Mount::from_fields(&source, target.as_os_str(), kind, &options);
            made.push(mount.map_err(object::config(&field))?);
        }
    }
    Ok(made)
}

fn kind(name: &str, target: &InsidePath, options: &[String], has_dev: bool) -> Option<Kind> {
    let at = |path: &str| target.as_os_str() == path;
    if name == "bind" || options.iter().any(|option| option == "bind" || option == "rbind") {
        return Some(Kind::Bind);
    }
    match name {
        "proc" => Some(Kind::Proc),
        "sysfs" => Some(Kind::Sysfs),
        "mqueue" => Some(Kind::Mqueue),
        "tmpfs" if at("/dev") => Some(Kind::Dev),
        "tmpfs" => Some(Kind::Tmpfs),
        "devpts" if has_dev && at("/dev/pts") => Some(Kind::Pts),
        _ => None,
    }
}

impl Kind {
    /// Its type in the words of `Mount::from_fields`.
    fn name(self) -> &'static str {
        match self {
            Self::Bind => "none",
            Self::Proc => "proc",
            Self::Sysfs => "sysfs",
            Self::Mqueue => "mqueue",
            Self::Tmpfs => "tmpfs",
            Self::Dev | Self::Pts => "dev",
        }
    }
}

/// The path that a bind shows: one that is relative is the bundle's.
fn source(mount: &mut Object, kind: Kind, directory: &Path) -> Result<OsString, OciError> {
    let field = mount.field("source");
    let source = mount.take::<String>("source")?.unwrap_or_default();
    match kind {
        Kind::Bind if source.is_empty() => {
            Err(object::wrong(&field, source, "give the path that the bind shows"))
        }
        Kind::Bind => Ok(directory.join(source).into()),
        _ => Ok(OsString::new()),
    }
}

/// The options that are honoured, in the words of `Mount::from_fields`; the others are told.
fn honoured(kind: Kind, options: &[String], field: &str, told: &mut Told) -> Vec<String> {
    let mut kept = Vec::new();
    for (index, option) in options.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let same_bits = |bits: u32| u32::from_str_radix(value, 8) == Ok(bits);
        match (kind, name) {
            // No device in it could be opened; and it is always read-only.
            (Kind::Dev, "nodev") | (Kind::Sysfs, "rw") => {
                told.unsupported(field, option.as_str());
            }
            // What it has anyway.
            (Kind::Dev, "mode") if same_bits(0o755) => {}
            (Kind::Pts, "newinstance" | "nosuid" | "noexec") => {}
            (Kind::Pts, "ptmxmode") if same_bits(0o666) => {}
            (Kind::Pts, "mode") if same_bits(0o620) => {}
            (Kind::Pts, name) if !WITHOUT_EFFECT.contains(&name) => {
                told.unsupported(field, option.as_str());
            }
            (_, "ro" | "rw" | "nosuid" | "suid" | "nodev" | "dev" | "noexec" | "exec")
            | (Kind::Bind, "bind" | "rbind")
            | (Kind::Tmpfs, "mode" | "size") => kept.push(option.clone()),
            (_, name) if WITHOUT_EFFECT.contains(&name) => {
                told.without_effect(field, option.as_str());
            }
            _ => told.unsupported(field, option.as_str()),
        }
    }
    if kind == Kind::Bind && !kept.iter().any(|option| option == "bind" || option == "rbind") {
        kept.push("bind".to_owned());
    }
    kept
}
