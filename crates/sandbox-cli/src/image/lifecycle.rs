//! The processes of one app, one after another: pre-start, main, post-stop.

use sandbox_core::{Ending, Outcome};
use sandbox_sys::{SandboxChild, WaitError};

use crate::error::CliError;
use crate::event::Event;
use crate::render::line;
use crate::report::Audience;
use crate::resolve::Request;
use crate::run::{Verbosity, begin, launcher};

/// What an app runs, as requests that can be carried out.
pub(super) struct Stages {
    /// It must exit with status 0 before the main process starts.
    pub(super) pre_start: Option<Request>,
    pub(super) main: Request,
    /// It runs when the main process has ended, however it ended.
    pub(super) post_stop: Option<Request>,
}

/// How a process is waited for.
pub(super) type Wait<'a> = &'a dyn Fn(SandboxChild) -> Result<Outcome, WaitError>;

/// Runs all of them, and gives the outcome of the main process.
pub(super) fn run(
    stages: &Stages,
    verbosity: &Verbosity,
    audience: &Audience,
    wait: Wait<'_>,
) -> Result<Outcome, CliError> {
    if let Some(request) = &stages.pre_start {
        let outcome = handler("pre-start", request, audience, wait)?;
        match outcome.ending {
            Ending::ByItself if outcome.status.success() => {}
            Ending::ByItself => return Err(CliError::PreStart(outcome.status)),
            ending => return Err(CliError::PreStartStopped(ending)),
        }
    }
    let ended = wait(begin(&stages.main, verbosity, audience)?);
    if let Some(request) = &stages.post_stop {
        // How the main process ended says more than this.
        let problem = match handler("post-stop", request, audience, wait) {
            Ok(Outcome { ending: Ending::ByItself, status, .. }) if status.success() => None,
            Ok(Outcome { ending: Ending::ByItself, status, .. }) => Some(status.to_string()),
            Ok(Outcome { ending, .. }) => Some(format!("it {ending}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            audience.say(&line("warning", format_args!("post-stop: {problem}")));
        }
    }
    Ok(ended?)
}

fn handler(
    name: &'static str,
    request: &Request,
    audience: &Audience,
    wait: Wait<'_>,
) -> Result<Outcome, CliError> {
    let child = launcher(request).start(&request.config)?;
    let outcome = wait(child)?;
    audience.event(&Event::Handler { name, status: outcome.status.shell_code() });
    Ok(outcome)
}
