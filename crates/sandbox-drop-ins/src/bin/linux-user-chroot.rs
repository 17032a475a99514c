//! `linux-user-chroot`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox_drop_ins::linux_user_chroot::run(std::env::args_os())
}
