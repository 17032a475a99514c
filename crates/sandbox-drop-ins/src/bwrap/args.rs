//! The grammar: words -> a request. Opens nothing; what `--args` names is read by the caller.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::vec::IntoIter;

use sandbox_core::{Capability, Hostname, InsidePath};

use super::error::BwrapError;
use super::mounts::Pending;
use super::numbers::{descriptor, id};
use super::options::{self, Spec, Word};
use super::request::{CapabilityChange, Request, Variable};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Help,
    Version,
    Run,
}

/// Reads all that is in a descriptor.
pub(super) type Read<'a> = dyn FnMut(RawFd) -> io::Result<Vec<u8>> + 'a;

/// Takes the words after the program's name apart. The request holds what was understood, in a failure
/// too.
pub(super) fn parse(
    words: Vec<OsString>,
    request: &mut Request,
    read: &mut Read<'_>,
) -> Result<Action, BwrapError> {
    let mut parser = Parser { request, pending: Pending::default(), read };
    let mut words = words.into_iter();
    let action = parser.options(&mut words, Place::CommandLine)?;
    if action == Action::Run {
        parser.pending.check_end()?;
        parser.request.command = words.collect();
    }
    Ok(action)
}

/// Where words are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    CommandLine,
    File,
}

struct Parser<'a, 'b> {
    request: &'a mut Request,
    pending: Pending,
    read: &'a mut Read<'b>,
}

type Words = IntoIter<OsString>;

/// The next operand. How many there are has been checked.
fn operand(words: &mut Words) -> OsString {
    words.next().unwrap_or_default()
}

impl Parser<'_, '_> {
    /// Up to the first word that is not an option.
    fn options(&mut self, words: &mut Words, place: Place) -> Result<Action, BwrapError> {
        while let Some(word) = words.as_slice().first() {
            if !word.as_bytes().starts_with(b"-") {
                break;
            }
            if word == "--" {
                words.next();
                break;
            }
            let known = options::find(word.as_bytes());
            let spec = known.ok_or_else(|| BwrapError::Unknown(word.clone()))?;
            words.next();
            match (spec.word, place) {
                (Word::Help, _) => return Ok(Action::Help),
                (Word::Version, _) => return Ok(Action::Version),
                (Word::Args, Place::File) => return Err(BwrapError::Nested),
                _ => {}
            }
            if words.len() < spec.arity() {
                let (option, operands) = (spec.name, spec.operands);
                return Err(BwrapError::TooFew { option, operands });
            }
            let action = self.option(spec, words)?;
            if action != Action::Run {
                return Ok(action);
            }
        }
        Ok(Action::Run)
    }

    fn option(&mut self, spec: &'static Spec, words: &mut Words) -> Result<Action, BwrapError> {
        self.pending.check(spec.word)?;
        if spec.word == Word::Args {
            return self.file(descriptor(spec.name, operand(words))?);
        }
        if spec.operands.is_empty() {
            self.switch(spec.word);
        } else if let Some(operations) = self.pending.operation(spec, words)? {
            self.request.operations.extend(operations);
        } else {
            self.setting(spec, words)?;
        }
        Ok(Action::Run)
    }

    /// Options from a descriptor. Words that are none would be lost, so they are refused; empty ones at
    /// the end are what an empty list leaves in a shell.
    fn file(&mut self, from: RawFd) -> Result<Action, BwrapError> {
        let text = (self.read)(from);
        let text = text.map_err(|source| BwrapError::Descriptor {
            option: "--args",
            number: from,
            source,
        })?;
        let text = text.strip_suffix(b"\0").unwrap_or(&text);
        let words: Vec<_> = match text {
            [] => Vec::new(),
            text => text.split(|byte| *byte == 0).map(|w| OsString::from_vec(w.into())).collect(),
        };
        let mut words = words.into_iter();
        let action = self.options(&mut words, Place::File)?;
        match words.find(|word| !word.is_empty()) {
            Some(word) if action == Action::Run => Err(BwrapError::Stray { from, word }),
            _ => Ok(action),
        }
    }

    fn switch(&mut self, word: Word) {
        let switches = &mut self.request.switches;
        match word {
            Word::UnshareAll => switches.extend([
                Word::UnshareUserTry,
                Word::UnshareIpc,
                Word::UnsharePid,
                Word::UnshareNet,
                Word::UnshareUts,
                Word::UnshareCgroupTry,
            ]),
            Word::ShareNet => {
                switches.remove(&Word::UnshareNet);
            }
            Word::Clearenv => self.request.variables.push(Variable::Clear),
            _ => {
                switches.insert(word);
            }
        }
    }

