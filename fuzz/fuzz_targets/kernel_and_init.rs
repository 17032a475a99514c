//! libFuzzer on what the kernel and the init say.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::kernel_and_init(bytes));
