//! Subordinate ids (subuid(5), subgid(5)): ranges of the host that belong to a user, and newuidmap(1),
//! which maps them in a user namespace.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, getgid, getuid};

/// A range of ids of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    start: u32,
    count: u32,
}

/// What of the caller's can be mapped: its own ids as 0, and the ranges as 1 and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranges {
    users: Range,
    groups: Range,
}

/// Why ids cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubordinateError {
    #[error("{file} gives {user} no range of ids: add a line such as `{user}:100000:65536`")]
    NoRange { file: &'static str, user: String },
    #[error("cannot run {program}: {source} (it is in the package uidmap)")]
    Program { program: &'static str, source: io::Error },
    #[error("{program} refused: {said}")]
    Refused { program: &'static str, said: String },
}

impl Ranges {
    /// The caller's first ranges.
    pub(super) fn of_caller() -> Result<Self, SubordinateError> {
        let number = getuid().to_string();
        let name = User::from_uid(getuid()).ok().flatten().map(|user| user.name);
        let name = name.unwrap_or_else(|| number.clone());
        let range = |file: &'static str| {
            let text = fs::read_to_string(Path::new(file)).unwrap_or_default();
            let found = range_of(&text, &[&name, &number]);
            found.ok_or_else(|| SubordinateError::NoRange { file, user: name.clone() })
        };
        Ok(Self { users: range("/etc/subuid")?, groups: range("/etc/subgid")? })
    }

    /// Maps them in the user namespace of a process.
    pub(super) fn map(self, pid: u32) -> Result<(), SubordinateError> {
        map("newuidmap", pid, getuid().as_raw(), self.users)?;
        map("newgidmap", pid, getgid().as_raw(), self.groups)
    }
}

/// The first line for one of these names: `NAME:START:COUNT`.
fn range_of(text: &str, names: &[&str]) -> Option<Range> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        fields.next().filter(|name| names.contains(name))?;
        let start = fields.next()?.parse().ok()?;
        let count = fields.next()?.parse().ok().filter(|count| *count > 0)?;
        Some(Range { start, count })
    })
}

fn map(program: &'static str, pid: u32, own: u32, range: Range) -> Result<(), SubordinateError> {
    let words = [pid, 0, own, 1, 1, range.start, range.count].map(|number| number.to_string());
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|source| SubordinateError::Program { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SubordinateError::Refused { program, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_user_counts() {
        let text = "other:1:5\nme:100000:65536\nme:9:9\n1000:7:8\nbad:x:1\nnone:5:0\n";
        assert_eq!(range_of(text, &["me", "1000"]), Some(Range { start: 100_000, count: 65536 }));
        assert_eq!(range_of(text, &["1000"]), Some(Range { start: 7, count: 8 }));
        for name in ["bad", "none", "nobody", "m"] {
            assert_eq!(range_of(text, &[name]), None, "{name}");
        }
    }
}
