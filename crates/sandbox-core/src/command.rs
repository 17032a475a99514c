//! What is run: the command line, its environment and its standard streams.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::os_text::{self, OsText, has_nul};

/// A program and its arguments; never empty.
///
/// A program without a `/` is looked for in the `PATH` of the command's own environment, inside the
/// sandbox, as `execvp(3)` does. Nothing is split or expanded: there is no shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<OsText>", into = "Vec<OsText>")]
pub struct CommandLine(Vec<OsString>);

impl CommandLine {
    /// A program and its arguments.
    ///
    /// # Errors
    /// No words, an empty program, or a NUL byte in any word.
    pub fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Result<Self, ConfigError> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        if words.first().is_none_or(|program| program.is_empty()) {
            let expected = "give a program and its arguments";
            return Err(ConfigError::Empty { field: "command".into(), expected });
        }
        match words.iter().find(|word| has_nul(word)) {
            Some(word) => Err(ConfigError::Nul { field: "command".into(), value: word.clone() }),
            None => Ok(Self(words)),
        }
    }

    /// The program as it was given.
    pub fn program(&self) -> &OsStr {
        &self.0[0]
    }

    /// All words, the program first.
    pub fn words(&self) -> &[OsString] {
        &self.0
    }
}

impl TryFrom<Vec<OsText>> for CommandLine {
    type Error = ConfigError;

    fn try_from(words: Vec<OsText>) -> Result<Self, ConfigError> {
        Self::new(words.into_iter().map(|word| word.0))
    }
}

impl From<CommandLine> for Vec<OsText> {
    fn from(command: CommandLine) -> Self {
        command.0.into_iter().map(OsText).collect()
    }
}

/// The command's environment: what it takes over from the caller's, and what is set on top.
///
/// The default takes everything over. Nothing else is ever added: an environment of exactly
/// `foo=bar` is what the command sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Environment {
    /// What is taken over from the caller's environment.
    pub inherit: Inherit,
    /// Variables that are set, over what is inherited.
    #[serde(with = "variables")]
    pub set: BTreeMap<OsString, OsString>,
}

/// Which of the caller's variables the command sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Inherit {
    /// Every one.
    #[default]
    All,
    /// None.
    Nothing,
    /// All but these.
    AllBut(#[serde(with = "names")] BTreeSet<OsString>),
    /// Only these, where the caller has them.
    Only(#[serde(with = "names")] BTreeSet<OsString>),
}

impl Environment {
    /// Exactly these variables and no others.
    pub fn exactly<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let set = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { inherit: Inherit::Nothing, set }
    }

    /// The variables that the command gets, when the caller's are these.
    pub fn resolve(
        &self,
        callers: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> BTreeMap<OsString, OsString> {
        let keep = |name: &OsString| match &self.inherit {
            Inherit::All => true,
            Inherit::Nothing => false,
            Inherit::AllBut(names) => !names.contains(name),
            Inherit::Only(names) => names.contains(name),
        };
        let mut variables: BTreeMap<_, _> =
            callers.into_iter().filter(|(name, _)| keep(name)).collect();
        variables.extend(self.set.clone());
        variables
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        for (name, value) in &self.set {
            let field = || "env".into();
            if name.is_empty() {
                return Err(ConfigError::Empty {
                    field: field(),
                    expected: "a variable has a name",
                });
            }
            if name.as_bytes().contains(&b'=') {
                let expected = "a variable's name has no `=`".to_owned();
                return Err(ConfigError::Invalid { field: field(), value: name.clone(), expected });
            }
            if let Some(value) = [name, value].into_iter().find(|text| has_nul(text)) {
                return Err(ConfigError::Nul { field: field(), value: value.clone() });
            }
        }
        Ok(())
    }
}

/// Where the command's standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Input {
    /// `/dev/null` of the host: always at its end.
    #[default]
    Null,
    /// The caller's own; `Null` where the caller has closed it.
    Inherit,
    /// A pipe that the caller writes to.
    Piped,
    /// A file of the host, opened for reading.
    File(#[serde(with = "os_text::path")] PathBuf),
    /// One of the caller's open descriptors, by its number.
    Descriptor(i32),
}

/// Where one of the command's output streams goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Output {
    /// Into memory, returned in the outcome.
    Capture(CaptureLimit),
    /// The caller's own; `Null` where the caller has closed it.
    Inherit,
    /// Discarded.
    Null,
    /// Appended to a file of the host, which is created where it is missing.
    File(#[serde(with = "os_text::path")] PathBuf),
    /// One of the caller's open descriptors, by its number.
    Descriptor(i32),
    /// Where standard output goes; for standard error only.
    ToStdout,
}

impl Default for Output {
    fn default() -> Self {
        Self::Capture(CaptureLimit::Unlimited)
    }
}

/// How much of a captured stream is kept; the rest is read and dropped, so that the command goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureLimit {
    /// All of it.
    #[default]
    Unlimited,
    /// The first so many bytes. The outcome says whether any were dropped.
    Bytes(u64),
}

mod variables {
    use super::OsText;
    use serde::de::{MapAccess, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};
    use std::{collections::BTreeMap, ffi::OsString, fmt};

    type Map = BTreeMap<OsString, OsString>;

    /// A table, or where a name is not UTF-8 and so cannot be a key, a list of pairs.
    pub(super) fn serialize<S: Serializer>(map: &Map, to: S) -> Result<S::Ok, S::Error> {
        let text = |text: &OsString| OsText(text.clone());
        let pairs = map.iter().map(|(name, value)| (text(name), text(value)));
        if map.keys().all(|name| name.to_str().is_some()) {
            to.collect_map(pairs)
        } else {
            to.collect_seq(pairs)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Map, D::Error> {
        from.deserialize_any(MapVisitor)
    }

    struct MapVisitor;

    impl<'de> Visitor<'de> for MapVisitor {
        type Value = Map;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of variables, or a list of [name, value]")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Map, A::Error> {
            let mut map = Map::new();
            while let Some((name, value)) = items.next_entry::<OsText, OsText>()? {
                map.insert(name.0, value.0);
            }
            Ok(map)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Map, A::Error> {
            let mut map = Map::new();
            while let Some((name, value)) = items.next_element::<(OsText, OsText)>()? {
                map.insert(name.0, value.0);
            }
            Ok(map)
        }
    }
}

mod names {
    use super::OsText;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::{collections::BTreeSet, ffi::OsString};

    pub(super) fn serialize<S: Serializer>(
        names: &BTreeSet<OsString>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        names.iter().cloned().map(OsText).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeSet<OsString>, D::Error> {
        Ok(Vec::<OsText>::deserialize(from)?.into_iter().map(|name| name.0).collect())
    }
}
