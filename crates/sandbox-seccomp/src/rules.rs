//! Rules as text: groups of calls, with the reason for each.

use crate::numbers::{errno, is_call};

/// The rules that builds are held to.
pub(crate) const BUILD: &str = include_str!("../rules/build.rules");

/// The rules of a terminal that is shared.
pub(crate) const TERMINAL: &str = include_str!("../rules/terminal.rules");

/// What is refused; all else is allowed.
///
/// ```text
/// # A comment.
/// include build without keyrings perf
/// group NAME
///   why    The reason, for people.
///   unless CAP_SYS_TIME CAP_SYS_ADMIN
///   EPERM  stime settimeofday
///   EACCES socket socketpair if 0 not in 0 1 2
/// ```
///
/// `include build` takes in the rules for builds, `without` leaves groups of theirs out. A command that keeps
/// one of the capabilities after `unless` keeps the calls of the group. A call can depend on the low 32 bits
/// of an argument, counted from 0. Where a call is named more than once, the first that fits counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rules {
    /// The groups, in order.
    pub groups: Vec<Group>,
}

/// Calls that are refused for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The reason.
    pub why: String,
    /// The capabilities, `CAP_` and all, with which the calls stay allowed.
    pub unless: Vec<String>,
    /// What is refused.
    pub denials: Vec<Denial>,
}

/// Calls that fail in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// The error's name.
    pub error: String,
    /// The error's number.
    pub errno: u16,
    /// The calls, by the names that the kernel's tables have.
    pub calls: Vec<String>,
    /// What must hold of an argument. `None`: they always fail.
    pub when: Option<When>,
}

/// A condition on the low 32 bits of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct When {
    /// Which argument, from 0 to 5.
    pub argument: u8,
    /// Whether it is one of the values, or none of them.
    pub test: Test,
    /// The values, at least one.
    pub values: Vec<u32>,
}

/// How an argument is held against values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// It is one of them.
    In,
    /// It is none of them.
    NotIn,
}

/// Rules that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mistake}")]
#[non_exhaustive]
pub struct RulesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What can be wrong with a line of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// The first word is none that there is.
    #[error(
        "{0:?} begins no line: give `group`, `why`, `unless`, `include` or an errno such as EPERM"
    )]
    Word(String),
    /// A line that belongs to a group stands before the first.
    #[error("this belongs to a group: begin with `group NAME`")]
    NoGroup,
    /// A word is missing or too many.
    #[error("give {0}")]
    Words(&'static str),
    /// No machine has such a call.
    #[error("no machine has a system call {0:?}")]
    Call(String),
    /// Not a number, or none that fits.
    #[error("{0:?} is not a number that fits here")]
    Number(String),
    /// The rules for builds have no such group.
    #[error("the rules for builds have no group {0:?}")]
    Group(String),
}

/// As many values as one jump can pass over, with room to spare.
const MOST_VALUES: usize = 200;

impl Rules {
    /// Reads rules.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let mut rules = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default();
            rules.line(text).map_err(|mistake| RulesError { line, mistake })?;
        }
        Ok(rules)
    }

    /// The rules that builds are held to.
    ///
    /// # Errors
    /// None: this crate's tests have read them.
    pub fn build() -> Result<Self, RulesError> {
        Self::parse(BUILD)
    }

    /// The rules of a terminal that is shared with the caller.
    ///
    /// # Errors
    /// None: this crate's tests have read them.
    pub fn terminal() -> Result<Self, RulesError> {
        Self::parse(TERMINAL)
    }

    /// The rules for a command that keeps these capabilities (`CAP_SYS_TIME`).
    #[must_use]
    pub fn for_capabilities<'a>(mut self, kept: impl IntoIterator<Item = &'a str>) -> Self {
        for kept in kept {
            self.groups.retain(|group| !group.unless.iter().any(|name| name == kept));
        }
        self
    }

    fn line(&mut self, text: &str) -> Result<(), Mistake> {
        let mut words = text.split_ascii_whitespace();
        let Some(first) = words.next() else { return Ok(()) };
        match first {
            "include" => return self.include(words),
            "group" => {
                let (Some(name), None) = (words.next(), words.next()) else {
                    return Err(Mistake::Words("one name after `group`"));
                };
                self.groups.push(Group { name: name.to_owned(), ..Group::default() });
                return Ok(());
            }
            _ => {}
        }
        let errno = errno(first);
        if errno.is_none() && !matches!(first, "why" | "unless") {
            return Err(Mistake::Word(first.to_owned()));
        }
        let group = self.groups.last_mut().ok_or(Mistake::NoGroup)?;
        match errno {
            Some(errno) => group.denials.push(denial((first, errno), words)?),
            None if first == "why" => group.why = words.collect::<Vec<_>>().join(" "),
            None => group.unless.extend(words.map(str::to_owned)),
        }
        Ok(())
    }

    fn include<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) -> Result<(), Mistake> {
        let usage = Mistake::Words("`include build` or `include build without GROUP...`");
        if words.next() != Some("build") || words.next().is_some_and(|word| word != "without") {
            return Err(usage);
        }
        let mut groups = Self::build().map_err(|error| error.mistake)?.groups;
        for without in words {
            let before = groups.len();
            groups.retain(|group| group.name != without);
            if groups.len() == before {
                return Err(Mistake::Group(without.to_owned()));
            }
        }
        self.groups.extend(groups);
        Ok(())
    }
}

fn denial<'a>(
    (error, errno): (&str, u16),
    mut words: impl Iterator<Item = &'a str>,
) -> Result<Denial, Mistake> {
    let calls: Vec<_> =
        words.by_ref().take_while(|word| *word != "if").map(str::to_owned).collect();
    if calls.is_empty() {
        return Err(Mistake::Words("system calls after the errno"));
    }
    if let Some(unknown) = calls.iter().find(|call| !is_call(call)) {
        return Err(Mistake::Call(unknown.clone()));
    }
    let when = words.next().map(|argument| when(argument, words)).transpose()?;
    Ok(Denial { error: error.to_owned(), errno, calls, when })
}

fn when<'a>(argument: &str, mut words: impl Iterator<Item = &'a str>) -> Result<When, Mistake> {
    let usage = || Mistake::Words("`if ARGUMENT in VALUE...` or `if ARGUMENT not in VALUE...`");
    let number = || Mistake::Number(argument.to_owned());
    let argument = argument.parse().ok().filter(|argument| *argument <= 5).ok_or_else(number)?;
    let test = match words.next() {
        Some("in") => Test::In,
        Some("not") if words.next() == Some("in") => Test::NotIn,
        _ => return Err(usage()),
    };
    let values = words.map(value).collect::<Result<Vec<_>, _>>()?;
    if (1..=MOST_VALUES).contains(&values.len()) {
        Ok(When { argument, test, values })
    } else {
        Err(Mistake::Words("1 to 200 values"))
    }
}

fn value(text: &str) -> Result<u32, Mistake> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| Mistake::Number(text.to_owned()))
}
