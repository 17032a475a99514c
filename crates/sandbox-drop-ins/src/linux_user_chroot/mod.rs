//! `linux-user-chroot`: the command line of the C program of that name, as any user, without privilege.

mod arguments;
mod bpf;
mod check;
mod config;
mod failure;
mod seccomp_v0;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use nix::unistd::geteuid;
use sandbox_core::{Preference, Status};
use sandbox_luc::LinuxUserChroot;
use sandbox_sys::{HeldSignals, Launcher};

use crate::setuid;
use arguments::{Options, Request};
use config::Caller;
use failure::Failure;

/// The last release of the C program, whose interface this is.
const VERSION: &str = "linux-user-chroot 2015.1";

/// Runs `linux-user-chroot` with these words, the program's name first.
///
/// What it returns is PROGRAM's exit status; 1 if a signal has killed it, or if it could not be run.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    if let Err(error) = setuid::give_up_privileges() {
        return fail(&Failure::from(error));
    }
    let words: Vec<_> = words.into_iter().collect();
    match Request::parse(&words) {
        Err(error) => fail(&error),
        Ok(Request::Help) => print("See \"man linux-user-chroot\""),
        Ok(Request::Version) => print(VERSION),
        Ok(Request::Run(options)) => start(&options).unwrap_or_else(|failure| fail(&failure)),
    }
}

/// The configuration that some words ask for, where every DEST is what it says; and only where it is valid.
#[cfg(fuzzing)]
pub(crate) fn configured(words: &[OsString]) -> Option<sandbox_core::SandboxConfig> {
    let Ok(Request::Run(options)) = Request::parse(words) else { return None };
    let place = |mount: &arguments::MountOption| {
        sandbox_core::InsidePath::from_root(mount.at(), "DEST").ok()
    };
    let places = options.mounts.iter().map(place).collect::<Option<Vec<_>>>()?;
    let config = config::config(&options, &places, Caller::Other).ok()?;
    config.validate().ok()?;
    Some(config)
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    let places = check::places(options)?;
    let caller = if geteuid().is_root() { Caller::Root } else { Caller::Other };
    let config = config::config(options, &places, caller)?;
    // PROGRAM as PID 1 can be sent no signal that it has not asked for. If they were held back to be
    // passed on, nothing could end this program; as it is, the sandbox ends with it.
    let held = if options.unshare.pid { None } else { HeldSignals::hold().ok() };
    let child = Launcher::new(&[&LinuxUserChroot])
        .preference(Preference::Any)
        .start(&config)
        .map_err(|error| Failure::of_start(error, options, &places))?;
    let outcome = match &held {
        Some(held) => child.wait_passing_on(held),
        None => child.wait(),
    };
    Ok(match outcome?.status {
        Status::Exited(code) => code.into(),
        _ => ExitCode::FAILURE,
    })
}

/// A reader that has gone away is no failure.
fn print(line: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}

/// In one piece.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let _ = io::stderr().write_all(format!("{error}\n").as_bytes());
    ExitCode::FAILURE
}
