//! libFuzzer on the config.json of OCI bundles.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::bundle(bytes));
