//! The argument grammar: from words to what is asked for, or the message about what is wrong with them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The options that are understood in one call, and ROOTDIR, which is counted with them.
const MOST_GROUPS: usize = 1024;

/// The options that take one word.
const ONE_OPERAND: [&str; 5] =
    ["--mount-readonly", "--mount-proc", "--mount-devapi", "--chdir", "--seccomp-profile-version"];

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Help,
    Version,
    Run(Options),
}

/// Everything that the options of one call say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Options {
    /// In the order of the command line.
    pub(super) mounts: Vec<MountOption>,
    pub(super) unshare: Unshare,
    /// `--chdir`
    pub(super) directory: Option<OsString>,
    /// `--seccomp-profile-version`
    pub(super) filter: i32,
    /// ROOTDIR
    pub(super) root: PathBuf,
    /// PROGRAM and ARGS
    pub(super) command: Vec<OsString>,
}

/// One of the options that mount something; `at` is a path inside ROOTDIR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MountOption {
    Bind { source: PathBuf, at: OsString },
    ReadOnly { at: OsString },
    Proc { at: OsString },
    Devices { at: OsString },
}

/// The `--unshare-*` options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unshare {
    pub(super) ipc: bool,
    pub(super) pid: bool,
    pub(super) network: bool,
}

impl MountOption {
    /// DEST, as it was given.
    pub(super) fn at(&self) -> &OsStr {
        match self {
            Self::Bind { at, .. }
            | Self::ReadOnly { at }
            | Self::Proc { at }
            | Self::Devices { at } => at,
        }
    }
}

/// What is wrong with a command line, in the words of the C program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UsageError {
    #[error("ROOTDIR argument must be specified")]
    NoWords,
    #[error("--mount-bind takes two arguments")]
    TakesTwo,
    #[error("{0} takes one argument")]
    TakesOne(String),
    #[error("Too many mounts (maximum of {MOST_GROUPS})")]
    TooMany,
    #[error(
        "usage: {0} [--unshare-ipc] [--unshare-pid] [--unshare-net] [--mount-proc DEST] \
         [--mount-readonly DEST] [--mount-bind SRC DEST] [--mount-devapi DEST] [--chdir DIR] \
         [--seccomp-profile-version N] ROOTDIR PROGRAM ARGS..."
    )]
    TooFewWords(String),
}

impl Request {
    /// Reads words, the program's name first. The first that is no option is ROOTDIR, whatever it looks
    /// like; what follows PROGRAM is its own.
    pub(super) fn parse(words: &[OsString]) -> Result<Self, UsageError> {
        let (program, mut rest) = match words {
            [] | [_] => return Err(UsageError::NoWords),
            [program, rest @ ..] => (program, rest),
        };
        let mut options = Options { filter: -1, ..Options::default() };
        let mut groups = 0;
        while let [word, after @ ..] = rest {
            if groups == MOST_GROUPS {
                return Err(UsageError::TooMany);
            }
            groups += 1;
            let mounts = &mut options.mounts;
            rest = match (word.to_str().unwrap_or_default(), after) {
                ("--help", _) => return Ok(Self::Help),
                ("--version", _) => return Ok(Self::Version),
                ("--unshare-ipc", after) => {
                    options.unshare.ipc = true;
                    after
                }
                ("--unshare-pid", after) => {
                    options.unshare.pid = true;
                    after
                }
                ("--unshare-net", after) => {
                    options.unshare.network = true;
                    after
                }
                ("--mount-bind", [source, at, after @ ..]) => {
                    mounts.push(MountOption::Bind { source: source.into(), at: at.clone() });
                    after
                }
                ("--mount-bind", _) => return Err(UsageError::TakesTwo),
                ("--mount-readonly", [at, after @ ..]) => {
                    mounts.push(MountOption::ReadOnly { at: at.clone() });
                    after
                }
                ("--mount-proc", [at, after @ ..]) => {
                    mounts.push(MountOption::Proc { at: at.clone() });
                    after
                }
                ("--mount-devapi", [at, after @ ..]) => {
                    mounts.push(MountOption::Devices { at: at.clone() });
                    after
                }
                ("--chdir", [directory, after @ ..]) => {
                    options.directory = Some(directory.clone());
                    after
                }
                ("--seccomp-profile-version", [version, after @ ..]) => {
                    options.filter = number(version);
                    after
                }
                (option, []) if ONE_OPERAND.contains(&option) => {
                    return Err(UsageError::TakesOne(option.to_owned()));
                }
                _ => break,
            };
        }
        match rest {
            [root, command @ ..] if !command.is_empty() => {
                options.root = root.into();
                options.command = command.to_vec();
                Ok(Self::Run(options))
            }
            _ => Err(UsageError::TooFewWords(program.display().to_string())),
        }
    }
}

