//! Paths inside the sandbox.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, Field};
use crate::os_text::{OsText, has_nul};

/// An absolute path inside the sandbox, without empty or `.` components.
///
/// `..` is kept: what it means depends on symbolic links, so it is resolved when the path is used,
/// inside the sandbox's root (`openat2(2)`, `RESOLVE_IN_ROOT`), which it can never leave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "OsText", into = "OsText")]
pub struct InsidePath(OsString);

impl InsidePath {
    /// The sandbox's root directory.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// A path that must start with `/`. The field is named in errors.
    ///
    /// # Errors
    /// Empty, relative, or with a NUL byte.
    pub fn absolute(path: impl AsRef<OsStr>, field: impl Into<Field>) -> Result<Self, ConfigError> {
        let (path, field) = (path.as_ref(), field.into());
        if !path.is_empty() && path.as_bytes()[0] != b'/' {
            return Err(ConfigError::Relative { field, value: path.to_owned() });
        }
        Self::from_root(path, field)
    }

    /// A path that is taken from the sandbox's root whether or not it starts with `/`.
    ///
    /// # Errors
    /// Empty, or with a NUL byte.
    pub fn from_root(
        path: impl AsRef<OsStr>,
        field: impl Into<Field>,
    ) -> Result<Self, ConfigError> {
        let (path, field) = (path.as_ref(), field.into());
        if path.is_empty() {
            return Err(ConfigError::Empty { field, expected: "give a path inside the sandbox" });
        }
        if has_nul(path) {
            return Err(ConfigError::Nul { field, value: path.to_owned() });
        }
        let mut clean = Vec::with_capacity(path.len() + 1);
        for part in path.as_bytes().split(|byte| *byte == b'/') {
            if !part.is_empty() && part != b"." {
                clean.push(b'/');
                clean.extend_from_slice(part);
            }
        }
        if clean.is_empty() {
            clean.push(b'/');
        }
        Ok(Self(OsString::from_vec(clean)))
    }

    /// A path below this one: `name` is one component.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut path = if self.is_root() { OsString::new() } else { self.0.clone() };
        path.push("/");
        path.push(name);
        Self(path)
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// Whether this path is `other` or below it, by its components (`/ab` is not below `/a`).
    ///
    /// Paths with `..` are only ever equal to themselves here: where they lead is not known yet.
    pub fn is_within(&self, other: &Self) -> bool {
        let dotted = |path: &Self| path.components().any(|part| part == "..");
        self == other
            || (!dotted(self) && !dotted(other) && self.as_path().starts_with(other.as_path()))
    }

    /// The components, without the leading `/`.
    pub fn components(&self) -> impl Iterator<Item = &OsStr> {
        self.0
            .as_bytes()
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
            .map(OsStr::from_bytes)
    }

    /// This path, absolute.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// This path, absolute, as a string.
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl fmt::Display for InsidePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_path().display().fmt(f)
    }
}

impl TryFrom<OsText> for InsidePath {
    type Error = ConfigError;

    fn try_from(text: OsText) -> Result<Self, ConfigError> {
        Self::from_root(text.0, "path")
    }
}

impl From<InsidePath> for OsText {
    fn from(path: InsidePath) -> Self {
        Self(path.0)
    }
}
