//! What sandboxlib promises, checked against this backend.

use std::process::ExitCode;

use sandbox_chroot::Chroot;

fn main() -> ExitCode {
    sandbox_testkit::conformance(&Chroot)
}