/// The number that a word begins with, as atoi(3) has it: without one it is 0. What does not fit is the
/// largest number, which no profile has; the C library's would come round to -1, no profile at all.
fn number(word: &OsStr) -> i32 {
    let blanks = [b' ', b'\t', b'\n', 0x0b, 0x0c, b'\r'];
    let mut rest = word.as_encoded_bytes();
    while let Some((_, after)) = rest.split_first().filter(|(byte, _)| blanks.contains(byte)) {
        rest = after;
    }
    let (sign, digits) = match rest {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value = digits.fold(0_i32, |value, digit| {
        value.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
    });
    value * sign
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, UsageError> {
        Request::parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    fn options(line: &str) -> Options {
        match parse(line) {
            Ok(Request::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_in_any_order_and_mounts_in_theirs() {
        let read = options(
            "luc --unshare-net --mount-proc /proc --chdir /a --mount-bind /s /d --unshare-ipc \
             --mount-readonly / --chdir b --mount-devapi /dev --unshare-pid \
             --seccomp-profile-version 0 /root program --help -x",
        );
        let expected = Options {
            mounts: vec![
                MountOption::Proc { at: "/proc".into() },
                MountOption::Bind { source: "/s".into(), at: "/d".into() },
                MountOption::ReadOnly { at: "/".into() },
                MountOption::Devices { at: "/dev".into() },
            ],
            unshare: Unshare { ipc: true, pid: true, network: true },
            directory: Some("b".into()),
            filter: 0,
            root: "/root".into(),
            command: ["program", "--help", "-x"].map(OsString::from).to_vec(),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn the_first_other_word_is_the_root() {
        for word in ["--", "--foo", "--unshare-net=1", "-h", "--Help", ""] {
            let read = options(&format!("luc {word} --help true"));
            assert_eq!(read.root.as_os_str(), word);
            assert_eq!(read.command, ["--help", "true"]);
        }
    }

    #[test]
    fn help_and_version_are_met_in_turn() {
        assert_eq!(parse("luc --unshare-net --help --mount-bind"), Ok(Request::Help));
        assert_eq!(parse("luc --version --help"), Ok(Request::Version));
        let error = parse("luc --mount-proc").unwrap_err().to_string();
        assert_eq!(error, "--mount-proc takes one argument");
        assert!(parse("luc --chdir --help").is_err(), "an operand is no option");
    }

    #[test]
    fn each_message() {
        for (line, message) in [
            ("luc", "ROOTDIR argument must be specified"),
            ("luc --mount-bind", "--mount-bind takes two arguments"),
            ("luc --mount-bind /a", "--mount-bind takes two arguments"),
            ("luc --mount-readonly", "--mount-readonly takes one argument"),
            ("luc --mount-proc", "--mount-proc takes one argument"),
            ("luc --mount-devapi", "--mount-devapi takes one argument"),
            ("luc --chdir", "--chdir takes one argument"),
            ("luc --seccomp-profile-version", "--seccomp-profile-version takes one argument"),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), message, "{line}");
        }
        for line in ["luc /root", "luc --unshare-net", "luc --unshare-net /root"] {
            let usage = parse(line).unwrap_err().to_string();
            assert!(usage.starts_with("usage: luc [--unshare-ipc] "), "{usage}");
            assert!(usage.ends_with(" ROOTDIR PROGRAM ARGS..."), "{usage}");
        }
    }

    #[test]
    fn every_option_counts_and_so_does_the_root() {
        let line = |count| format!("luc{} /root true", " --unshare-net".repeat(count));
        assert!(parse(&line(1023)).is_ok());
        let error = parse(&line(1024)).unwrap_err();
        assert_eq!(error.to_string(), "Too many mounts (maximum of 1024)");
        assert_eq!(parse(&line(10_000)), Err(UsageError::TooMany));
        let help = format!("luc{} --help", " --unshare-net".repeat(1024));
        assert_eq!(parse(&help), Err(UsageError::TooMany));
        let arguments = format!("luc /root true{}", " x".repeat(10_000));
        assert_eq!(options(&arguments).command.len(), 10_001);
    }

    #[test]
    fn numbers_are_read_as_the_c_library_does() {
        for (word, value) in [
            ("0", 0),
            ("-1", -1),
            (" 7x", 7),
            ("+3", 3),
            ("abc", 0),
            ("", 0),
            ("-", 0),
            ("99999999999999999999", i32::MAX),
            ("4294967295", i32::MAX),
            ("-99999999999999999999", -i32::MAX),
        ] {
            assert_eq!(number(OsStr::new(word)), value, "{word:?}");
        }
    }
}
