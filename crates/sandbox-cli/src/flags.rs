//! The command line as it was given: plain data, no access to the system.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use sandbox_core::{Feature, Isolation, Setting};

use crate::image::ImageFlags;
use crate::mount_flags::MountFlags;
use crate::quantity;
use crate::time::TimeFlags;

const LEVEL: &str = "LEVEL";

const EXAMPLES: &str = "\
Examples:
  Build what is here, offline, with the host's compiler; write nowhere else:
    run-sandbox --build --bind .:/mnt --writable /mnt --cwd /mnt / -- make

  The same in a directory tree; of it, only /build can be written:
    run-sandbox --build --writable /build --cwd /build TREE -- make check

  One setting at a time; what is not asked for stays as it is:
    run-sandbox --network isolated / -- ping -c1 example.org

  Mounts are made in the order given, the later over the earlier:
    run-sandbox --tmpfs /home --ro-bind ~/src:/home/src TREE -- ls /home

  As root, so it seems; a variable set, another passed on, the others gone:
    run-sandbox --uid 0 --clear-env --env A=1 --env HOME / -- env

  Isolation where the host allows it, and a network of its own in any case:
    run-sandbox --build --best-effort --require network TREE -- make

  The settings of a file, and one that overrides it:
    run-sandbox --config box.toml --network undefined

  An image, as it says, with a volume; and another command in it:
    run-sandbox --volume data=/srv/data app.aci
    run-sandbox --cache ~/.cache/sandbox layout:stable make check

  What would be done, step by step; nothing is run:
    run-sandbox --build --explain TREE -- make

  What is possible here, and how to get the rest:
    run-sandbox --doctor

Exit status: the command's own; 128+N if signal N killed it; 124 if its time was
over and it ended when asked; 125 if the sandbox could not be made, or
run-sandbox was used wrongly; 126 if the command cannot be executed; 127 if it
was not found.";

/// Run a command partly isolated; what is not asked for is not isolated.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "run-sandbox",
    version,
    after_help = EXAMPLES,
    override_usage = "run-sandbox [OPTIONS] ROOT [--] [COMMAND [ARG]...]\n       \
                      run-sandbox [OPTIONS] --config FILE [ROOT [--] [COMMAND [ARG]...]]\n       \
                      run-sandbox pod [OPTIONS] IMAGE...\n       \
                      run-sandbox --doctor | --list-backends | --capabilities"
)]
pub(crate) struct Flags {
    /// Directory tree, `/` for the host's, or image, `-` from stdin
    #[arg(value_name = "ROOT")]
    pub(crate) root: Option<OsString>,
    /// Program to run in the sandbox, and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    pub(crate) command: Vec<OsString>,

    #[command(flatten)]
    pub(crate) place: PlaceFlags,
    #[command(flatten)]
    pub(crate) isolation: IsolationFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    #[command(flatten)]
    pub(crate) time: TimeFlags,
    #[command(flatten)]
    pub(crate) mounts: MountFlags,
    #[command(flatten)]
    pub(crate) image: ImageFlags,
    #[command(flatten)]
    pub(crate) choice: ChoiceFlags,
    #[command(flatten)]
    pub(crate) report: ReportFlags,
}

/// What the command finds when it starts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The command's surroundings")]
pub(crate) struct PlaceFlags {
    /// Where to start [default: /, or here if ROOT is /]
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<OsString>,
    /// Set a variable, or pass one on that is not inherited
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<OsString>,
    /// Inherit nothing: only what --env says
    #[arg(long)]
    pub(crate) clear_env: bool,
    /// User that the command runs as
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(crate) uid: Option<u32>,
    /// Its group [default: the number of --uid]
    #[arg(long, value_name = "ID", value_parser = id, requires = "uid")]
    pub(crate) gid: Option<u32>,
    /// Another group that it is in (repeatable)
    #[arg(long = "group", value_name = "ID", value_parser = id)]
    pub(crate) groups: Vec<u32>,
}

/// What is the sandbox's own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Isolation (LEVEL is isolated, or undefined: left as it is)")]
pub(crate) struct IsolationFlags {
    /// All of it, read-only, with own /tmp, /proc and /dev
    #[arg(long)]
    pub(crate) build: bool,
    /// A network with nothing but loopback
    #[arg(long, value_name = LEVEL, hide_possible_values = true)]
    pub(crate) network: Option<Level>,
    /// Sees and reaches only its own processes
    #[arg(long, value_name = LEVEL, hide_possible_values = true)]
    pub(crate) processes: Option<Level>,
    /// IPC objects of its own
    #[arg(long, value_name = LEVEL, hide_possible_values = true)]
    pub(crate) ipc: Option<Level>,
    /// Mounts made inside stay inside
    #[arg(long, value_name = LEVEL, hide_possible_values = true)]
    pub(crate) mounts: Option<Level>,
    /// Host name inside
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Only this path can be written (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(crate) writable: Vec<OsString>,
    /// Nothing can be written
    #[arg(long, conflicts_with = "writable")]
    pub(crate) read_only: bool,
    /// System calls refused: build (default), none, a file
    #[arg(long, value_name = "RULES")]
    pub(crate) seccomp: Option<OsString>,
}

/// How much of the host's resources all of the sandbox may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitFlags {
    /// Memory, in bytes or with K, M, G, Ki, Mi, Gi
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(crate) memory: Option<u64>,
    /// Processors, such as 0.5 or 2
    #[arg(long, value_name = "N", value_parser = quantity::thousandths)]
    pub(crate) cpu: Option<u32>,
    /// Processes and threads at the same time
    #[arg(long, value_name = "N", value_parser = quantity::count)]
    pub(crate) processes_max: Option<u32>,
}

