//! `--capabilities`: what is possible here, for programs.

use std::collections::BTreeMap;

use sandbox_core::{Backend, Feature, HostFacts, Support};
use serde::Serialize;

use crate::event::Why;

/// All of it.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    backends: Vec<One>,
}

/// What one backend can give here.
#[derive(Serialize)]
struct One {
    name: &'static str,
    available: bool,
    settings: BTreeMap<String, Vec<&'static str>>,
    lacking: Vec<Lacking>,
}

/// A value that it cannot give.
#[derive(Serialize)]
struct Lacking {
    setting: String,
    value: &'static str,
    #[serde(flatten)]
    why: Why,
}

/// One line of JSON.
pub(crate) fn report(backends: &[&dyn Backend], host: &HostFacts) -> serde_json::Result<String> {
    let backends = backends.iter().map(|backend| One::of(*backend, host)).collect();
    let report = Report { version: env!("CARGO_PKG_VERSION"), backends };
    Ok(serde_json::to_string(&report)? + "\n")
}

impl One {
    fn of(backend: &dyn Backend, host: &HostFacts) -> Self {
        let capabilities = backend.capabilities(host);
        let mut settings = BTreeMap::new();
        let mut lacking = Vec::new();
        for feature in Feature::ALL {
            let setting = feature.setting().to_string();
            let values: &mut Vec<_> = settings.entry(setting.clone()).or_default();
            match capabilities.support(*feature) {
                Support::Yes => values.push(feature.value()),
                Support::No(why) => {
                    lacking.push(Lacking { setting, value: feature.value(), why: (&why).into() });
                }
            }
        }
        let available = capabilities.supports(Feature::RootDirectory);
        Self { name: backend.name().as_str(), available, settings, lacking }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use sandbox_core::Platform;

    #[test]
    fn every_setting_has_its_values_and_every_obstacle_its_reason() {
        let host = HostFacts::unknown(Platform::Linux, 1000, 1000);
        let text = report(&[&Fake::without_network_namespaces()], &host).unwrap();
        let start = format!(
            "{{\"version\":\"{}\",\"backends\":[{{\"name\":\"fake\",\"available\":true,",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains("\"mounts\":[\"undefined\",\"isolated\"]"), "{text}");
        assert!(text.contains("\"network\":[\"undefined\"]"), "{text}");
        let end = "\"lacking\":[{\"setting\":\"network\",\"value\":\"isolated\",\"obstacle\":\
                   \"disabled\",\"reason\":\"user.max_net_namespaces is 0\",\"remedy\":\
                   \"sysctl user.max_net_namespaces=100\"}]}]}\n";
        assert!(text.ends_with(end), "{text}");
    }
}
