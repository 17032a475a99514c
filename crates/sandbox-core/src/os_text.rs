//! Operating-system strings in configuration files.
//!
//! Paths, arguments and environment values are bytes on POSIX systems. In a file they are written as
//! text where they are UTF-8, and as a list of bytes otherwise, so that nothing is lost either way.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Serialize};

/// An [`OsString`] that serialises as text where it can.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Repr", into = "Repr")]
pub(crate) struct OsText(pub(crate) OsString);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Repr {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Repr> for OsText {
    fn from(repr: Repr) -> Self {
        Self(match repr {
            Repr::Text(text) => text.into(),
            Repr::Bytes(bytes) => OsString::from_vec(bytes),
        })
    }
}

impl From<OsText> for Repr {
    fn from(text: OsText) -> Self {
        match text.0.into_string() {
            Ok(text) => Self::Text(text),
            Err(bytes) => Self::Bytes(bytes.into_vec()),
        }
    }
}

/// `#[serde(with = "os_text::path")]` for a `PathBuf`.
pub(crate) mod path {
    use super::OsText;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::path::{Path, PathBuf};

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        OsText(path.as_os_str().to_owned()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsText::deserialize(from).map(|text| text.0.into())
    }
}

/// `#[serde(with = "os_text::paths")]` for a `Vec<PathBuf>`.
pub(crate) mod paths {
    use super::OsText;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::path::PathBuf;

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<_> = paths.iter().map(|p| OsText(p.clone().into_os_string())).collect();
        texts.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        let texts = Vec::<OsText>::deserialize(from)?;
        Ok(texts.into_iter().map(|text| text.0.into()).collect())
    }
}

/// Whether a string can be handed to the kernel, whose strings end at the first NUL.
pub(crate) fn has_nul(text: &OsStr) -> bool {
    text.as_bytes().contains(&0)
}
