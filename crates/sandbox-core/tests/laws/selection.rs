//! The choice of a backend.

use sandbox_core::{
    Backend, BackendName, Capabilities, Feature, Granted, HostFacts, Isolation, Obstacle, Plan,
    PlanError, Platform, Policy, Preference, SandboxConfig, SelectError, Setting, Support, WhyNot,
    select,
};

/// A backend that has every feature but some.
struct Fake {
    name: &'static str,
    lacks: &'static [Feature],
}

impl Backend for Fake {
    fn name(&self) -> BackendName {
        BackendName::new(self.name)
    }

    fn capabilities(&self, _: &HostFacts) -> Capabilities {
        let no = Support::No(WhyNot::new(Obstacle::Backend, "it is a fake"));
        Capabilities::none(self.name()).with(Feature::ALL, &Support::Yes).with(self.lacks, &no)
    }

    fn plan(&self, granted: &Granted, _: &HostFacts) -> Result<Plan, PlanError> {
        Ok(Plan::new(granted))
    }
}

const WHOLE: Fake = Fake { name: "user-namespace", lacks: &[] };
const OTHER: Fake = Fake { name: "other", lacks: &[] };
const OPEN: Fake = Fake { name: "open-network", lacks: &[Feature::NetworkIsolated] };
const POOR: Fake = Fake { name: "poor", lacks: &[Feature::NetworkIsolated, Feature::IpcIsolated] };
const STUCK: Fake =
    Fake { name: "stuck", lacks: &[Feature::NetworkIsolated, Feature::NetworkUndefined] };

/// The chosen one, those that were passed over, and the ignored value of the variable.
type Choice = (String, Vec<String>, Option<String>);

fn choose(
    backends: &[&dyn Backend],
    policy: &Policy,
    preference: &Preference,
) -> Result<Choice, SelectError> {
    let mut config = SandboxConfig::builder(["true"]).build().unwrap();
    (config.network, config.ipc) = (Isolation::Isolated, Isolation::Isolated);
    let host = HostFacts::unknown(Platform::Linux, 0, 0);
    select(backends, &host, &config, policy, preference).map(|selection| {
        let rejected = selection.rejected.iter().map(|by| by.backend.to_string()).collect();
        (selection.backend.name().to_string(), rejected, selection.ignored_variable)
    })
}

fn named(name: &str) -> Preference {
    Preference::Named(name.to_owned())
}

fn variable(value: &str) -> Preference {
    Preference::Variable(value.to_owned())
}

fn chosen(name: &str, rejected: &[&str]) -> Choice {
    (name.to_owned(), rejected.iter().map(ToString::to_string).collect(), None)
}

#[test]
fn the_first_that_meets_the_request_is_taken() {
    let take =
        |backends: &[&dyn Backend]| choose(backends, &Policy::Require, &Preference::Any).unwrap();
    assert_eq!(take(&[&WHOLE, &OTHER]), chosen("user-namespace", &[]));
    assert_eq!(take(&[&OTHER, &WHOLE]), chosen("other", &[]));
    assert_eq!(take(&[&OPEN, &POOR, &OTHER]), chosen("other", &["open-network", "poor"]));
}

#[test]
fn a_named_one_is_taken_or_refused_and_no_other() {
    let backends: [&dyn Backend; 3] = [&OPEN, &WHOLE, &OTHER];
    for name in ["user-namespace", "user_namespace"] {
        let choice = choose(&backends, &Policy::Require, &named(name)).unwrap();
        assert_eq!(choice, chosen("user-namespace", &[]));
    }
    let error = choose(&backends, &Policy::Require, &named("open-network")).unwrap_err();
    let SelectError::NoneMeets { rejected } = error else { panic!("{error}") };
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].unmet[0].setting, Setting::Network);
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_known() {
    let error = choose(&[&WHOLE, &OTHER], &Policy::Require, &named("bubblewarp")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"bubblewarp\" is not a known backend; there are: user-namespace, other"
    );
}

#[test]
fn an_unknown_name_in_the_variable_is_reported_and_ignored() {
    let backends: [&dyn Backend; 2] = [&WHOLE, &OTHER];
    let choice = choose(&backends, &Policy::Require, &variable("other")).unwrap();
    assert_eq!(choice, chosen("other", &[]));
    let (name, _, ignored) = choose(&backends, &Policy::Require, &variable("nonsense")).unwrap();
    assert_eq!((name.as_str(), ignored.as_deref()), ("user-namespace", Some("nonsense")));
}

#[test]
fn the_variable_binds_as_a_name_does() {
    let error = choose(&[&OPEN, &WHOLE], &Policy::Require, &variable("open_network")).unwrap_err();
    assert!(matches!(error, SelectError::NoneMeets { .. }), "{error}");
}

#[test]
fn best_effort_takes_the_fewest_downgrades_and_the_first_of_equals() {
    let best = Policy::best_effort();
    let take = |backends: &[&dyn Backend]| choose(backends, &best, &Preference::Any).unwrap();
    assert_eq!(take(&[&POOR, &OPEN, &OTHER]), chosen("other", &["poor", "open-network"]));
    assert_eq!(take(&[&POOR, &OPEN]), chosen("open-network", &["poor"]));
    assert_eq!(take(&[&STUCK, &OPEN, &POOR]), chosen("open-network", &["stuck"]));
    assert_eq!(take(&[&WHOLE, &OTHER]), chosen("user-namespace", &[]));
}

#[test]
fn no_backend_that_meets_the_request_is_an_error_with_every_reason() {
    let error = choose(&[&OPEN, &POOR], &Policy::Require, &Preference::Any).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the open-network backend cannot meet the request here: network = isolated (supported \
         here: undefined): it is a fake\n\
         the poor backend cannot meet the request here: network = isolated (supported here: \
         undefined), ipc = isolated (supported here: undefined): it is a fake"
    );
    let error = choose(&[], &Policy::Require, &Preference::Any).unwrap_err();
    assert_eq!(error.to_string(), "there is no backend");
}

#[test]
fn a_backend_is_object_safe_and_can_be_shared() {
    fn shared<T: Send + Sync + ?Sized>(_: &T) {}
    let boxed: Box<dyn Backend> = Box::new(WHOLE);
    shared(&*boxed);
    assert_eq!(boxed.name(), BackendName::new("user-namespace"));
}
