//! What can go wrong, in the words of the C program: the call of its that failed, and the error.

use std::fmt;
use std::io;

use nix::errno::Errno;
use sandbox_core::{ConfigError, InsidePath, MountFlag, NewFilesystem, Step};
use sandbox_sys::{RunError, SpawnError, WaitError};

use super::arguments::{MountOption, Options};
use crate::setuid::PrivilegeError;

/// Why PROGRAM was not run, or why its end is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("Couldn't open bind mount source")]
    Source,
    #[error("{call}: {}{}", text(*.errno), next_line(.reason.as_ref()))]
    Call {
        call: Call,
        errno: Errno,
        /// What the engine knows about it; the C program has no such line.
        reason: Option<String>,
    },
    #[error("Unknown --seccomp-profile-version")]
    UnknownProfile,
    #[error("linux-user-chroot: {0}")]
    Privileges(#[from] PrivilegeError),
    #[error("linux-user-chroot: {0}")]
    Config(#[from] ConfigError),
    #[error("linux-user-chroot: {0}")]
    Run(RunError),
    #[error("linux-user-chroot: {0}")]
    Wait(#[from] WaitError),
}

/// A call that the C program makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Clone,
    NoNewPrivileges,
    Private,
    Bind,
    ReadOnly,
    Proc,
    Devices,
    ChangeDirectory,
    MoveRoot,
    Execute,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clone => "clone",
            Self::NoNewPrivileges => "prctl (PR_SET_NO_NEW_PRIVS)",
            Self::Private => "mount(/, MS_PRIVATE | MS_REC)",
            Self::Bind => "mount (MS_BIND)",
            Self::ReadOnly => "mount (MS_BIND | MS_RDONLY)",
            Self::Proc => "mount (\"proc\")",
            Self::Devices => "setting up devapi",
            Self::ChangeDirectory => "chdir",
            Self::MoveRoot => "mount (MS_MOVE)",
            Self::Execute => "execv",
        })
    }
}

impl Call {
    /// The first call for a mount, which fails where there is no mount point.
    pub(super) fn of(mount: &MountOption) -> Self {
        match mount {
            MountOption::Bind { .. } | MountOption::ReadOnly { .. } => Self::Bind,
            MountOption::Proc { .. } => Self::Proc,
            MountOption::Devices { .. } => Self::Devices,
        }
    }
}

/// The system's words for an error, without its number.
fn text(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

fn next_line(reason: Option<&String>) -> String {
    reason.map(|reason| format!("\nlinux-user-chroot: {reason}")).unwrap_or_default()
}

impl Failure {
    pub(super) fn call(call: Call, errno: Errno) -> Self {
        Self::Call { call, errno, reason: None }
    }

    /// What a failed start means for these options, whose mounts go to these places.
    pub(super) fn of_start(error: RunError, options: &Options, places: &[InsidePath]) -> Self {
        let reason = Some(error.to_string());
        match error {
            // Something that every sandbox needs is not to be had here.
            RunError::Select(_) => Self::Call { call: Call::Clone, errno: Errno::EPERM, reason },
            RunError::Spawn(error) => {
                let errno = error.os_error().and_then(io::Error::raw_os_error).map(Errno::from_raw);
                match (&error, errno) {
                    (SpawnError::Exec { .. }, Some(errno)) => Self::call(Call::Execute, errno),
                    (SpawnError::Host { .. }, Some(errno)) => {
                        Self::Call { call: Call::Clone, errno, reason }
                    }
                    (SpawnError::Step { step, hint, .. }, Some(errno)) => {
                        let reason = reason.filter(|_| hint.is_some());
                        match call_of(step, errno, options, places) {
                            Some(call) => Self::Call { call, errno, reason },
                            None => Self::Run(error.into()),
                        }
                    }
                    _ => Self::Run(error.into()),
                }
            }
            other => Self::Run(other),
        }
    }
}

/// The call of the C program that a step stands for.
fn call_of(step: &Step, errno: Errno, options: &Options, places: &[InsidePath]) -> Option<Call> {
    let at = |target: &InsidePath| {
        let mut mounts = options.mounts.iter().zip(places);
        let mount = mounts.rfind(|(_, place)| *place == target).map(|(mount, _)| Call::of(mount));
        mount.unwrap_or(Call::Devices)
    };
    Some(match step {
        Step::MapIds { .. } => Call::Clone,
        Step::NoNewPrivileges => Call::NoNewPrivileges,
        Step::PrivateMounts => Call::Private,
        Step::RootTree(_) | Step::ChangeDirectory(_) => Call::ChangeDirectory,
        Step::PivotRoot => Call::MoveRoot,
        Step::Bind { flags, .. } if flags.contains(&MountFlag::ReadOnly) => Call::ReadOnly,
        Step::RestrictInPlace { .. } => Call::ReadOnly,
        Step::Restrict { target, .. } if places.contains(target) => {
            // The C program has mounted it on itself before.
            let is_found =
                !matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES | Errno::ELOOP);
            if is_found { Call::ReadOnly } else { Call::Bind }
        }
        Step::Mount { filesystem: NewFilesystem::Proc, .. } => Call::Proc,
        Step::Mount { .. } | Step::Symlink { .. } => Call::Devices,
        Step::Bind { target, .. }
        | Step::MakeTarget { target, .. }
        | Step::MakeDirectory(target) => at(target),
        _ => return None,
    })
}
