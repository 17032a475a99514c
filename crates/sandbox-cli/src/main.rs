//! `run-sandbox`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox_cli::run(std::env::args_os())
}
