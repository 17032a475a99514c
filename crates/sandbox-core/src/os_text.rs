//! Operating-system strings in configuration files.
//!
//! Paths, arguments and environment values are bytes on POSIX systems. In a file they are written as
//! text where they are UTF-8, and as a list of bytes otherwise, so that nothing is lost either way.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An [`OsString`] that serialises as text where it can.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OsText(pub(crate) OsString);

impl Serialize for OsText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => to.serialize_str(text),
            None => to.collect_seq(self.0.as_bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for OsText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OsTextVisitor)
    }
}

/// Reads both forms; an untagged enum would, but could not say what is wrong with a value.
struct OsTextVisitor;

impl<'de> Visitor<'de> for OsTextVisitor {
    type Value = OsText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OsText, E> {
        Ok(OsText(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OsText, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(OsText(OsString::from_vec(bytes)))
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

/// `#[serde(with = "os_text::option")]` for an `Option<OsString>`.
pub(crate) mod option {
    use super::OsText;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::OsString;

    #[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        text: &Option<OsString>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        text.clone().map(OsText).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<OsString>, D::Error> {
        Ok(Option::<OsText>::deserialize(from)?.map(|text| text.0))
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
