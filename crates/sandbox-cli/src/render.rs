//! Everything that is said on standard error: one line for each fact, hints below it.

use std::fmt::{Display, Write};

use sandbox_core::{BACKEND_VARIABLE, Downgrade, Note, Outcome, SelectError, Unsupported};
use sandbox_sys::RunError;

use crate::error::CliError;

const NAME: &str = "run-sandbox";

/// A failure, and what to do about it.
pub(crate) fn error(error: &CliError) -> String {
    if let CliError::Run(RunError::Select(SelectError::NoneMeets { rejected })) = error {
        return unmet(rejected);
    }
    let mut text = line("error", error);
    if let CliError::NoRoot | CliError::NoCommand = error {
        text += &line("hint", "run-sandbox --help has examples");
    }
    text
}

/// A mistake in the command line, in clap's words.
pub(crate) fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    line("error", text.strip_prefix("error: ").unwrap_or(&text).trim_end())
}

fn unmet(rejected: &[Unsupported]) -> String {
    let mut text = line("error", "the request cannot be met here");
    for unsupported in rejected {
        let _ = writeln!(text, "  {unsupported}");
    }
    text +=
        &line("hint", "--best-effort goes on with less isolation; --doctor says what would help");
    text
}

/// What the caller should know of a sandbox that was started.
pub(crate) fn warnings(
    ignored_variable: Option<&str>,
    downgrades: &[Downgrade],
    notes: &[Note],
) -> String {
    let mut text = ignored(ignored_variable);
    text.extend(downgrades.iter().map(|downgrade| line("warning", downgrade)));
    text.extend(notes.iter().map(|note| line("note", note)));
    text
}

/// A value of the variable that names no backend.
pub(crate) fn ignored(variable: Option<&str>) -> String {
    variable.map_or_else(String::new, |value| {
        line(
            "warning",
            format_args!("{BACKEND_VARIABLE} is {value:?}, which is no backend: ignored"),
        )
    })
}

/// How a command ended and what it used.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let usage = &outcome.usage;
    let mib = usage.max_rss_kib.div_ceil(1024);
    line(
        "info",
        format_args!(
            "{} after {:.3} s (user {:.3} s, system {:.3} s, at most {mib} MiB)",
            outcome.status,
            usage.wall.as_secs_f64(),
            usage.user.as_secs_f64(),
            usage.system.as_secs_f64(),
        ),
    )
}

/// One line of ours.
pub(crate) fn line(kind: &str, text: impl Display) -> String {
    format!("{NAME}: {kind}: {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{
        BackendName, Capabilities, Feature, Isolation, Policy, SandboxConfig, Setting, negotiate,
    };

    #[test]
    fn an_error_is_one_line_and_a_hint() {
        assert_eq!(
            error(&CliError::NoCommand),
            "run-sandbox: error: command is missing: give it after ROOT, or as `command` in the \
             --config file\nrun-sandbox: hint: run-sandbox --help has examples\n"
        );
    }

    #[test]
    fn every_backend_is_a_line() {
        let mut config = SandboxConfig::builder(["true"]).build().unwrap();
        let needs = Feature::needed_by(&config);
        config.network = Isolation::Isolated;
        let capabilities = Capabilities::none(BackendName::new("fake"));
        let capabilities = capabilities.with(&needs, &sandbox_core::Support::Yes);
        let unsupported = negotiate(&config, &capabilities, &Policy::Require).unwrap_err();
        let text = unmet(&[unsupported.clone(), unsupported]);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("\n  the fake backend cannot meet the request here: network = "));
        assert!(text.contains("\nrun-sandbox: hint: --best-effort"), "{text}");
    }

    #[test]
    fn warnings_come_one_to_a_line() {
        let notes = [Note::new(Setting::ExtraMounts, "the host's /proc is shown")];
        assert_eq!(
            warnings(Some("x"), &[], &notes),
            "run-sandbox: warning: SANDBOXLIB_BACKEND is \"x\", which is no backend: ignored\n\
             run-sandbox: note: extra-mounts: the host's /proc is shown\n"
        );
        assert_eq!(warnings(None, &[], &[]), "");
    }
}
