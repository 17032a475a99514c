//! The `process` of a bundle.

use std::collections::BTreeSet;
use std::ffi::OsString;

use sandbox_core::{Capability, Environment, InsidePath, KeptCapabilities, User};

use super::super::error::OciError;
use super::object::{self, Object};
use super::{Told, inside};

/// Whether a process wants a terminal of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Terminal {
    /// It does. None is made: it has its caller's streams.
    Wanted,
    /// It does not.
    #[default]
    NotWanted,
}

pub(super) struct Process {
    pub(super) args: Vec<OsString>,
    pub(super) cwd: InsidePath,
    pub(super) env: Environment,
    pub(super) user: User,
    pub(super) groups: Vec<u32>,
    pub(super) capabilities: KeptCapabilities,
    pub(super) terminal: Terminal,
}

impl Process {
    pub(super) fn take(mut process: Object, told: &mut Told) -> Result<Self, OciError> {
        let args: Vec<OsString> = process
            .need::<Vec<String>>("args", "give the program and its arguments")?
            .into_iter()
            .map(OsString::from)
            .collect();
        let cwd: String = process.need("cwd", "give a directory inside")?;
        let env = environment(&process.take::<Vec<String>>("env")?.unwrap_or_default())?;
        let (user, groups) = user(process.object("user")?, told)?;
        let capabilities = capabilities(process.object("capabilities")?, told)?;
        let terminal = match process.take("terminal")? {
            Some(true) => {
                told.unsupported("process.terminal", true);
                Terminal::Wanted
            }
            _ => Terminal::NotWanted,
        };
        if let Some(size) = process.take::<serde_json::Value>("consoleSize")? {
            told.without_effect("process.consoleSize", size);
        }
        // It is always on.
        if process.take("noNewPrivileges")? == Some(false) {
            told.unsupported("process.noNewPrivileges", false);
        }
        process.finish(told);
        Ok(Self {
            args,
            cwd: inside(&cwd, "process.cwd")?,
            env,
            user,
            groups,
            capabilities,
            terminal,
        })
    }
}

fn environment(env: &[String]) -> Result<Environment, OciError> {
    let variable = |(index, text): (usize, &String)| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => {
            let field = format!("process.env[{index}]");
            Err(object::wrong(&field, text.clone(), "give NAME=VALUE"))
        }
    };
    let variables: Vec<_> = env.iter().enumerate().map(variable).collect::<Result<_, _>>()?;
    Ok(Environment::exactly(variables))
}

/// The user, and its supplementary groups.
fn user(mut user: Object, told: &mut Told) -> Result<(User, Vec<u32>), OciError> {
    let uid = user.take("uid")?.unwrap_or(0);
    let gid = user.take("gid")?.unwrap_or(0);
    let groups = user.take("additionalGids")?.unwrap_or_default();
    user.finish(told);
    let user = if (uid, gid) == (0, 0) { User::Root } else { User::Ids { uid, gid } };
    Ok((user, groups))
}

/// The command keeps what is effective, in every set. Where another set differs, that is told; but as no
/// program can give privileges, what is only in the bounding or the inheritable set has no effect.
fn capabilities(mut sets: Object, told: &mut Told) -> Result<KeptCapabilities, OciError> {
    let kept = set(&mut sets, "effective")?;
    for name in ["permitted", "ambient", "bounding", "inheritable"] {
        let other = set(&mut sets, name)?;
        if other == kept {
            continue;
        }
        let names: Vec<_> = other.iter().map(ToString::to_string).collect();
        let field = format!("process.capabilities.{name}");
        match name {
            "bounding" if other.is_superset(&kept) => told.without_effect(field, names),
            "inheritable" if names.is_empty() => {}
            "inheritable" => told.without_effect(field, names),
            _ => told.unsupported(field, names),
        }
    }
    sets.finish(told);
    Ok(if kept.is_empty() { KeptCapabilities::Nothing } else { KeptCapabilities::Only(kept) })
}

fn set(sets: &mut Object, name: &str) -> Result<BTreeSet<Capability>, OciError> {
    let field = sets.field(name);
    let names = sets.take::<Vec<String>>(name)?.unwrap_or_default();
    names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            Capability::named(name).map_err(object::config(&format!("{field}[{index}]")))
        })
        .collect()
}
