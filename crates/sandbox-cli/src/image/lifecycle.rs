//! The processes of one app, one after another: pre-start, main, post-stop.

use sandbox_core::{Outcome, Status};
use sandbox_sys::HeldSignals;

use crate::error::CliError;
use crate::event::Event;
use crate::render;
use crate::report::Audience;
use crate::resolve::Request;
use crate::run::{Verbosity, finish, start_child};

/// What an app runs, as requests that can be carried out.
pub(super) struct Stages {
    /// It must exit with status 0 before the main process starts.
    pub(super) pre_start: Option<Request>,
    pub(super) main: Request,
    /// It runs when the main process has ended, however it ended.
    pub(super) post_stop: Option<Request>,
}

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
    let child = start_child(&stages.main, verbosity, audience)?;
    let ended = child.wait_passing_on(held);
    if let Some(request) = &stages.post_stop {
        match handler("post-stop", request, audience, held) {
            Ok(status) if status.success() => {}
            Ok(status) => {
                audience.say(&render::line("warning", format_args!("post-stop: {status}")));
            }
            // How the main process ended says more.
            Err(error) => audience.say(&render::line("warning", format_args!("post-stop: {error}"))),
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
    let child = crate::run::launcher(request).start(&request.config)?;
    let outcome = child.wait_passing_on(held)?;
    audience.event(&Event::Handler { name, status: outcome.status.shell_code() });
    Ok(outcome.status)
}
