//! `--doctor` and `--list-backends`: what is possible here, why not the rest, and what would help.

use std::fmt::Write;
use std::{env, fs};

use sandbox_core::{
    BACKEND_VARIABLE, Backend, Capabilities, Feature, HostFacts, Setting, Standing, Support, WhyNot,
};

/// Who asks, and where: what a report of a fault should begin with.
pub(crate) fn here() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.split_whitespace().map(|release| format!(" {release}"));
    let mut text = format!(
        "run-sandbox {} on {}{} ({})\n",
        env!("CARGO_PKG_VERSION"),
        env::consts::OS,
        release.collect::<String>(),
        env::consts::ARCH,
    );
    if let Some(value) = env::var_os(BACKEND_VARIABLE) {
        let _ = writeln!(text, "{BACKEND_VARIABLE} is {}", value.display());
    }
    text
}

/// For each backend the values that it can give of each setting, and what is in the way of the rest.
pub(crate) fn report(backends: &[&dyn Backend], host: &HostFacts, here: &str) -> String {
    let mut text = here.to_owned();
    let standing = match host.standing {
        Standing::Privileged => "which may make namespaces as it is",
        Standing::Unprivileged => "which makes namespaces in a user namespace of its own",
    };
    let _ = writeln!(text, "started by user {}, {standing}", host.uid);
    for backend in backends {
        let capabilities = backend.capabilities(host);
        let _ = write!(text, "\n{}: ", backend.name());
        if let Some(why) = unavailable(&capabilities) {
            let _ = writeln!(text, "not available here: {}", why.reason);
            if let Some(remedy) = &why.remedy {
                let _ = writeln!(text, "  what would help: {remedy}");
            }
            continue;
        }
        let lacking: Vec<_> =
            Feature::ALL.iter().copied().filter(|one| !capabilities.supports(*one)).collect();
        text += if lacking.is_empty() { "all of it works here\n" } else { "works here\n" };
        text += &settings(&capabilities);
        if !lacking.is_empty() {
            text += "  but not:\n";
            text += &obstacles(&capabilities, &lacking);
        }
    }
    text += "\nundefined: no attempt is made either way\n";
    text
}

/// Why there is no sandbox at all, where there is none.
fn unavailable(capabilities: &Capabilities) -> Option<WhyNot> {
    if capabilities.values(Setting::Root).next().is_some() {
        return None;
    }
    match capabilities.support(Feature::RootDirectory) {
        Support::Yes => None,
        Support::No(why) => Some(why),
    }
}

fn settings(capabilities: &Capabilities) -> String {
    let mut text = String::new();
    let mut settings: Vec<_> = Feature::ALL.iter().map(|feature| feature.setting()).collect();
    settings.dedup();
    for setting in settings {
        let values: Vec<_> = capabilities.values(setting).map(Feature::value).collect();
        let values = if values.is_empty() { "-".to_owned() } else { values.join(", ") };
        let _ = writeln!(text, "  {setting:<14}{values}");
    }
    text
}

/// Each reason once, with everything that it is the reason for: one is usually behind many.
fn obstacles(capabilities: &Capabilities, lacking: &[Feature]) -> String {
    let mut groups: Vec<(WhyNot, Vec<String>)> = Vec::new();
    for feature in lacking {
        let Support::No(why) = capabilities.support(*feature) else { continue };
        let name = format!("{} = {}", feature.setting(), feature.value());
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name),
            None => groups.push((why, vec![name])),
        }
    }
    let mut text = String::new();
    for (why, names) in groups {
        let _ = writeln!(text, "    {}\n      {}", names.join(", "), why.reason);
        if let Some(remedy) = &why.remedy {
            let _ = writeln!(text, "      what would help: {remedy}");
        }
    }
    text
}

/// One line for each backend: its name, and whether it can make sandboxes here at all.
pub(crate) fn list(backends: &[&dyn Backend], host: &HostFacts) -> String {
    let line = |backend: &&dyn Backend| {
        let availability = match backend.capabilities(host).support(Feature::RootDirectory) {
            Support::Yes => "available".to_owned(),
            Support::No(why) => format!("not available: {why}"),
        };
        format!("{:<20}{availability}\n", backend.name())
    };
    backends.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use sandbox_core::{Obstacle, Platform};

    #[test]
    fn what_is_not_possible_comes_with_its_reason_and_remedy() {
        let host = HostFacts::unknown(Platform::Linux, 1000, 1000);
        let fake = Fake::without_network_namespaces();
        let text = report(&[&fake], &host, "here\n");
        assert!(text.starts_with("here\nstarted by user 1000, which makes namespaces in a user"));
        assert!(text.contains("\nfake: works here\n"), "{text}");
        assert!(text.contains("\n  network       undefined\n"), "{text}");
        let network = "\n  but not:\n    network = isolated\n      \
                       user.max_net_namespaces is 0\n      what would help: sysctl user.";
        assert!(text.contains(network), "{text}");
        assert_eq!(list(&[&fake], &host), "fake                available\n");
    }

    #[test]
    fn a_backend_that_cannot_work_has_one_reason() {
        let why = WhyNot::new(Obstacle::Privilege, "no CAP_SYS_CHROOT").remedy("run as root");
        let nothing = Fake { name: "nothing", lacks: Feature::ALL, why };
        let text = report(&[&nothing], &HostFacts::unknown(Platform::Linux, 1, 1), "");
        let end =
            "\nnothing: not available here: no CAP_SYS_CHROOT\n  what would help: run as root\n";
        assert!(text.contains(end), "{text}");
    }
}
