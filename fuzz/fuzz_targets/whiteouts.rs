//! libFuzzer on two or more layers, beside a model of them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::whiteouts(bytes));
