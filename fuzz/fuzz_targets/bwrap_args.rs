//! libFuzzer on the words of bwrap.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::bwrap_args(bytes));
