//! The words of a command, given as one word or as a list.

use std::ffi::{OsStr, OsString};

/// A program and its arguments.
///
/// A single string is one word, the program: nothing splits it, there is no shell. The words are
/// checked when the command is run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Words(pub Vec<OsString>);

impl From<&str> for Words {
    fn from(program: &str) -> Self {
        Self(vec![program.into()])
    }
}

impl From<String> for Words {
    fn from(program: String) -> Self {
        Self(vec![program.into()])
    }
}

impl From<OsString> for Words {
    fn from(program: OsString) -> Self {
        Self(vec![program])
    }
}

impl<W: Into<OsString>> From<Vec<W>> for Words {
    fn from(words: Vec<W>) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

impl<W: Into<OsString>, const N: usize> From<[W; N]> for Words {
    fn from(words: [W; N]) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

impl<W: AsRef<OsStr>> From<&[W]> for Words {
    fn from(words: &[W]) -> Self {
        Self(words.iter().map(|word| word.as_ref().to_owned()).collect())
    }
}
