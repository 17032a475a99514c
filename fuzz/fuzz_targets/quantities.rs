//! libFuzzer on amounts, as text.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::quantities(bytes));
