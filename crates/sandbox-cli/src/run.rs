//! From the words of the command line to an exit code.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use sandbox_core::HostFacts;
use sandbox_sys::{HeldSignals, Launcher, RunError};

use crate::backends::BACKENDS;
use crate::config_file::ConfigFile;
use crate::error::CliError;
use crate::flags::{Flags, ReportFlags};
use crate::resolve::{Request, resolve};
use crate::{doctor, exit, render};

/// What is to be done.
enum Action {
    Run(Verbosity),
    Explain,
    Doctor,
    ListBackends,
}

enum Verbosity {
    Quiet,
    Verbose,
}

/// Runs the command with these words, the program's name first, and returns its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match Flags::try_parse_from(words) {
        Ok(flags) => flags,
        Err(error) if error.use_stderr() => {
            say(&render::usage(&error));
            return exit::NOT_MADE.into();
        }
        // --help and --version.
        Err(text) => {
            return print(&text.to_string())
                .map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS);
        }
    };
    act(flags).map_or_else(|error| fail(&error), ExitCode::from)
}

fn fail(error: &CliError) -> ExitCode {
    say(&render::error(error));
    exit::of_error(error).into()
}

fn act(flags: Flags) -> Result<u8, CliError> {
    match action(&flags.report) {
        Action::Doctor => print(&doctor::report(&BACKENDS, host()?, &doctor::here()))?,
        Action::ListBackends => print(&doctor::list(&BACKENDS, host()?))?,
        Action::Explain => explain(&request(flags)?)?,
        Action::Run(verbosity) => return start(&request(flags)?, &verbosity),
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
    } else if report.explain {
        Action::Explain
    } else if report.verbosity.verbose {
        Action::Run(Verbosity::Verbose)
    } else {
        Action::Run(Verbosity::Quiet)
    }
}

fn request(flags: Flags) -> Result<Request, CliError> {
    let file = flags.choice.config.as_deref().map(ConfigFile::read).transpose()?;
    resolve(flags, file.unwrap_or_default())
}

fn launcher(request: &Request) -> Launcher<'static> {
    let launcher = Launcher::new(&BACKENDS).policy(request.policy.clone());
    match &request.preference {
        Some(preference) => launcher.preference(preference.clone()),
        None => launcher,
    }
}

fn explain(request: &Request) -> Result<(), CliError> {
    let (selection, plan) = launcher(request).plan(&request.config)?;
    say(&render::ignored(selection.ignored_variable.as_deref()));
    let passed_over = selection.rejected.iter().flat_map(render::obstacles);
    let passed_over = passed_over.map(|obstacle| format!("passed over: {obstacle}\n"));
    print(&format!("{}{plan}", passed_over.collect::<String>()))
}

fn start(request: &Request, verbosity: &Verbosity) -> Result<u8, CliError> {
    let held = HeldSignals::hold().map_err(CliError::Signals)?;
    let child = launcher(request).start(&request.config)?;
    say(&render::warnings(child.ignored_variable(), child.downgrades(), child.notes()));
    if let Verbosity::Verbose = verbosity {
        if child.backend() != BACKENDS[0].name() {
            say(&passed_over(request));
        }
        say(&render::line("info", format_args!("using the {} backend", child.backend())));
    }
    let outcome = child.wait_passing_on(&held)?;
    if let Verbosity::Verbose = verbosity {
        say(&render::outcome(&outcome));
    }
    Ok(exit::of_outcome(&outcome))
}

/// Why it is not an earlier backend. The child does not know; the host is known by now, as nothing
/// but a failure or a wish leads to a later one.
fn passed_over(request: &Request) -> String {
    let Ok((selection, _)) = launcher(request).plan(&request.config) else { return String::new() };
    let obstacles = selection.rejected.iter().flat_map(render::obstacles);
    obstacles.map(|one| render::line("info", format_args!("passed over {one}"))).collect()
}

/// To standard output. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// To standard error, in one piece. Where that is closed there is nobody to tell.
fn say(text: &str) {
    if !text.is_empty() {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}
