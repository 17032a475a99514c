//! The types that manifests share: names, identifiers, image IDs, versions (the specification's types.md).

use std::fmt;
use std::str::FromStr;

use semver::{BuildMetadata, Version};
use serde::{Deserialize, Serialize};

/// Why a text is not a value of its type. What it is about is said by what holds it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// Not an AC Name.
    #[error("{value:?} is not an AC Name: {expected}")]
    Name {
        /// The text.
        value: String,
        /// What is not met.
        expected: &'static str,
    },
    /// Not an AC Identifier.
    #[error("{value:?} is not an AC Identifier: {expected}")]
    Identifier {
        /// The text.
        value: String,
        /// What is not met.
        expected: &'static str,
    },
    /// Not an image ID.
    #[error("{value:?} is not an image ID: `sha512-` and up to 128 hexadecimal digits are")]
    ImageId {
        /// The text.
        value: String,
    },
    /// Not a semantic version.
    #[error("{value:?} is not a version: {source}, and {SPECIFICATION} would be one")]
    Version {
        /// The text.
        value: String,
        /// What is wrong with it.
        source: semver::Error,
    },
    /// A version of the specification that is not known here.
    #[error("{value} is not a known version of the specification: 0.0.1 to {SPECIFICATION} are")]
    UnknownVersion {
        /// The version.
        value: Version,
    },
}

/// The version of the specification that is met here.
pub const SPECIFICATION: Version = Version::new(0, 8, 11);

/// A text type that is checked when it is made, and serialised as it is.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = TypeError;

            fn try_from(text: String) -> Result<Self, TypeError> {
                Self::check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = TypeError;

            fn from_str(text: &str) -> Result<Self, TypeError> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// Names mount points, volumes, ports and the apps of a pod: lower case letters, digits and `-`, a
    /// letter or digit at both ends.
    AcName
}

checked_text! {
    /// Names images, labels, annotations and isolators: lower case letters, digits and `-._~/`, a letter or
    /// digit at both ends.
    AcIdentifier
}

checked_text! {
    /// The hash of an image's uncompressed archive: `sha512-` and hexadecimal digits.
    ImageId
}

impl AcName {
    fn check(text: &str) -> Result<(), TypeError> {
        alphanumeric_with(
            text,
            "-",
            "lower case letters, digits and `-` make one",
            "a letter or a digit is at both its ends",
        )
        .map_err(|expected| TypeError::Name { value: text.to_owned(), expected })
    }
}

impl AcIdentifier {
    fn check(text: &str) -> Result<(), TypeError> {
        alphanumeric_with(
            text,
            "-._~/",
            "lower case letters, digits and `-._~/` make one",
            "a letter or a digit is at both its ends",
        )
        .map_err(|expected| TypeError::Identifier { value: text.to_owned(), expected })
    }

    /// What follows the last `/`: an image's name without where it is from.
    pub fn last_component(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// Checks the characters, then the ends, as the specification's validator does: its regular expressions
/// are stricter in the middle, and images that it let pass are around.
fn alphanumeric_with(
    text: &str,
    others: &str,
    characters: &'static str,
    ends: &'static str,
) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !text.chars().all(|c| plain(c) || others.contains(c)) {
        Err(characters)
    } else if !text.starts_with(plain) || !text.ends_with(plain) {
        Err(ends)
    } else {
        Ok(())
    }
}

impl ImageId {
    /// The prefix that names the only permitted algorithm.
    const PREFIX: &'static str = "sha512-";

    /// The digits of a whole ID.
    const DIGITS: usize = 128;

    /// How many digits a shortened ID must have to stand for an image: 256 bits.
    const ENOUGH: usize = 64;

    /// The ID of this digest.
    pub fn from_digest(digest: &[u8; 64]) -> Self {
        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
        let digits = digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        Self(Self::PREFIX.chars().chain(digits).collect())
    }

    /// Whether this is the ID of an image whose whole ID is `whole`. A shortened ID is one if it has at
    /// least 64 digits.
    pub fn stands_for(&self, whole: &Self) -> bool {
        let (own, whole) = (self.0.to_ascii_lowercase(), whole.0.to_ascii_lowercase());
        own.len() >= Self::PREFIX.len() + Self::ENOUGH && whole.starts_with(&own)
    }

    fn check(text: &str) -> Result<(), TypeError> {
        let hexadecimal = text.strip_prefix(Self::PREFIX).is_some_and(|digits| {
            (1..=Self::DIGITS).contains(&digits.len())
                && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if hexadecimal { Ok(()) } else { Err(TypeError::ImageId { value: text.to_owned() }) }
    }
}

/// The version of the specification that a manifest is written for: one that is not newer than
/// [`SPECIFICATION`], of the same major version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AcVersion(Version);

impl AcVersion {
    /// The version that is met here.
    pub fn current() -> Self {
        Self(SPECIFICATION)
    }
}

impl TryFrom<String> for AcVersion {
    type Error = TypeError;

    fn try_from(value: String) -> Result<Self, TypeError> {
        match Version::parse(&value) {
            Err(source) => Err(TypeError::Version { value, source }),
            // What was built between two versions of the specification says `0.8.11+git`.
            Ok(version)
                if version > Version::new(0, 0, 0)
                    && without_build(&version) <= SPECIFICATION
                    && version.major == SPECIFICATION.major =>
            {
                Ok(Self(version))
            }
            Ok(value) => Err(TypeError::UnknownVersion { value }),
        }
    }
}

fn without_build(version: &Version) -> Version {
    Version { build: BuildMetadata::EMPTY, ..version.clone() }
}

impl From<AcVersion> for String {
    fn from(version: AcVersion) -> Self {
        version.0.to_string()
    }
}

impl fmt::Display for AcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name and a value: a label, an annotation, a variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameValue<N> {
    /// The name: unique in its list.
    pub name: N,
    /// The value, which means nothing here; empty where none is given.
    #[serde(default)]
    pub value: String,
}

/// What an image is, for choosing among images of one name: version, os, arch and others.
pub type Label = NameValue<AcIdentifier>;

/// Something about an image, an app or a pod that does not change how it runs.
pub type Annotation = NameValue<AcIdentifier>;

/// A variable of the environment.
pub type Variable = NameValue<String>;

/// The value of this label.
pub fn label<'a>(labels: &'a [Label], name: &str) -> Option<&'a str> {
    labels.iter().find(|label| label.name.as_str() == name).map(|label| label.value.as_str())
}
