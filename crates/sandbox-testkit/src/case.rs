//! A case, as data: its name, what it needs, what it checks, and what shows that it can fail.

use std::fmt;

use sandbox_core::Feature;

use crate::check::Check;
use crate::world::World;

/// One promise of the library, checked.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// `subject/promise`.
    pub(crate) name: &'static str,
    /// Without these it is not run.
    pub(crate) needs: &'static [Need],
    /// Checks the promise.
    pub(crate) run: fn(&World<'_>) -> Check,
    /// Shows that what the sandbox prevents does happen without it.
    pub(crate) control: Option<fn(&World<'_>) -> Check>,
    /// Nearly every case runs a command in a tree.
    pub(crate) in_tree: bool,
}

impl Case {
    /// A case that runs commands in the test tree.
    pub(crate) const fn new(
        name: &'static str,
        needs: &'static [Need],
        run: fn(&World<'_>) -> Check,
    ) -> Self {
        Self { name, needs, run, control: None, in_tree: true }
    }

    /// The same, with the proof that it can fail.
    pub(crate) const fn control(mut self, control: fn(&World<'_>) -> Check) -> Self {
        self.control = Some(control);
        self
    }

    /// The same, for a case that has another root or none.
    pub(crate) const fn without_tree(mut self) -> Self {
        self.in_tree = false;
        self
    }

    /// Everything that it needs.
    pub(crate) fn all_needs(&self) -> impl Iterator<Item = Need> {
        let tree = self.in_tree.then_some(Need::Has(Feature::RootDirectory));
        tree.into_iter().chain(self.needs.iter().copied())
    }
}

/// What a case cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The backend gives this here.
    Has(Feature),
    /// The caller is root.
    Root,
    /// The caller is not root.
    PlainUser,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Has(feature) => write!(f, "{}={}", feature.setting(), feature.value()),
            Self::Root => f.write_str("root"),
            Self::PlainUser => f.write_str("user"),
        }
    }
}

/// Code for a process of its own: a caller in a state that the test itself must not be in.
#[derive(Clone, Copy)]
pub(crate) struct Role {
    /// Its name.
    pub(crate) name: &'static str,
    /// What that process does.
    pub(crate) run: fn(&World<'_>) -> Check,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The promise is kept.
    Passed,
    /// It is not.
    Failed(String),
    /// The backend does not promise it, and says so when it is asked for.
    Refused(String),
    /// It cannot be known here.
    Skipped {
        /// The need that is not met, as `SANDBOX_TEST_MUST_RUN` names it.
        need: String,
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Its word in the output, which `cargo xtask matrix` reads.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// For the file in which the process of a case leaves its verdict.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Passed => "passed\n".to_owned(),
            Self::Failed(text) => format!("failed\n{text}"),
            Self::Refused(text) => format!("refused\n{text}"),
            Self::Skipped { need, reason } => format!("skipped\n{need}\n{reason}"),
        }
    }

    /// The verdict that such a file holds.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once('\n')?;
        Some(match word {
            "passed" => Self::Passed,
            "failed" => Self::Failed(rest.to_owned()),
            "refused" => Self::Refused(rest.to_owned()),
            "skipped" => {
                let (need, reason) = rest.split_once('\n')?;
                Self::Skipped { need: need.to_owned(), reason: reason.to_owned() }
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => Ok(()),
            Self::Failed(text) | Self::Refused(text) => f.write_str(text),
            Self::Skipped { need, reason } => write!(f, "{need}: {reason}"),
        }
    }
}
