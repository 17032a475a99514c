//! What a check says: nothing where all is well, else what is wrong or why it cannot be known here.

use std::fmt::Debug;

/// The result of a case, of its control, and of every step of them.
pub(crate) type Check<T = ()> = Result<T, Failure>;

/// Why a check did not come to a good end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is not as promised.
    Wrong(String),
    /// This machine does not show it either way.
    CannotRun(String),
}

impl Failure {
    pub(crate) fn wrong(text: impl Into<String>) -> Self {
        Self::Wrong(text.into())
    }

    pub(crate) fn cannot_run(text: impl Into<String>) -> Self {
        Self::CannotRun(text.into())
    }

    /// The same, with what was being looked at.
    pub(crate) fn of(self, what: &str) -> Self {
        match self {
            Self::Wrong(text) => Self::Wrong(format!("{what}: {text}")),
            Self::CannotRun(text) => Self::CannotRun(format!("{what}: {text}")),
        }
    }
}

/// An error where none was expected. `Failure` itself is no `Error`, so that this can be said once.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Wrong(format!("unexpected error: {error}"))
    }
}

/// Fails with a text where a condition does not hold.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err($crate::check::Failure::wrong(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// Both values, where they are not the same.
#[expect(clippy::needless_pass_by_value, reason = "nearly every caller hands over a temporary")]
pub(crate) fn same<T, U>(what: &str, got: T, expected: U) -> Check
where
    T: PartialEq<U> + Debug,
    U: Debug,
{
    ensure!(got == expected, "{what}: got {got:?}, expected {expected:?}");
    Ok(())
}

/// An error must tell its reader what is wrong: the field, the value, the cause.
pub(crate) fn names(error: &impl ToString, words: &[&str]) -> Check {
    let text = error.to_string();
    for word in words {
        ensure!(text.contains(word), "the error does not name {word:?}: {text}");
    }
    ensure!(!text.trim().contains('\n'), "the error has more than one line: {text}");
    Ok(())
}
