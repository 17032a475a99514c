//! libFuzzer on users and groups of an image.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::passwd(bytes));
