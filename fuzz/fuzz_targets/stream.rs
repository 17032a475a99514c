//! libFuzzer on compressed streams.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::stream(bytes));
