//! `--doctor` and `--list-backends`: what is possible here, why not the rest, and what would help.

use std::fmt::Write;

use sandbox_core::{Backend, Capabilities, Feature, HostFacts, Standing, Support, WhyNot};

/// For each backend and each setting: the values that it can give, and each that it cannot.
pub(crate) fn report(backends: &[&dyn Backend], host: &HostFacts) -> String {
    let mut text = String::new();
    let standing = match host.standing {
        Standing::Privileged => "may make namespaces as it is",
        Standing::Unprivileged => "makes namespaces through a user namespace of its own",
    };
    let _ = writeln!(text, "host: {:?}; user {}, which {standing}", host.platform, host.uid);
    for backend in backends {
        let capabilities = backend.capabilities(host);
        let lacking = Feature::ALL.iter().filter(|f| !capabilities.supports(**f)).count();
        let _ = match lacking {
            0 => writeln!(text, "\n{}: everything works here", backend.name()),
            _ => writeln!(
                text,
                "\n{}: {lacking} of {} values are not possible here",
                backend.name(),
                Feature::ALL.len()
            ),
        };
        text += &settings(&capabilities);
    }
    text
}

fn settings(capabilities: &Capabilities) -> String {
    let mut text = String::new();
    let mut settings: Vec<_> = Feature::ALL.iter().map(|feature| feature.setting()).collect();
    settings.dedup();
    for setting in settings {
        let values: Vec<_> = capabilities.values(setting).map(Feature::value).collect();
        let values = if values.is_empty() { "-".to_owned() } else { values.join(", ") };
        let _ = writeln!(text, "  {setting:<14}{values}");
        for feature in Feature::ALL.iter().filter(|feature| feature.setting() == setting) {
            if let Support::No(why) = capabilities.support(*feature) {
                text += &obstacle(feature.value(), &why);
            }
        }
    }
    text
}

fn obstacle(value: &str, why: &WhyNot) -> String {
    let mut text = format!("{:16}not {value}: {}\n", "", why.reason);
    if let Some(remedy) = &why.remedy {
        let _ = writeln!(text, "{:20}{remedy}", "");
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
    use sandbox_core::{BackendName, Granted, Obstacle, Plan, PlanError, Platform};

    struct Fake;

    impl Backend for Fake {
        fn name(&self) -> BackendName {
            BackendName::new("fake")
        }

        fn capabilities(&self, _: &HostFacts) -> Capabilities {
            let no = WhyNot::new(Obstacle::Disabled, "user.max_net_namespaces is 0")
                .remedy("sysctl user.max_net_namespaces=100");
            Capabilities::none(self.name())
                .with(Feature::ALL, &Support::Yes)
                .with(&[Feature::NetworkIsolated], &Support::No(no))
        }

        fn plan(&self, granted: &Granted, _: &HostFacts) -> Result<Plan, PlanError> {
            Ok(Plan::new(granted))
        }
    }

    #[test]
    fn what_is_not_possible_comes_with_its_reason_and_remedy() {
        let host = HostFacts::unknown(Platform::Linux, 1000, 1000);
        let text = report(&[&Fake], &host);
        assert!(text.starts_with("host: Linux; user 1000, which makes namespaces through"));
        assert!(text.contains("\nfake: 1 of 27 values are not possible here\n"), "{text}");
        let network = "  network       undefined\n                not isolated: \
                       user.max_net_namespaces is 0\n                    sysctl user.";
        assert!(text.contains(network), "{text}");
        assert_eq!(list(&[&Fake], &host), "fake                available\n");
    }
}