    fn setting(&mut self, spec: &'static Spec, words: &mut Words) -> Result<(), BwrapError> {
        let name = spec.name;
        let value = operand(words);
        let request = &mut *self.request;
        let repeated = &mut request.repeated;
        match spec.word {
            Word::Argv0 => {
                if request.argv0.replace(value).is_some() {
                    return Err(BwrapError::Twice { option: name });
                }
            }
            Word::Setenv => {
                let variable = variable(name, value)?;
                request.variables.push(Variable::Set(variable, operand(words)));
            }
            Word::Unsetenv => request.variables.push(Variable::Unset(variable(name, value)?)),
            Word::CapAdd | Word::CapDrop => request.capabilities.push(capability(spec, value)?),
            Word::LockFile => request.locks.push(InsidePath::from_root(value, field(spec))?),
            Word::Chdir => {
                let path = InsidePath::from_root(value, field(spec))?;
                set(&mut request.chdir, path, name, repeated);
            }
            Word::Hostname => set(&mut request.hostname, hostname(name, value)?, name, repeated),
            Word::Uid => set(&mut request.uid, id(name, value)?, name, repeated),
            Word::Gid => set(&mut request.gid, id(name, value)?, name, repeated),
            Word::ExecLabel | Word::FileLabel => {
                return Err(BwrapError::Label { option: name, label: value });
            }
            _ => self.descriptor(spec, descriptor(name, value)?)?,
        }
        Ok(())
    }

    /// The options whose operand is a descriptor.
    fn descriptor(&mut self, spec: &'static Spec, number: RawFd) -> Result<(), BwrapError> {
        let request = &mut *self.request;
        let once = match spec.word {
            Word::AddSeccompFd => {
                request.switches.insert(Word::AddSeccompFd);
                request.filters.push(number);
                return Ok(());
            }
            Word::Seccomp => {
                if !request.switches.insert(Word::Seccomp) {
                    request.repeated.push(spec.name);
                    request.filters.pop();
                }
                request.filters.push(number);
                return Ok(());
            }
            Word::PassFd if number < 3 => {
                let (option, value) = (spec.name, number.to_string().into());
                let expected = "a number from 3 on: the first three are passed anyway";
                return Err(BwrapError::Value { option, value, expected });
            }
            Word::PassFd => {
                request.passed.insert(number);
                return Ok(());
            }
            Word::Userns => &mut request.join.user,
            Word::Userns2 => &mut request.join.user_after,
            Word::Pidns => &mut request.join.processes,
            Word::SyncFd => &mut request.sync,
            Word::BlockFd => &mut request.block,
            Word::UsernsBlockFd => &mut request.userns_block,
            Word::InfoFd => &mut request.info,
            Word::JsonStatusFd => &mut request.json_status,
            // The table has no other option with an operand.
            _ => return Err(BwrapError::Unknown(spec.name.into())),
        };
        set(once, number, spec.name, &mut request.repeated);
        Ok(())
    }
}

/// The last one counts.
fn set<T>(place: &mut Option<T>, value: T, name: &'static str, repeated: &mut Vec<&'static str>) {
    if place.replace(value).is_some() {
        repeated.push(name);
    }
}

/// How errors of the configuration call an operand that is a path inside.
fn field(spec: &Spec) -> sandbox_core::Field {
    let last = spec.operands.rsplit(' ').next().unwrap_or_default();
    sandbox_core::Field::new(format!("{} {last}", spec.name))
}

fn variable(option: &'static str, name: OsString) -> Result<OsString, BwrapError> {
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        let expected = "the name of a variable, without `=`";
        return Err(BwrapError::Value { option, value: name, expected });
    }
    Ok(name)
}

fn hostname(option: &'static str, name: OsString) -> Result<Hostname, BwrapError> {
    let valid = name.to_str().and_then(|name| Hostname::new(name).ok());
    let expected = "1 to 64 letters, digits, `-`, `_` or `.`";
    valid.ok_or(BwrapError::Value { option, value: name, expected })
}

fn capability(spec: &'static Spec, name: OsString) -> Result<CapabilityChange, BwrapError> {
    let add = spec.word == Word::CapAdd;
    if name.eq_ignore_ascii_case(OsStr::new("ALL")) {
        return Ok(if add { CapabilityChange::AddAll } else { CapabilityChange::DropAll });
    }
    let Ok(capability) = Capability::named(&name) else {
        let expected = "ALL, or a name of capabilities(7), such as CAP_CHOWN";
        return Err(BwrapError::Value { option: spec.name, value: name, expected });
    };
    let change = if add { CapabilityChange::Add } else { CapabilityChange::Drop };
    Ok(change(capability))
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
