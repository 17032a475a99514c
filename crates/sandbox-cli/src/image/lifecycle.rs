//! The processes of one app, one after another: pre-start, main, post-stop.

use sandbox_core::{Outcome, Status};
use sandbox_sys::HeldSignals;

use super::stages::Stages;
use crate::error::CliError;
use crate::event::Event;
use crate::render::line;
use crate::report::Audience;
use crate::resolve::Request;
use crate::run::{Verbosity, begin, launcher};

/// Runs all of them, and gives the outcome of the main process.
pub(super) fn run(
    stages: &Stages,
    verbosity: &Verbosity,
    audience: &Audience,
    held: &HeldSignals,
) -> Result<Outcome, CliError> {
    if let Some(request) = &stages.pre_start {
        let status = handler("pre-start", request, audience, held)?;
        if !status.success() {
            return Err(CliError::PreStart(status));
        }
    }
    let ended = begin(&stages.main, verbosity, audience)?.wait_passing_on(held);
    if let Some(request) = &stages.post_stop {
        // How the main process ended says more than this.
        let problem = match handler("post-stop", request, audience, held) {
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
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
    held: &HeldSignals,
) -> Result<Status, CliError> {
    let child = launcher(request).start(&request.config)?;
    let outcome = child.wait_passing_on(held)?;
    audience.event(&Event::Handler { name, status: outcome.status.shell_code() });
    Ok(outcome.status)
}
