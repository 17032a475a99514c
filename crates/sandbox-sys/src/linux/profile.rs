//! The filters of system calls that are there without the caller's asking: of the terminal, and the build
//! profile.
//!
//! They are installed before the init is executed, and so hold it too, which makes none of the calls. One
//! filter of both costs half of two. `TIOCSTI` and `TIOCLINUX` (ioctl_tty(2)) push input into a terminal, where
//! the caller's shell reads it once the sandbox has ended; a session of its own would help too, but would cost
//! the command its job control.

use std::io;

use libc::sock_filter;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use sandbox_core::{Capability, KeptCapabilities, Step};
use sandbox_seccomp::{BUILD, BUILD_AND_TERMINAL, Instruction, Machine, Rules, TERMINAL, compile};

/// The filter that one of the two steps installs, among all steps of its plan. `None`: none.
pub(super) fn filter(step: &Step, all: &[Step]) -> io::Result<Option<Vec<sock_filter>>> {
    let is_profile = |step: &Step| matches!(step, Step::BuildProfile(_));
    let terminal = all.contains(&Step::BlockTerminalInput) && is_there();
    Ok(match step {
        Step::BlockTerminalInput if !terminal || all.iter().any(is_profile) => None,
        Step::BlockTerminalInput => Some(native(TERMINAL)),
        Step::BuildProfile(KeptCapabilities::Nothing) => {
            Some(native(if terminal { BUILD_AND_TERMINAL } else { BUILD }))
        }
        Step::BuildProfile(kept) => Some(native(&build_with(kept, terminal)?)),
        _ => None,
    })
}

/// The profile for a command that keeps capabilities, which few do: it is made when it is needed.
fn build_with(kept: &KeptCapabilities, terminal: bool) -> io::Result<Vec<Instruction>> {
    let names: Vec<_> = match kept {
        KeptCapabilities::Only(kept) => kept.iter().map(ToString::to_string).collect(),
        _ => Capability::all().map(|one| one.to_string()).collect(),
    };
    let rules = Rules::build().map_err(io::Error::other)?;
    let rules = rules.for_capabilities(names.iter().map(String::as_str));
    let of_terminal = Rules::terminal().map_err(io::Error::other)?;
    let machine = Machine::this().ok_or(io::ErrorKind::Unsupported)?;
    let both = [&rules, &of_terminal];
    Ok(compile(machine, if terminal { &both } else { &both[..1] }))
}

fn native(program: &[Instruction]) -> Vec<sock_filter> {
    let instruction =
        |&Instruction { code, jt, jf, k }: &Instruction| sock_filter { code, jt, jf, k };
    program.iter().map(instruction).collect()
}

/// Whether the session has a terminal, into which the command, being of that session, could type.
///
/// Without one the command could only get a terminal that is no other session's: nobody reads there.
fn is_there() -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    !matches!(open("/dev/tty", flags, Mode::empty()), Err(Errno::ENXIO))
}
