//! What can be wrong with a manifest.

use std::fmt;
use std::io;

/// A manifest that cannot be used. Each names the field and what would work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It could not be read.
    #[error("the manifest cannot be read: {source}")]
    Read {
        /// Why.
        source: io::Error,
    },
    /// It is longer than any manifest is.
    #[error("the manifest has more than {limit} bytes")]
    TooLong {
        /// How long one may be.
        limit: u64,
    },
    /// Its lists and objects hold each other more deeply than any manifest's do.
    #[error("the manifest is nested more than {limit} deep")]
    TooDeep {
        /// How deep one may be.
        limit: usize,
    },
    /// It is not JSON, or a field is missing or of another type.
    #[error("{field}: {source}")]
    Json {
        /// The field, or the one around what is missing.
        field: Field,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
    /// It is another kind of manifest.
    #[error("acKind: {found:?} is not what is read here: {expected:?} is")]
    Kind {
        /// What it says it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that is not among those that work.
    #[error("{field}: {value:?} is not valid: {expected}")]
    Invalid {
        /// The field.
        field: Field,
        /// Its value.
        value: String,
        /// What would work.
        expected: String,
    },
    /// A name that is given to two things of one list.
    #[error("{field}: {value:?} is the name at {first} already: a name is used once")]
    Duplicate {
        /// The second field.
        field: Field,
        /// The name.
        value: String,
        /// The first field.
        first: Field,
    },
    /// Two isolators that exclude each other.
    #[error("{field}: {name} cannot be used with {other}, at {first}")]
    Conflict {
        /// The second one.
        field: Field,
        /// Its name.
        name: &'static str,
        /// The other's name.
        other: &'static str,
        /// The other.
        first: Field,
    },
    /// There is no app to run.
    #[error("app: the image does not say what it runs: give a command")]
    NoApp,
    /// There is an app, but no program.
    #[error("{field}: it is empty, so the image does not say what it runs: give a command")]
    NoProgram {
        /// The field.
        field: Field,
    },
    /// A pod without apps.
    #[error("apps: the pod has none")]
    NoApps,
}

/// A field of a manifest, as in `app.mountPoints[1].name`; empty for the manifest itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field(String);

impl Field {
    /// The path, as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A field of this one.
    #[must_use]
    pub(super) fn then(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// An element of this one, which is a list.
    #[must_use]
    pub(super) fn at(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// What a tracked path leads to, from this one.
    #[must_use]
    pub(super) fn follow(&self, path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        path.iter().fold(self.clone(), |field, segment| match segment {
            Segment::Seq { index } => field.at(*index),
            Segment::Map { key } => field.then(key),
            Segment::Enum { variant } => field.then(variant),
            Segment::Unknown => field,
        })
    }
}

impl From<&str> for Field {
    fn from(path: &str) -> Self {
        Self(path.to_owned())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the manifest" } else { &self.0 })
    }
}

impl ManifestError {
    pub(super) fn invalid(
        field: Field,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Invalid { field, value: value.into(), expected: expected.into() }
    }
}
