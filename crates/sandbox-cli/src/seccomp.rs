//! Which system calls are refused, as it is written: a word, a file of rules, or programs.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sandbox_core::{Seccomp, SeccompProgram};
use sandbox_seccomp::{Machine, Rules, bytes, compile};
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::CliError;

/// More than any rules that fit a filter.
const LONGEST: u64 = 1 << 20;

/// What a configuration file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// A word, or programs.
    Given(Seccomp),
    /// A file of rules.
    File(PathBuf),
}

impl Choice {
    /// A word, or else the path of a file: `./build` for one of that name.
    fn of(text: &OsStr) -> Self {
        let word = text.to_str().map(StrDeserializer::<serde::de::value::Error>::new);
        match word.map(Seccomp::deserialize) {
            Some(Ok(seccomp)) => Self::Given(seccomp),
            _ => Self::File(text.into()),
        }
    }

    fn read(self) -> Result<Seccomp, CliError> {
        match self {
            Self::Given(seccomp) => Ok(seccomp),
            Self::File(path) => compiled(&path),
        }
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = Choice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`default`, `build`, `none`, the path of a file of rules or a list of programs")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Choice, E> {
        Ok(Choice::of(text.as_ref()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Choice, A::Error> {
        Seccomp::deserialize(SeqAccessDeserializer::new(items)).map(Choice::Given)
    }
}

/// What the flag says, else what the file does.
pub(crate) fn rules(
    flag: Option<&OsStr>,
    file: Option<Choice>,
) -> Result<Option<Seccomp>, CliError> {
    flag.map(Choice::of).or(file).map(Choice::read).transpose()
}

fn compiled(path: &Path) -> Result<Seccomp, CliError> {
    let fail = |problem: String| {
        let problem = format!("{problem} (give `default`, `build`, `none`, or a file of rules)");
        CliError::Flag { flag: "seccomp", value: path.into(), problem }
    };
    let mut text = String::new();
    let file = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    file.map_err(|error| fail(error.to_string()))?;
    let rules = Rules::parse(&text).map_err(|error| fail(error.to_string()))?;
    let machine = Machine::this().ok_or_else(|| fail("no rules for this machine".to_owned()))?;
    let program = SeccompProgram::new(bytes(&compile(machine, &[&rules])))?;
    Ok(Seccomp::Programs(vec![program]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn flag(text: &str) -> Result<Seccomp, String> {
        let rules = rules(Some(text.as_ref()), Some(Choice::Given(Seccomp::Build)));
        rules.map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn words_and_files() {
        assert_eq!(flag("none"), Ok(Seccomp::None));
        assert_eq!(flag("default"), Ok(Seccomp::Default));
        assert_eq!(rules(None, Some(Choice::Given(Seccomp::Build))).unwrap(), Some(Seccomp::Build));
        assert_eq!(rules(None, None).unwrap(), None);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"include build\ngroup mine\n EPERM chroot\n").unwrap();
        let given = flag(file.path().to_str().unwrap()).unwrap();
        assert!(given.programs()[0].instructions() > 50);
        file.write_all(b" EPERM chrot\n").unwrap();
        let error = flag(file.path().to_str().unwrap()).unwrap_err();
        assert!(error.contains("line 4: no machine has a system call \"chrot\""), "{error}");
        let error = flag("biuld").unwrap_err();
        assert!(error.contains("--seccomp") && error.contains("No such file"), "{error}");
    }
}