/// How the request is met.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How")]
pub(crate) struct ChoiceFlags {
    /// Take this backend [default: $SANDBOXLIB_BACKEND]
    #[arg(long, short = 'e', alias = "executor", value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Warn of what is not possible here, and go on
    #[arg(long)]
    pub(crate) best_effort: bool,
    /// With --best-effort: not for this setting (repeatable)
    #[arg(long, value_name = "SETTING", value_parser = setting)]
    pub(crate) require: Vec<Setting>,
    /// Settings in TOML or JSON; flags win; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The same, from an open descriptor
    #[arg(long, value_name = "N", value_parser = descriptor, conflicts_with = "config")]
    pub(crate) config_fd: Option<i32>,
}

/// What is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct ReportFlags {
    /// Print what would be done, step by step; run nothing
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print what is possible here, and how to get the rest
    #[arg(long, conflicts_with = "explain")]
    pub(crate) doctor: bool,
    /// Print the backends, and whether they work here
    #[arg(long, conflicts_with_all = ["explain", "doctor"])]
    pub(crate) list_backends: bool,
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
    #[command(flatten)]
    pub(crate) verbosity: VerbosityFlags,
}

/// What programs are told.
#[derive(Debug, Clone, Args)]
pub(crate) struct MachineFlags {
    /// Print what is possible here, as JSON
    #[arg(long, conflicts_with_all = ["explain", "doctor", "list_backends"])]
    pub(crate) capabilities: bool,
    /// Report to this descriptor in JSON, not in words
    #[arg(long, value_name = "N", value_parser = descriptor_above_streams)]
    pub(crate) status_fd: Option<i32>,
}

/// How much is told of a run.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerbosityFlags {
    /// Tell which backend is used, and time and memory
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// An isolation as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    Isolated,
    Undefined,
}

impl From<Level> for Isolation {
    fn from(level: Level) -> Self {
        match level {
            Level::Isolated => Self::Isolated,
            Level::Undefined => Self::Undefined,
        }
    }
}

/// A user's or group's number. The largest of 32 bits means "none" to the kernel.
fn id(text: &str) -> Result<u32, String> {
    let id = text.parse().ok().filter(|id| *id != u32::MAX);
    id.ok_or_else(|| format!("give a number from 0 to {}", u32::MAX - 1))
}

/// A descriptor's number.
fn descriptor(text: &str) -> Result<i32, String> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| "give the number of an open file descriptor".to_owned())
}

/// One that is not a stream of the command.
pub(crate) fn descriptor_above_streams(text: &str) -> Result<i32, String> {
    match descriptor(text)? {
        0..=2 => Err("0 to 2 are the command's streams: give a number from 3".to_owned()),
        number => Ok(number),
    }
}

/// A setting by its name.
pub(crate) fn setting(name: &str) -> Result<Setting, String> {
    let mut settings: Vec<_> = Feature::ALL.iter().map(|feature| feature.setting()).collect();
    settings.dedup();
    settings.iter().copied().find(|setting| setting.to_string() == name).ok_or_else(|| {
        let names: Vec<_> = settings.iter().map(ToString::to_string).collect();
        format!("settings are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    fn parse(words: &[&str]) -> Result<Flags, clap::Error> {
        Flags::try_parse_from([&["run-sandbox"], words].concat())
    }

    #[test]
    fn the_grammar_is_sound() {
        Flags::command().debug_assert();
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let flags = parse(&["--network", "isolated", "/t", "make", "-j4", "--cwd", "x"]).unwrap();
        assert_eq!(flags.root.unwrap(), "/t");
        assert_eq!(flags.command, ["make", "-j4", "--cwd", "x"]);
        let flags = parse(&["/t", "--cwd", "/x", "--", "--odd", "--", "y"]).unwrap();
        assert_eq!(flags.place.cwd.unwrap(), "/x");
        assert_eq!(flags.command, ["--odd", "--", "y"]);
    }

    #[test]
    fn a_backend_has_three_spellings() {
        for flag in ["--backend", "--executor", "-e"] {
            let flags = parse(&[flag, "chroot", "/"]).unwrap();
            assert_eq!(flags.choice.backend.as_deref(), Some("chroot"));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for words in [
            &["--read-only", "--writable", "/a", "/"][..],
            &["--explain", "--doctor"],
            &["--gid", "1", "/"],
            &["--network", "off", "/"],
            &["--uid", "-1", "/"],
            &["--uid", "4294967295", "/"],
            &["--uid", "root", "/"],
            &["--require", "netwrok", "/"],
            &["--status-fd", "2", "/"],
            &["--status-fd", "x", "/"],
            &["--config-fd", "-1"],
            &["--config-fd", "4294967299"],
            &["--config-fd", "3", "--config", "x"],
            &["--capabilities", "--doctor"],
            &["--no-such-flag"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
        let error = parse(&["--require", "netwrok", "/"]).unwrap_err().to_string();
        assert!(error.contains("'netwrok'") && error.contains("extra-mounts, network"), "{error}");
    }
}
