//! libFuzzer on manifests of pods.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::pod_manifest(bytes));
