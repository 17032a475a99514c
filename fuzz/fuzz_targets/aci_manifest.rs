//! libFuzzer on manifests of App Container images.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::aci_manifest(bytes));
