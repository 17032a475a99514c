//! Negotiation: nothing is given that cannot be, nothing is lowered in silence.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sandbox_core::{
    Feature, Hostname, Isolation, Policy, SandboxConfig, Setting, User, Writable, negotiate,
};

use crate::strategies::{capable_of, config, features, settings};

/// How much a configuration isolates, setting by setting.
fn isolation(config: &SandboxConfig) -> [u8; 7] {
    let level = |value| u8::from(value == Isolation::Isolated);
    let writable = match config.writable {
        Writable::All => 0,
        Writable::Only(_) => 1,
        _ => 2,
    };
    let (named, other_user) = (config.hostname.is_some(), config.user != User::Same);
    let [mounts, network, processes, ipc] =
        [config.mounts, config.network, config.processes, config.ipc].map(level);
    [mounts, network, processes, ipc, writable, u8::from(named), u8::from(other_user)]
}

fn at_least(one: &SandboxConfig, other: &SandboxConfig) -> bool {
    isolation(one).iter().zip(isolation(other)).all(|(one, other)| *one >= other)
}

fn needs(config: &SandboxConfig) -> BTreeSet<Feature> {
    Feature::needed_by(config).into_iter().collect()
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Require), settings().prop_map(|except| Policy::BestEffort { except })]
}

