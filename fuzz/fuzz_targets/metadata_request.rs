//! libFuzzer on requests to the metadata service.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::metadata_request(bytes));
