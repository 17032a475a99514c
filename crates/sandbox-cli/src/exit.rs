//! Exit codes: those of env(1) and timeout(1), so that scripts can tell the command's failures
//! from ours.

use std::io::ErrorKind;

use sandbox_core::{Ending, Outcome, Status};
use sandbox_sys::{RunError, SpawnError, WaitError};

use crate::error::CliError;

/// Its time was over, and it ended when it was asked to.
const TIMED_OUT: u8 = 124;
/// The sandbox could not be made, or the request for it was wrong.
pub(crate) const NOT_MADE: u8 = 125;
/// The command exists and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// There is no such command in the sandbox.
const NOT_FOUND: u8 = 127;
/// Somebody killed the sandbox, and the command with it: init can be killed by nothing but SIGKILL.
const KILLED: u8 = 128 + 9;

/// The command's own status; 128 + n where signal n killed it; and where its time was over what timeout(1) says.
pub(crate) fn of_outcome(outcome: &Outcome) -> u8 {
    of_ending(outcome.ending).unwrap_or_else(|| outcome.status.shell_code())
}

/// Where it does not matter how the command has ended.
fn of_ending(ending: Ending) -> Option<u8> {
    match ending {
        Ending::TimedOut => Some(TIMED_OUT),
        Ending::TimedOutAndKilled | Ending::InterruptedAndKilled => Some(KILLED),
        _ => None,
    }
}

/// What a failure of ours exits with.
pub(crate) fn of_error(error: &CliError) -> u8 {
    match error {
        CliError::Run(RunError::Spawn(SpawnError::Exec { source, .. })) => of_exec(source.kind()),
        CliError::Wait(WaitError::Killed) => KILLED,
        CliError::PreStartStopped(ending) => of_ending(*ending).unwrap_or(KILLED),
        // Who ended the handler ended the image.
        CliError::PreStart(status @ Status::Signaled(_)) => status.shell_code(),
        CliError::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(KILLED),
        _ => NOT_MADE,
    }
}

fn of_exec(kind: ErrorKind) -> u8 {
    if kind == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::Usage;

    #[test]
    fn a_command_that_cannot_start() {
        assert_eq!(of_exec(ErrorKind::NotFound), 127);
        assert_eq!(of_exec(ErrorKind::PermissionDenied), 126);
        assert_eq!(of_exec(ErrorKind::ArgumentListTooLong), 126);
    }

    #[test]
    fn a_command_that_ended() {
        let code = |status| of_outcome(&Outcome::new(status, Usage::default()));
        assert_eq!(code(Status::Exited(0)), 0);
        assert_eq!(code(Status::Exited(255)), 255);
        assert_eq!(code(Status::Signaled(9)), 137);
        let ended = |ending| {
            let mut outcome = Outcome::new(Status::Exited(3), Usage::default());
            outcome.ending = ending;
            of_outcome(&outcome)
        };
        assert_eq!((ended(Ending::ByItself), ended(Ending::TimedOut)), (3, 124));
        assert_eq!(ended(Ending::TimedOutAndKilled), 137);
        assert_eq!(ended(Ending::InterruptedAndKilled), 137);
    }

    #[test]
    fn everything_else_is_ours() {
        assert_eq!(of_error(&CliError::NoRoot), 125);
        assert_eq!(of_error(&CliError::PreStart(Status::Exited(3))), 125);
        assert_eq!(of_error(&CliError::PreStart(Status::Signaled(15))), 143);
        assert_eq!(of_error(&CliError::PreStartStopped(Ending::TimedOut)), 124);
        assert_eq!(of_error(&CliError::Interrupted(2)), 130);
        assert_eq!(of_error(&CliError::Wait(WaitError::Killed)), 137);
    }
}
