//! `bwrap`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox_drop_ins::bwrap::run(std::env::args_os())
}
