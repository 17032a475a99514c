//! The options that mount something: one ordered list, whatever their names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};
use sandbox_core::{ConfigError, Mount, MountFlag};

use crate::error::CliError;

/// The mounts of the command line, in its order. The derive of clap would give one list for each
/// option, and lose the order between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct MountFlags(Vec<(Form, OsString)>);

/// The options that mount something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bind,
    RoBind,
    Tmpfs,
    Proc,
    Dev,
    Mount,
}

impl Form {
    const ALL: [Self; 6] =
        [Self::Bind, Self::RoBind, Self::Tmpfs, Self::Proc, Self::Dev, Self::Mount];

    /// The option, its value, and its help.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Bind => ("bind", "SRC:DST", "A file or directory of the host"),
            Self::RoBind => ("ro-bind", "SRC:DST", "The same, read-only"),
            Self::Tmpfs => ("tmpfs", "DST[:OPTIONS]", "Empty, in memory (size=, mode=)"),
            Self::Proc => ("proc", "DST", "The sandbox's processes (/proc)"),
            Self::Dev => ("dev", "DST", "Minimal devices (/dev)"),
            Self::Mount => {
                ("mount", "SRC:DST:TYPE[:OPTIONS]", "Any, by fstab(5); `\\:` is a plain colon")
            }
        }
    }

    const fn name(self) -> &'static str {
        self.words().0
    }

    fn parse(self, text: &OsStr) -> Result<Mount, Problem> {
        let field = |text: &str| OsString::from(text);
        let empty = OsString::new();
        match self {
            Self::Bind | Self::RoBind => {
                let [source, target] = exactly(text)?;
                let bind = Mount::bind(source, target)?;
                Ok(if self == Self::RoBind { bind.with(MountFlag::ReadOnly) } else { bind })
            }
            Self::Tmpfs => {
                let (target, options) = first_field(text);
                let options = options.unwrap_or_default();
                Ok(Mount::from_fields(&field("tmpfs"), &target, &field("tmpfs"), options)?)
            }
            Self::Proc | Self::Dev => {
                let [target] = exactly(text)?;
                Ok(Mount::from_fields(&field("none"), &target, &field(self.name()), &empty)?)
            }
            Self::Mount => {
                let (source, rest) = first_field(text);
                let (target, rest) = first_field(rest.ok_or(Problem::Shape)?);
                let (kind, options) = first_field(rest.ok_or(Problem::Shape)?);
                Ok(Mount::from_fields(&source, &target, &kind, options.unwrap_or_default())?)
            }
        }
    }
}

/// What each of the options makes of a value, as far as it takes it.
#[cfg(fuzzing)]
pub(crate) fn of_each_form(text: &OsStr) -> Vec<Mount> {
    Form::ALL.iter().filter_map(|form| form.parse(text).ok()).collect()
}

/// What is wrong with a value.
#[derive(Debug)]
enum Problem {
    /// Too few or too many fields.
    Shape,
    /// A field.
    Field(ConfigError),
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Self::Field(error)
    }
}

impl MountFlags {
    /// The mounts, in order.
    pub(crate) fn mounts(&self) -> Result<Vec<Mount>, CliError> {
        let mounts = self.0.iter().map(|(form, text)| {
            form.parse(text).map_err(|problem| {
                let (flag, shape, _) = form.words();
                let problem = match problem {
                    Problem::Shape => format!("give {shape}, with `\\:` for a colon in a path"),
                    Problem::Field(error) => error.to_string(),
                };
                CliError::Flag { flag, value: text.clone(), problem }
            })
        });
        mounts.collect()
    }
}

/// The text up to the first `:` that has no `\` before it, and what follows that colon. In the
/// field, `\:` stands for `:` and `\\` for `\`.
fn first_field(text: &OsStr) -> (OsString, Option<&OsStr>) {
    let mut field = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return (OsString::from_vec(field), None),
            [b':', rest @ ..] => return (OsString::from_vec(field), Some(OsStr::from_bytes(rest))),
            [b'\\', escaped @ (b':' | b'\\'), rest @ ..] => {
                field.push(*escaped);
                rest
            }
            [byte, rest @ ..] => {
                field.push(*byte);
                rest
            }
        }
    }
}

/// All fields of a text, where there are exactly so many.
fn exactly<const N: usize>(text: &OsStr) -> Result<[OsString; N], Problem> {
    let mut fields = Vec::with_capacity(N);
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (field, next) = first_field(text);
        fields.push(field);
        rest = next;
    }
    fields.try_into().map_err(|_| Problem::Shape)
}

