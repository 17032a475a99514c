//! Whichever target `SANDBOX_FUZZ_TARGET` names: `cargo xtask fuzz` links one program in place of one for each.

#![no_main]

use std::sync::OnceLock;

use sandbox_fuzz::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("SANDBOX_FUZZ_TARGET").unwrap_or_default();
    let mut all = sandbox_fuzz::TARGETS.into_iter().chain(sandbox_fuzz::OTHERS);
    all.find(|(known, _)| *known == name).expect("SANDBOX_FUZZ_TARGET names a target")
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.get_or_init(target).1)(bytes));
