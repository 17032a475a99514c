//! The beginning of a process that is traced: it asks for that, waits, and executes the program.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};

use crate::Result;

/// The descriptor that the program finds the file as, which is its first word here.
const REPORT: i32 = 3;

/// `FILE PROGRAM [ARG]...`
pub(crate) fn run(args: &[String]) -> Result {
    let [file, program, rest @ ..] = args else { return Err("FILE PROGRAM [ARG]...".into()) };
    let report = File::create(file)?;
    if report.as_raw_fd() != REPORT {
        return Err(format!("descriptor {} in the place of 3", report.as_raw_fd()).into());
    }
    fcntl(&report, FcntlArg::F_SETFD(FdFlag::empty()))?;
    ptrace::traceme()?;
    raise(Signal::SIGSTOP)?;
    Err(Command::new(OsString::from(program)).args(rest).exec().into())
}