impl Args for MountFlags {
    fn augment_args(command: Command) -> Command {
        command.args(Form::ALL.map(|form| {
            let (name, value, help) = form.words();
            Arg::new(name)
                .long(name)
                .value_name(value)
                .help(help)
                .help_heading("Mounts, made in the order given (repeatable)")
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for MountFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let mut found = Vec::new();
        for form in Form::ALL {
            let texts = matches
                .try_get_many::<OsString>(form.name())
                .map_err(|error| Error::raw(ErrorKind::InvalidValue, error))?;
            let places = matches.indices_of(form.name());
            let pairs = places.into_iter().flatten().zip(texts.into_iter().flatten());
            found.extend(pairs.map(|(place, text)| (place, form, text.clone())));
        }
        found.sort_by_key(|(place, ..)| *place);
        self.0.extend(found.into_iter().map(|(_, form, text)| (form, text)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use sandbox_core::Filesystem;

    fn mounts(words: &[&str]) -> Result<Vec<String>, String> {
        let words = [&["run-sandbox"], words, &["/"]].concat();
        let flags = crate::flags::Flags::try_parse_from(words).unwrap();
        let mounts = flags.mounts.mounts().map_err(|error| error.to_string())?;
        Ok(mounts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_order_of_the_command_line_is_kept() {
        let words = [
            "--bind",
            "/a:/1",
            "--tmpfs",
            "/2",
            "--bind",
            "/b:/3",
            "--proc",
            "/4",
            "--dev",
            "/5",
            "--mount",
            "sys:/6:sysfs",
            "--ro-bind",
            "/c:/7",
            "--tmpfs",
            "/8:size=1m",
        ];
        assert_eq!(
            mounts(&words).unwrap(),
            [
                "/a on /1",
                "tmpfs on /2",
                "/b on /3",
                "proc on /4",
                "a minimal /dev on /5",
                "sysfs on /6",
                "/c on /7",
                "tmpfs on /8",
            ]
        );
    }

    #[test]
    fn the_fields_of_each_option() {
        let parse = |form: Form, text: &str| form.parse(text.as_ref()).unwrap();
        assert!(parse(Form::RoBind, "/a:/b").flags.contains(&MountFlag::ReadOnly));
        assert!(parse(Form::Bind, "/a:/b").flags.is_empty());
        let tmpfs = Filesystem::Tmpfs { size: Some(1 << 20), mode: Some(0o700) };
        assert_eq!(parse(Form::Tmpfs, "/t:size=1m,mode=700").filesystem, tmpfs);
        let overlay = parse(Form::Mount, "none:/o:overlay:lowerdir=/a:/b");
        assert_eq!(overlay.filesystem.sources().len(), 2);
    }

    #[test]
    fn a_backslash_keeps_a_colon_in_its_field() {
        let bind = Form::Bind.parse(r"/a\:b:/c\\d\e".as_ref()).unwrap();
        assert_eq!(bind.filesystem.sources()[0].as_os_str(), "/a:b");
        assert_eq!(bind.target.as_os_str(), r"/c\d\e");
        let bytes = OsStr::from_bytes(b"/\xff:/\xfe");
        assert_eq!(Form::Bind.parse(bytes).unwrap().target.as_os_str().as_bytes(), b"/\xfe");
    }

    #[test]
    fn a_mistake_names_the_option_the_value_and_what_would_work() {
        for (flag, value, problem) in [
            ("--bind", "/a", "give SRC:DST, with `\\:` for a colon in a path"),
            ("--bind", "/a:/b:ro", "give SRC:DST, with `\\:` for a colon in a path"),
            ("--bind", "/a:", "mount target is empty: give a path inside the sandbox"),
            ("--bind", ":/b", "mount.source is empty: give a path of the host"),
            ("--bind", "/a:b", "mount target \"b\" is relative: give an absolute path"),
            ("--proc", "/", "mount.target is `/`: mount on a directory below it"),
            ("--tmpfs", "/t:size=lots", "mount size \"lots\" is not valid: give bytes"),
            ("--proc", "/proc:ro", "give DST, with"),
            ("--dev", "dev", "mount target \"dev\" is relative"),
            ("--mount", "/a:/b", "give SRC:DST:TYPE[:OPTIONS], with"),
            ("--mount", "/a:/b:ext4", "mount type \"ext4\" is not valid: types are proc,"),
        ] {
            let error = mounts(&[flag, value]).unwrap_err();
            let expected = format!("{flag} {value:?}: {problem}");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
