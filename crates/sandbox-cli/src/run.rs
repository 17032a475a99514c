//! From the words of the command line to an exit code.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sandbox_core::{BACKEND_VARIABLE, HostFacts, Outcome, Policy, Preference, Root, SandboxConfig};
use sandbox_sys::{HeldSignals, Launcher, RunError, SandboxChild, SetUp};
use sandboxlib::BACKENDS;

use crate::config_file::ConfigFile;
use crate::config_source::Source;
use crate::descriptors::{Own, check_open};
use crate::error::CliError;
use crate::flags::{Flags, ReportFlags};
use crate::report::Audience;
use crate::resolve::{Base, Request, resolve};
use crate::{capabilities, doctor, exit, image, misuse, render};

/// The program's name.
pub(crate) const NAME: &str = "run-sandbox";
/// The backend for what no other one can do.
pub(crate) const LINUX: &str = "linux-user-chroot";

/// What is to be done.
enum Action {
    Run(Verbosity),
    Explain,
    Doctor,
    ListBackends,
    Capabilities,
}

pub(crate) enum Verbosity {
    Quiet,
    Verbose,
}

/// Runs the command with these words, the program's name first, and returns its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<_> = words.into_iter().collect();
    if let Some(code) = image::pod(&words) {
        return code;
    }
    let flags = match Flags::try_parse_from(&words) {
        Ok(flags) => flags,
        Err(error) if error.use_stderr() => {
            audience_of_mistakes(&words).misused(&error);
            return exit::NOT_MADE.into();
        }
        // --help and --version.
        Err(text) => {
            return print(&text.to_string())
                .map_or_else(|error| fail(&Audience::People, &error), |()| ExitCode::SUCCESS);
        }
    };
    let audience = match Audience::at(flags.report.machine.status_fd) {
        Ok(audience) => audience,
        Err(error) => return fail(&Audience::People, &error),
    };
    act(flags, &audience).map_or_else(|error| fail(&audience, &error), ExitCode::from)
}

/// Whoever can be made out from a command line that is wrong elsewhere.
fn audience_of_mistakes(words: &[OsString]) -> Audience {
    let number = misuse::status_fd(&Flags::command(), words);
    Audience::at(number).unwrap_or(Audience::People)
}

pub(crate) fn fail(audience: &Audience, error: &CliError) -> ExitCode {
    audience.failed(error);
    exit::of_error(error).into()
}

fn act(flags: Flags, audience: &Audience) -> Result<u8, CliError> {
    match action(&flags.report) {
        Action::Doctor => print(&doctor::report(&BACKENDS, host()?, &doctor::here()))?,
        Action::ListBackends => print(&doctor::list(&BACKENDS, host()?))?,
        Action::Capabilities => {
            print(&capabilities::report(&BACKENDS, host()?).map_err(io::Error::from)?)?;
        }
        Action::Explain => return carry_out(flags, &Verbosity::Quiet, audience),
        Action::Run(verbosity) => return carry_out(flags, &verbosity, audience),
    }
    Ok(0)
}

fn host() -> Result<&'static HostFacts, RunError> {
    Ok(sandbox_sys::probe()?)
}

fn action(report: &ReportFlags) -> Action {
    if report.doctor {
        Action::Doctor
    } else if report.list_backends {
        Action::ListBackends
    } else if report.machine.capabilities {
        Action::Capabilities
    } else if report.explain {
        Action::Explain
    } else if report.verbosity.verbose {
        Action::Run(Verbosity::Verbose)
    } else {
        Action::Run(Verbosity::Quiet)
    }
}

/// Explains or runs what the flags and the file ask for.
fn carry_out(flags: Flags, verbosity: &Verbosity, audience: &Audience) -> Result<u8, CliError> {
    let own = Own::of(&flags);
    let file = Source::of(&flags.choice).map(|from| ConfigFile::read(&from)).transpose()?;
    let file = file.unwrap_or_default();
    if let Some(root) = root(&flags, &file).filter(|root| image::is_image(root)) {
        return image::run(&root, &flags, &file, verbosity, audience);
    }
    let variable = std::env::var_os(BACKEND_VARIABLE);
    let (explains, request) =
        (flags.report.explain, resolve(flags, file, variable, Base::Nothing)?);
    own.check(&request.config)?;
    if explains {
        explain(&request, audience).map(|()| 0)
    } else {
        start(&request, verbosity, audience)
    }
}

/// What the sandbox's root is said to be, if it is a path.
fn root(flags: &Flags, file: &ConfigFile) -> Option<PathBuf> {
    match (&flags.root, &file.root) {
        (Some(root), _) => Some(root.into()),
        (None, Some(Root::Directory(root))) => Some(root.clone()),
        _ => None,
    }
}

pub(crate) fn launcher(request: &Request) -> Launcher<'static> {
    let launcher = Launcher::new(&BACKENDS).policy(request.policy.clone());
    launcher.preference(request.preference.clone())
}

pub(crate) fn explain(request: &Request, audience: &Audience) -> Result<(), CliError> {
    let (selection, plan) = launcher(request).plan(&request.config)?;
    audience.say(&render::ignored(selection.ignored_variable.as_deref()));
    let passed_over = selection.rejected.iter().flat_map(render::obstacles);
    let passed_over = passed_over.map(|obstacle| format!("passed over: {obstacle}\n"));
    print(&format!("{}{plan}", passed_over.collect::<String>()))
}

fn start(request: &Request, verbosity: &Verbosity, audience: &Audience) -> Result<u8, CliError> {
    check_open(&request.config)?;
    let held = HeldSignals::hold().map_err(CliError::Signals)?;
    let child = begin(request, verbosity, audience)?;
    let outcome = child.wait_interruptible(&held)?;
    Ok(finish(&outcome, held, verbosity, audience))
}

/// Tells how the command ended, and gives the status to exit with.
pub(crate) fn finish(
    outcome: &Outcome,
    held: HeldSignals,
    verbosity: &Verbosity,
    audience: &Audience,
) -> u8 {
    audience.say(&render::ending(outcome.ending));
    audience.ended(outcome, held);
    if let Verbosity::Verbose = verbosity {
        audience.say(&render::outcome(outcome));
    }
    exit::of_outcome(outcome)
}

/// Starts a command of our own, on Linux alone.
pub(crate) fn launch_linux(
    config: &SandboxConfig,
    set_up: &mut SetUp<'_>,
) -> Result<SandboxChild, CliError> {
    let linux = Preference::Named(LINUX.to_owned());
    let launcher = Launcher::new(&BACKENDS).policy(Policy::Require).preference(linux);
    Ok(launcher.start_observed(config, set_up)?)
}

/// Starts the command, and tells of it.
pub(crate) fn begin(
    request: &Request,
    verbosity: &Verbosity,
    audience: &Audience,
) -> Result<SandboxChild, CliError> {
    let child = launcher(request).start(&request.config)?;
    audience.started(&child)?;
    if let Verbosity::Verbose = verbosity {
        if child.backend() != BACKENDS[0].name() {
            audience.say(&passed_over(request));
        }
        audience.say(&render::line("info", format_args!("using the {} backend", child.backend())));
    }
    Ok(child)
}

/// Why it is not an earlier backend. The child does not know; the host is known by now, as nothing
/// but a failure or a wish leads to a later one.
fn passed_over(request: &Request) -> String {
    let Ok((selection, _)) = launcher(request).plan(&request.config) else { return String::new() };
    let obstacles = selection.rejected.iter().flat_map(render::obstacles);
    obstacles.map(|one| render::line("info", format_args!("passed over {one}"))).collect()
}

/// To standard output. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
