//! What sandboxlib promises, checked against this backend.

use std::process::ExitCode;

use sandbox_luc::LinuxUserChroot;

fn main() -> ExitCode {
    sandbox_testkit::conformance(&LinuxUserChroot)
}
