//! Which system calls the command is refused.

use std::fmt;

use serde::de::{SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::capability::Support;
use crate::config::SandboxConfig;
use crate::error::ConfigError;
use crate::facts::{Ability, HostFacts};
use crate::feature::Setting;
use crate::plan::{Note, Step};

/// Which system calls the command is refused (seccomp(2)).
///
/// In a file: `"default"`, `"build"`, `"none"`, or a list of programs, each a list of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(into = "SeccompRepr")]
#[non_exhaustive]
pub enum Seccomp {
    /// As `Build` where the host can do it. Where it cannot, nothing is refused, and a note says so.
    #[default]
    Default,
    /// What builds never need: the build profile of `docs/seccomp.md`. A capability that is kept keeps the
    /// calls that are of no use without it.
    Build,
    /// Nothing, but to type into a terminal that is shared with the caller.
    None,
    /// What these refuse instead, installed in order right before the command.
    Programs(Vec<SeccompProgram>),
}

impl Seccomp {
    /// The caller's own filters, if these are what it has given.
    pub fn programs(&self) -> &[SeccompProgram] {
        match self {
            Self::Programs(programs) => programs,
            _ => &[],
        }
    }

    /// One more filter of the caller's; with the first, no profile is in force any more.
    pub fn add(&mut self, program: SeccompProgram) {
        match self {
            Self::Programs(programs) => programs.push(program),
            _ => *self = Self::Programs(vec![program]),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum SeccompRepr {
    Word(&'static str),
    Programs(Vec<SeccompProgram>),
}

impl From<Seccomp> for SeccompRepr {
    fn from(seccomp: Seccomp) -> Self {
        match seccomp {
            Seccomp::Default => Self::Word("default"),
            Seccomp::Build => Self::Word("build"),
            Seccomp::None => Self::Word("none"),
            Seccomp::Programs(programs) => Self::Programs(programs),
        }
    }
}

impl<'de> Deserialize<'de> for Seccomp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SeccompVisitor)
    }
}

struct SeccompVisitor;

impl<'de> Visitor<'de> for SeccompVisitor {
    type Value = Seccomp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`default`, `build`, `none` or a list of programs")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Seccomp, E> {
        match word {
            "default" => Ok(Seccomp::Default),
            "build" => Ok(Seccomp::Build),
            "none" => Ok(Seccomp::None),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seccomp, A::Error> {
        let mut programs = Vec::new();
        while let Some(program) = items.next_element()? {
            programs.push(program);
        }
        Ok(Seccomp::Programs(programs))
    }
}

/// The step that holds the command to the build profile, where it is to be held to it; and the note, where
/// the host cannot do what is done by default.
pub fn build_profile(config: &SandboxConfig, host: &HostFacts) -> (Option<Step>, Option<Note>) {
    let step = || Step::BuildProfile(config.capabilities.clone());
    match (&config.seccomp, host.can(Ability::Seccomp)) {
        (Seccomp::Build, _) | (Seccomp::Default, Support::Yes) => (Some(step()), None),
        (Seccomp::Default, Support::No(why)) => {
            let text = format!("the build profile is not in force, as the host has none: {why}");
            (None, Some(Note::new(Setting::Seccomp, text)))
        }
        (Seccomp::None | Seccomp::Programs(_), _) => (None, None),
    }
}

/// A filter of system calls (seccomp(2)): a program in the kernel's classic BPF, as an array of
/// `struct sock_filter` in the machine's byte order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct SeccompProgram(Vec<u8>);

impl SeccompProgram {
    /// The size of `struct sock_filter`, in bytes.
    const INSTRUCTION: usize = 8;
    /// The kernel's limit, `BPF_MAXINSNS`.
    const LONGEST: usize = 4096;

    /// A program of 1 to 4096 instructions. Whether it is sound the kernel says.
    ///
    /// # Errors
    /// Not a whole number of instructions, none, or too many.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let bytes = bytes.into();
        let whole = bytes.len().is_multiple_of(Self::INSTRUCTION);
        if whole && (1..=Self::LONGEST).contains(&(bytes.len() / Self::INSTRUCTION)) {
            return Ok(Self(bytes));
        }
        let expected = "a filter has 1 to 4096 instructions of 8 bytes each".to_owned();
        let value = format!("{} bytes", bytes.len()).into();
        Err(ConfigError::Invalid { field: "seccomp".into(), value, expected })
    }

    /// The instructions.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    pub fn instructions(&self) -> usize {
        self.0.len() / Self::INSTRUCTION
    }
}

impl fmt::Debug for SeccompProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeccompProgram({} instructions)", self.instructions())
    }
}

impl TryFrom<Vec<u8>> for SeccompProgram {
    type Error = ConfigError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ConfigError> {
        Self::new(bytes)
    }
}

impl From<SeccompProgram> for Vec<u8> {
    fn from(program: SeccompProgram) -> Self {
        program.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_whole_number_of_instructions() {
        assert_eq!(SeccompProgram::new([0; 16]).unwrap().instructions(), 2);
        for wrong in [0, 7, 9, 8 * 4097] {
            assert!(SeccompProgram::new(vec![0; wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn own_filters_take_the_place_of_the_profile() {
        let program = SeccompProgram::new([0; 8]).unwrap();
        let mut seccomp = Seccomp::default();
        assert!(seccomp.programs().is_empty());
        seccomp.add(program.clone());
        seccomp.add(program);
        assert_eq!(seccomp.programs().len(), 2);
    }
}
