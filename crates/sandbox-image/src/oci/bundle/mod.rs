//! A runtime bundle: `config.json` and a root file system (runtime-spec 1.x), as a sandbox's
//! configuration.
//!
//! Each field that is honoured is taken out of the file; what is left is what is not, so that nothing
//! is passed over in silence, not even what no version of the specification has.

mod filters;
mod linux;
mod mounts;
mod object;
mod process;
mod resources;
mod seccomp;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sandbox_core::{
    CommandLine, Filesystem, Hostname, InsidePath, Mount, Root, SandboxConfig, Seccomp,
    UserNamespace,
};
use serde_json::Value;

use super::error::OciError;
use super::json;
pub use object::BundleField;
use object::Object;
pub use process::Terminal;
pub use seccomp::{SeccompArgument, SeccompProfile, SeccompRule};

/// The file that a bundle is described in.
const FILE: &str = "config.json";

/// What a bundle asks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Bundle {
    /// The sandbox, but for its streams.
    pub config: SandboxConfig,
    /// Whether the process wants a terminal. It gets its caller's, if at all.
    pub terminal: Terminal,
    /// What the filters of system calls in `config` were made of.
    pub seccomp: Option<SeccompProfile>,
    /// What is said about the bundle.
    pub annotations: BTreeMap<String, String>,
    /// Every field that is there and is not honoured.
    pub unsupported: Vec<BundleField>,
    /// Fields that make no difference in a sandbox.
    pub without_effect: Vec<BundleField>,
}

/// Who reads a bundle: mappings of ids are honoured where they are this one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hosts {
    /// The user's number.
    pub uid: u32,
    /// The group's.
    pub gid: u32,
}

impl Hosts {
    /// The effective ids of this process.
    pub fn current() -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        Self { uid: uid.as_raw(), gid: gid.as_raw() }
    }
}

impl Bundle {
    /// Reads the bundle in a directory.
    ///
    /// # Errors
    /// `config.json` is missing, too large, or is not what the specification says; the root file system
    /// is no directory. That something is not supported is no error here.
    pub fn read(directory: &Path) -> Result<Self, OciError> {
        let path = directory.join(FILE);
        let io = |source| OciError::Io { action: "read", path: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(json::LARGEST.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
        let bundle = Self::parse(directory, &bytes, Hosts::current())?;
        if let Root::Directory(root) = &bundle.config.root {
            let io = |source| OciError::Io { action: "open the root", path: root.clone(), source };
            if !root.metadata().map_err(io)?.is_dir() {
                let expected = "give the directory of the root file system, below the bundle's";
                let value = root.display().to_string();
                return Err(object::wrong("root.path", value, expected));
            }
        }
        Ok(bundle)
    }

    /// What a `config.json` with these bytes says in this directory. Nothing is looked up.
    ///
    /// # Errors
    /// As of [`Bundle::read`], but for what is on the disk.
    pub fn parse(directory: &Path, bytes: &[u8], hosts: Hosts) -> Result<Self, OciError> {
        let mut top = Object::new(String::new(), json::parse::<Value>(FILE, bytes)?)?;
        let mut told = Told::default();
        version(&top.need::<String>("ociVersion", "the version of the specification, 1.x")?)?;

        let process = process::Process::take(top.object("process")?, &mut told)?;
        let command = CommandLine::new(process.args);
        let mut config = SandboxConfig::new(command.map_err(object::config("process.args"))?);
        config.cwd = Some(process.cwd);
        config.env = process.env;
        config.user = process.user;
        config.capabilities = process.capabilities;

        let (root, read_only) = root(top.object("root")?, directory, &mut told)?;
        config.root = Root::Directory(root);
        if let Some(name) = top.take::<String>("hostname")?.filter(|name| !name.is_empty()) {
            config.hostname = Some(Hostname::new(name).map_err(object::config("hostname"))?);
        }
        let mounts = top.take::<Vec<Value>>("mounts")?.unwrap_or_default();
        config.extra_mounts = mounts::mounts(mounts, directory, &mut told)?;
        let linux = top.object("linux")?;
        let seccomp = linux::linux(linux, &mut config, hosts, &mut told)?;
        if let Some(profile) = &seccomp {
            config.seccomp = Seccomp::Programs(filters::filters(profile, &mut told)?);
        }
        if config.user_namespace == UserNamespace::Undefined {
            config.groups = process.groups;
        } else if !process.groups.is_empty() {
            // Only the caller's own ids have names there.
            told.unsupported("process.user.additionalGids", process.groups);
        }
        if read_only == ReadOnly::Yes {
            // Comes last: the mounts before it may have to make their mount points.
            let root = Mount::new("/", Filesystem::RemountInPlace);
            config.extra_mounts.push(root.map_err(object::config("root.readonly"))?);
        }
        config.validate().map_err(object::config("."))?;

        let annotations = top.take("annotations")?.unwrap_or_default();
        top.object("hooks")?.finish(&mut told);
        top.finish(&mut told);
        let Told { unsupported, without_effect } = told;
        let terminal = process.terminal;
        Ok(Self { config, terminal, seccomp, annotations, unsupported, without_effect })
    }
}

/// What is to be told of a bundle.
#[derive(Default)]
struct Told {
    unsupported: Vec<BundleField>,
    without_effect: Vec<BundleField>,
}

impl Told {
    fn unsupported(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        self.unsupported.push(BundleField { field: field.into(), value: value.into() });
    }

    fn without_effect(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        self.without_effect.push(BundleField { field: field.into(), value: value.into() });
    }
}

#[derive(PartialEq, Eq)]
enum ReadOnly {
    Yes,
    No,
}

fn version(version: &str) -> Result<(), OciError> {
    if version.split('.').next() == Some("1") {
        return Ok(());
    }
    let expected = "only bundles of version 1.x of the specification are known";
    Err(object::wrong("ociVersion", version.to_owned(), expected))
}

fn root(
    mut root: Object,
    directory: &Path,
    told: &mut Told,
) -> Result<(PathBuf, ReadOnly), OciError> {
    let path: String = root.need("path", "the directory of the root file system")?;
    if path.is_empty() || path.contains('\0') {
        let expected = "give the directory of the root file system";
        return Err(object::wrong("root.path", path, expected));
    }
    let read_only = if root.take("readonly")? == Some(true) { ReadOnly::Yes } else { ReadOnly::No };
    root.finish(told);
    Ok((directory.join(path), read_only))
}

/// A path inside, absolute even where it is not written so.
fn inside(path: &str, field: &str) -> Result<InsidePath, OciError> {
    InsidePath::from_root(path, "path").map_err(object::config(field))
}

#[cfg(test)]
mod tests;
