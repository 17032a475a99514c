//! The conformance suite: what sandboxlib promises, checked against any backend.
//!
//! A backend's own test is a target with `harness = false` and these lines:
//!
//! ```no_run
//! # use sandbox_core::{Backend, BackendName, Capabilities, Granted, HostFacts, Plan, PlanError};
//! # struct Mine;
//! # impl Backend for Mine {
//! #     fn name(&self) -> BackendName { BackendName::new("mine") }
//! #     fn capabilities(&self, _: &HostFacts) -> Capabilities { Capabilities::none(self.name()) }
//! #     fn plan(&self, granted: &Granted, _: &HostFacts) -> Result<Plan, PlanError> {
//! #         Ok(Plan::new(granted))
//! #     }
//! # }
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     sandbox_testkit::conformance(&Mine)
//! }
//! ```
//!
//! Every case runs in a process of its own, in a tree of its own that holds one small static program,
//! compiled by `cc` when the run starts. A case about isolation has a control, which shows that what
//! the sandbox prevents does happen without it; a control that does not show it fails the case.
//!
//! A case ends in one of four ways. It *passed*; it *failed*; the backend does not promise the setting
//! and *refused* it as negotiation must; or it was *skipped*, because it cannot be known here, with
//! the reason. What was skipped is never counted as passed, and `SANDBOX_TEST_MUST_RUN`, a list of
//! backends and needs separated by commas, or `all`, makes it a failure.
//!
//! It does not: need root, a network or anything installed but a C compiler; change the host; or look
//! at a plan. What is promised is what the command inside and the host outside can see.
//!
//! [`model`] does look at plans, and runs nothing: it replays them on a mount table that is a value.
//!
//! [`fixture`] is for the tests of whole programs, which run on a tree as well; [`validator`] is for those
//! of images.
#![forbid(unsafe_code)]

mod around;
mod case;
mod cases;
mod check;
mod escapes;
pub mod fixture;
mod leaks;
pub mod model;
mod options;
mod probe;
mod refusal;
mod solo;
mod suite;
pub mod validator;
mod world;

use std::process::ExitCode;

use sandbox_core::Backend;

/// Runs the suite for a backend, as the arguments of the program say: words select cases by a part of
/// their names; `--help` lists the options.
pub fn conformance(backend: &dyn Backend) -> ExitCode {
    // The suite starts this same program again, once for each case and for each odd caller.
    solo::play(backend).unwrap_or_else(|| suite::run(backend))
}
