//! `linux-user-chroot`: the command line of the C program of that name.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `linux-user-chroot` with these words, the program's name first.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    drop(words.into_iter());
    ExitCode::FAILURE
}
