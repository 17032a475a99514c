//! Where a configuration is read from: a file, standard input, or a descriptor.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sandbox_sys::inherited;

use crate::error::CliError;
use crate::flags::ChoiceFlags;

/// More than any argument list that a kernel takes, however it is written down.
const LIMIT: u64 = 64 << 20;

/// What `--config` and `--config-fd` name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Stdin,
    Descriptor(i32),
}

impl Source {
    /// What the command line names, if it names anything.
    pub(crate) fn of(choice: &ChoiceFlags) -> Option<Self> {
        let file = choice.config.as_ref().map(|path| match path.as_os_str().to_str() {
            Some("-") => Self::Stdin,
            _ => Self::File(path.clone()),
        });
        let descriptor = choice.config_fd.map(|number| match number {
            0 => Self::Stdin,
            number => Self::Descriptor(number),
        });
        file.or(descriptor)
    }

    /// Its name in messages that give a line.
    pub(crate) fn name(&self) -> OsString {
        match self {
            Self::File(path) => path.clone().into_os_string(),
            Self::Stdin => "stdin".into(),
            Self::Descriptor(number) => format!("fd {number}").into(),
        }
    }

    /// All of it, read to its end.
    pub(crate) fn read(&self) -> Result<Vec<u8>, CliError> {
        self.read_up_to(LIMIT)
    }

    fn read_up_to(&self, limit: u64) -> Result<Vec<u8>, CliError> {
        let mut bytes = Vec::new();
        let file = self.open().and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
        file.map_err(|source| CliError::ReadConfig { from: self.clone(), source })?;
        if bytes.len() as u64 > limit {
            return Err(CliError::LargeConfig { from: self.clone(), limit });
        }
        Ok(bytes)
    }

    fn open(&self) -> io::Result<File> {
        match self {
            Self::File(path) => File::open(path),
            Self::Stdin => Ok(inherited(0)?.into()),
            Self::Descriptor(number) => Ok(inherited(*number)?.into()),
        }
    }
}

/// As it was given.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => {
                f.write_str("--config ")?;
                fmt::Debug::fmt(path, f)
            }
            Self::Stdin => f.write_str("--config -"),
            Self::Descriptor(number) => write!(f, "--config-fd {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_not_read_whole() {
        let zero = Source::File("/dev/zero".into());
        let error = zero.read_up_to(3 << 20).unwrap_err().to_string();
        assert_eq!(error, "--config \"/dev/zero\" holds more than 3 MiB");
        assert_eq!(Source::File("/dev/null".into()).read_up_to(0).unwrap(), b"");
    }

    #[test]
    fn a_descriptor_that_is_not_open() {
        let error = Source::Descriptor(987).read().unwrap_err().to_string();
        assert!(error.starts_with("--config-fd 987: Bad file descriptor"), "{error}");
    }
}
