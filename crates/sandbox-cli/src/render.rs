//! Everything that is said on standard error: one line for each fact, hints below it.

use std::fmt::Display;

use sandbox_core::{
    BACKEND_VARIABLE, Downgrade, Ending, Note, Outcome, SelectError, Setting, Step, Unmet,
    Unsupported, WhyNot,
};
use sandbox_sys::{RunError, SpawnError};

use crate::error::CliError;

const NAME: &str = "run-sandbox";
const EXAMPLES: &str = "run-sandbox --help has examples";

/// A failure, and what to do about it.
pub(crate) fn error(error: &CliError) -> String {
    if let CliError::Run(RunError::Select(SelectError::NoneMeets { rejected })) = error {
        return unmet(rejected);
    }
    let mut text = line("error", error);
    match error {
        CliError::NoRoot | CliError::NoCommand => text += &line("hint", EXAMPLES),
        CliError::Run(RunError::Spawn(SpawnError::Step { step, .. }))
            if **step == Step::KeepDirectory =>
        {
            text += &line("hint", "--cwd names a directory inside");
        }
        _ => {}
    }
    text
}

/// A mistake in the command line, in clap's words but without its usage text.
pub(crate) fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let paragraphs = text.split("\n\n").skip(1);
    let tips = paragraphs.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("tip: "));
    let mut text = line("error", misuse(error));
    text.extend(tips.chain([EXAMPLES]).map(|tip| line("hint", tip)));
    text
}

/// What is wrong with the command line, without advice.
pub(crate) fn misuse(error: &clap::Error) -> String {
    let text = error.to_string();
    let problem = text.strip_prefix("error: ").unwrap_or(&text).split("\n\n").next();
    problem.unwrap_or_default().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn unmet(rejected: &[Unsupported]) -> String {
    let obstacles: Vec<_> = rejected.iter().flat_map(obstacles).collect();
    let mut text = match &obstacles[..] {
        [only] => line("error", only),
        several => {
            let mut text = line("error", "the request cannot be met here");
            text.extend(several.iter().map(|one| format!("  {one}\n")));
            text
        }
    };
    if rejected.iter().any(can_step_down) {
        text += &line("hint", "--best-effort goes on with less isolation");
    }
    text += &line("hint", "--doctor says what is possible here, and what would help");
    text
}

/// What is in the way of a backend, one line for each reason.
pub(crate) fn obstacles(unsupported: &Unsupported) -> Vec<String> {
    let mut groups: Vec<(&WhyNot, Vec<&Unmet>)> = Vec::new();
    for unmet in &unsupported.unmet {
        match groups.iter_mut().find(|(why, _)| **why == unmet.why) {
            Some((_, group)) => group.push(unmet),
            None => groups.push((&unmet.why, vec![unmet])),
        }
    }
    let line = |(why, group): (&WhyNot, Vec<&Unmet>)| {
        // Without any root there is no sandbox at all, and the other settings say nothing new.
        let dead = group.iter().any(|one| one.setting == Setting::Root && one.supported.is_empty());
        let what = if dead {
            "is not available here".to_owned()
        } else {
            let name = |one: &&Unmet| format!("{} = {}", one.setting, one.requested);
            format!("cannot give {}", group.iter().map(name).collect::<Vec<_>>().join(", "))
        };
        format!("the {} backend {what}: {why}", unsupported.backend)
    };
    groups.into_iter().map(line).collect()
}

/// Whether less isolation, and nothing else, would satisfy this backend.
fn can_step_down(unsupported: &Unsupported) -> bool {
    let fixed = [Setting::Root, Setting::ExtraMounts];
    unsupported.unmet.iter().all(|one| !fixed.contains(&one.setting) && !one.supported.is_empty())
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

/// That a command did not end by itself.
pub(crate) fn ending(ending: Ending) -> String {
    match ending {
        Ending::ByItself | Ending::Killed => String::new(),
        ending => line("warning", format_args!("the command {ending}")),
    }
}

/// How a command ended and what it used.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let usage = &outcome.usage;
    let mib = usage.max_rss_kib.div_ceil(1024);
    let killed = match outcome.out_of_memory {
        0 => String::new(),
        some => format!("; killed for memory: {some}"),
    };
    line(
        "info",
        format_args!(
            "{} after {:.3} s (user {:.3} s, system {:.3} s, peak memory {mib} MiB{killed})",
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
        BackendName, Capabilities, Feature, Isolation, Obstacle, Policy, SandboxConfig, negotiate,
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
        let reason =
            "the fake backend cannot give network = isolated: the fake backend does not have it\n";
        let text = unmet(&[unsupported.clone(), unsupported.clone()]);
        assert_eq!(text.matches(&format!("  {reason}")).count(), 2, "{text}");
        assert!(text.contains("\nrun-sandbox: hint: --best-effort"), "{text}");
        let text = unmet(&[unsupported]);
        let first = format!("run-sandbox: error: {reason}");
        assert!(text.starts_with(&first), "{text}");
    }

    #[test]
    fn a_backend_that_can_do_nothing_is_not_available() {
        let mut config = SandboxConfig::builder(["true"]).build().unwrap();
        config.extra_mounts = vec!["none /o overlay lowerdir=/a".parse().unwrap()];
        let lacking = WhyNot::new(Obstacle::Privilege, "no CAP_SYS_CHROOT").remedy("run as root");
        let needs = Feature::needed_by(&config);
        let capabilities = Capabilities::none(BackendName::new("fake"))
            .with(&needs, &sandbox_core::Support::No(lacking))
            .with(
                &[Feature::MountOverlay],
                &sandbox_core::Support::No(WhyNot::new(Obstacle::Backend, "never")),
            );
        let unsupported = negotiate(&config, &capabilities, &Policy::Require).unwrap_err();
        assert_eq!(
            obstacles(&unsupported),
            [
                "the fake backend is not available here: no CAP_SYS_CHROOT; run as root",
                "the fake backend cannot give extra-mounts = overlay: never",
            ]
        );
        assert!(!unmet(&[unsupported]).contains("--best-effort"));
    }

    #[test]
    fn a_mistake_in_the_command_line_is_one_line() {
        let text = |words: &[&str]| {
            let words = [&["run-sandbox"], words].concat();
            usage(&<crate::flags::Flags as clap::Parser>::try_parse_from(words).unwrap_err())
        };
        assert_eq!(
            text(&["--network", "off", "/"]),
            "run-sandbox: error: invalid value 'off' for '--network <LEVEL>' [possible values: \
             isolated, undefined]\nrun-sandbox: hint: run-sandbox --help has examples\n"
        );
        let misspelt = text(&["--netwrk", "isolated", "/"]);
        let hint = "\nrun-sandbox: hint: a similar argument exists: '--network'\n";
        assert!(misspelt.starts_with("run-sandbox: error: unexpected argument '--netwrk' found\n"));
        assert!(misspelt.contains(hint) && !misspelt.contains("Usage"), "{misspelt}");
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