proptest! {
    #[test]
    fn what_is_granted_is_within_the_capabilities(
        config in config(), features in features(), policy in policy(),
    ) {
        let capabilities = capable_of(&features);
        if let Ok(granted) = negotiate(&config, &capabilities, &policy) {
            for feature in Feature::needed_by(granted.config()) {
                prop_assert!(capabilities.supports(feature), "{feature:?}");
            }
        }
    }

    #[test]
    fn require_gives_the_same_configuration_or_an_error(
        config in config(), features in features(),
    ) {
        match negotiate(&config, &capable_of(&features), &Policy::Require) {
            Ok(granted) => {
                prop_assert_eq!(granted.config(), &config);
                prop_assert!(granted.downgrades().is_empty());
            }
            Err(unsupported) => {
                let have: BTreeSet<_> = features.into_iter().collect();
                let lacking: Vec<_> = needs(&config).difference(&have).copied().collect();
                let unmet: Vec<_> = unsupported
                    .unmet
                    .iter()
                    .map(|unmet| (unmet.setting, unmet.requested.clone()))
                    .collect();
                let lacking: Vec<_> = lacking
                    .into_iter()
                    .map(|feature| (feature.setting(), feature.value().to_owned()))
                    .collect();
                prop_assert_eq!(unmet, lacking, "every unmet value is listed, and no other");
            }
        }
    }

    #[test]
    fn an_error_says_what_would_work(config in config(), features in features()) {
        let capabilities = capable_of(&features);
        if let Err(error) = negotiate(&config, &capabilities, &Policy::Require) {
            let text = error.to_string();
            for unmet in &error.unmet {
                let name = format!("{} = {}", unmet.setting, unmet.requested);
                prop_assert!(text.contains(&name));
                prop_assert!(text.contains(&unmet.why.to_string()));
                let values: Vec<_> =
                    capabilities.values(unmet.setting).map(Feature::value).collect();
                prop_assert_eq!(&unmet.supported, &values);
            }
        }
    }

    #[test]
    fn a_configuration_within_the_capabilities_is_unchanged(
        config in config(), policy in policy(),
    ) {
        let enough = capable_of(&Feature::needed_by(&config));
        let granted = negotiate(&config, &enough, &policy).unwrap();
        prop_assert_eq!(granted.config(), &config);
        prop_assert!(granted.downgrades().is_empty());
    }

    #[test]
    fn best_effort_is_idempotent(
        config in config(), features in features(), policy in policy(),
    ) {
        let capabilities = capable_of(&features);
        if let Ok(once) = negotiate(&config, &capabilities, &policy) {
            let twice = negotiate(once.config(), &capabilities, &policy).unwrap();
            prop_assert_eq!(twice.config(), once.config());
            prop_assert!(twice.downgrades().is_empty());
        }
    }

    #[test]
    fn more_capabilities_never_give_less(
        config in config(), some in features(), more in features(), policy in policy(),
    ) {
        let all: Vec<_> = some.iter().chain(&more).copied().collect();
        if let Ok(less) = negotiate(&config, &capable_of(&some), &policy) {
            let more = negotiate(&config, &capable_of(&all), &policy).unwrap();
            prop_assert!(at_least(more.config(), less.config()));
        }
    }

    #[test]
    fn every_difference_is_a_reported_downgrade(
        config in config(), features in features(), policy in policy(),
    ) {
        if let Ok(granted) = negotiate(&config, &capable_of(&features), &policy) {
            let (asked, given) = (needs(&config), needs(granted.config()));
            let from: BTreeSet<_> = granted.downgrades().iter().map(|down| down.from).collect();
            let to: BTreeSet<_> = granted.downgrades().iter().map(|down| down.to).collect();
            prop_assert_eq!(asked.difference(&given).copied().collect::<BTreeSet<_>>(), from);
            prop_assert_eq!(given.difference(&asked).copied().collect::<BTreeSet<_>>(), to);
            prop_assert!(at_least(&config, granted.config()), "a step goes down");
            prop_assert_eq!(
                granted.downgrades().is_empty(),
                granted.config() == &config,
                "no difference that features do not show"
            );
        }
    }

    #[test]
    fn excepted_settings_are_required(
        config in config(), features in features(), except in settings(),
    ) {
        let capabilities = capable_of(&features);
        let policy = Policy::BestEffort { except: except.clone() };
        match negotiate(&config, &capabilities, &policy) {
            Ok(granted) => {
                for downgrade in granted.downgrades() {
                    prop_assert!(!except.contains(&downgrade.setting));
                }
            }
            Err(unsupported) => prop_assert!(!unsupported.unmet.is_empty()),
        }
    }

    #[test]
    fn the_root_and_the_mounts_are_never_lowered(config in config(), features in features()) {
        if let Ok(granted) = negotiate(&config, &capable_of(&features), &Policy::best_effort()) {
            prop_assert_eq!(&granted.config().root, &config.root);
            prop_assert_eq!(&granted.config().extra_mounts, &config.extra_mounts);
            prop_assert_eq!(&granted.config().command, &config.command);
        }
    }

    #[test]
    fn the_maximum_can_be_met_and_is_no_less_strict(config in config(), features in features()) {
        let mut features = features;
        features.extend(Feature::needed_by(&config));
        let capabilities = capable_of(&features);
        let strict = capabilities.maximum_isolation(&config);
        let granted = negotiate(&strict, &capabilities, &Policy::Require).unwrap();
        prop_assert_eq!(granted.config(), &strict);
        prop_assert!(at_least(&strict, &config));
        prop_assert_eq!(capabilities.maximum_isolation(&strict), strict);
    }
}

#[test]
fn a_downgrade_reads_as_a_sentence() {
    let mut config = SandboxConfig::builder(["true"]).build().unwrap();
    config.network = Isolation::Isolated;
    config.hostname = Hostname::new("builder").ok();
    let mut features = Feature::needed_by(&SandboxConfig::builder(["true"]).build().unwrap());
    let granted = negotiate(&config, &capable_of(&features), &Policy::best_effort()).unwrap();
    let text: Vec<_> = granted.downgrades().iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "network = isolated is not possible here, using undefined: it is a test",
            "hostname = named is not possible here, using undefined: it is a test",
        ]
    );
    features.retain(|feature| feature.setting() != Setting::Network);
    let error = negotiate(&config, &capable_of(&features), &Policy::best_effort()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the test-backend backend cannot meet the request here: network = isolated: it is a test"
    );
}
