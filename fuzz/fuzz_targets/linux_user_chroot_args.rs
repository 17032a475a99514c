//! libFuzzer on the words of linux-user-chroot.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox_fuzz::linux_user_chroot_args(bytes));
