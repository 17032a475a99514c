//! libFuzzer on configurations in JSON and TOML.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::config(bytes));
