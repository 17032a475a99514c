//! libFuzzer on the records of tar archives.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::tar_entries(bytes));
