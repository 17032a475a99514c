//! libFuzzer on unpacking: nothing outside changes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::unpack(bytes));
