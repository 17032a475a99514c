//! libFuzzer on index, manifest and configuration of OCI images.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::oci_json(bytes));
