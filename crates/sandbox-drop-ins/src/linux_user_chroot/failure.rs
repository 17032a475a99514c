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

#[cfg(test)]
mod tests {
    use sandbox_core::{IdMap, Missing, Recursion};

    use super::*;

    fn path(path: &str) -> InsidePath {
        InsidePath::absolute(path, "test").unwrap()
    }

    fn bind(source: &str, target: &str, flags: &[MountFlag]) -> Step {
        Step::Bind {
            source: source.into(),
            target: path(target),
            recursion: Recursion::SinglePreferred,
            flags: flags.to_vec(),
            missing: Missing::Fails,
        }
    }

    /// Those that cannot be brought about from outside, too.
    #[test]
    fn each_step_is_told_as_the_c_program_would() {
        let options = Options {
            mounts: vec![
                MountOption::Bind { source: "/s".into(), at: "/bound".into() },
                MountOption::ReadOnly { at: "/read".into() },
                MountOption::Proc { at: "/proc".into() },
                MountOption::Devices { at: "/dev".into() },
            ],
            ..Options::default()
        };
        let places = ["/bound", "/read", "/proc", "/dev"].map(path);
        let restrict = Step::Restrict {
            target: path("/read"),
            recursion: Recursion::SinglePreferred,
            flags: vec![MountFlag::ReadOnly],
            missing: Missing::Fails,
        };
        let id = IdMap { inside: 1, outside: 1 };
        let tmpfs = NewFilesystem::Tmpfs { size: None, mode: 0o755 };
        let mount =
            |filesystem, at: &str| Step::Mount { filesystem, target: path(at), flags: Vec::new() };
        for (step, errno, message) in [
            (Step::MapIds { uid: id, gid: id }, Errno::EPERM, "clone: Operation not permitted"),
            (Step::NoNewPrivileges, Errno::EINVAL, "prctl (PR_SET_NO_NEW_PRIVS): Invalid argument"),
            (Step::PrivateMounts, Errno::EINVAL, "mount(/, MS_PRIVATE | MS_REC): Invalid argument"),
            (Step::RootTree("/r".into()), Errno::ENOTDIR, "chdir: Not a directory"),
            (Step::PivotRoot, Errno::EINVAL, "mount (MS_MOVE): Invalid argument"),
            (Step::ChangeDirectory(path("/")), Errno::ENOENT, "chdir: No such file or directory"),
            (
                bind("/s", "/bound", &[]),
                Errno::ENOENT,
                "mount (MS_BIND): No such file or directory",
            ),
            (
                bind("/r", "/", &[MountFlag::ReadOnly]),
                Errno::EPERM,
                "mount (MS_BIND | MS_RDONLY): Operation not permitted",
            ),
            (restrict.clone(), Errno::ENOENT, "mount (MS_BIND): No such file or directory"),
            (restrict, Errno::EPERM, "mount (MS_BIND | MS_RDONLY): Operation not permitted"),
            (
                mount(NewFilesystem::Proc, "/proc"),
                Errno::EPERM,
                "mount (\"proc\"): Operation not permitted",
            ),
            (
                bind("/proc", "/proc", &[]),
                Errno::EPERM,
                "mount (\"proc\"): Operation not permitted",
            ),
            (mount(tmpfs, "/dev"), Errno::ENOSPC, "setting up devapi: No space left on device"),
            (
                bind("/dev/null", "/dev/null", &[]),
                Errno::ENOENT,
                "setting up devapi: No such file or directory",
            ),
        ] {
            let call = call_of(&step, errno, &options, &places).unwrap();
            assert_eq!(Failure::call(call, errno).to_string(), message, "{step}");
        }
        assert!(call_of(&Step::DropCapabilities, Errno::EPERM, &options, &places).is_none());
    }

    #[test]
    fn a_reason_is_a_line_of_its_own() {
        let (call, errno) = (Call::Clone, Errno::EPERM);
        let told = Failure::Call { call, errno, reason: Some("why".to_owned()) }.to_string();
        assert_eq!(told, "clone: Operation not permitted\nlinux-user-chroot: why");
    }
}
