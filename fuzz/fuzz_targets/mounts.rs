//! libFuzzer on mounts, as text.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::mounts(bytes));
