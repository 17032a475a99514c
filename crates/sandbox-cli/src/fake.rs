//! Backends for the tests of what is said about backends.

use sandbox_core::{
    Backend, BackendName, Capabilities, Feature, Granted, HostFacts, Obstacle, Plan, PlanError,
    Support, WhyNot,
};

/// A backend that cannot do these things, for this reason, and can do all others.
pub(crate) struct Fake {
    pub(crate) name: &'static str,
    pub(crate) lacks: &'static [Feature],
    pub(crate) why: WhyNot,
}

impl Fake {
    /// One on a host without network namespaces.
    pub(crate) fn without_network_namespaces() -> Self {
        let why = WhyNot::new(Obstacle::Disabled, "user.max_net_namespaces is 0")
            .remedy("sysctl user.max_net_namespaces=100");
        Self { name: "fake", lacks: &[Feature::NetworkIsolated], why }
    }
}

impl Backend for Fake {
    fn name(&self) -> BackendName {
        BackendName::new(self.name)
    }

    fn capabilities(&self, _: &HostFacts) -> Capabilities {
        Capabilities::none(self.name())
            .with(Feature::ALL, &Support::Yes)
            .with(self.lacks, &Support::No(self.why.clone()))
    }

    fn plan(&self, granted: &Granted, _: &HostFacts) -> Result<Plan, PlanError> {
        Ok(Plan::new(granted))
    }
}
