//! Plans in words, for `--explain` and for error messages.

use std::ffi::OsStr;
use std::fmt;

use crate::absent::Missing;
use crate::mount::{MountFlag, Recursion};
use crate::plan::{Namespace, NewFilesystem, Note, Plan, Step};
use crate::privileges::KeptCapabilities;
use crate::process::{FIRST_LISTEN_FD, First, ListenPid, Session};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "backend: {}", self.backend)?;
        if !self.namespaces.is_empty() {
            let names: Vec<_> = self.namespaces.iter().map(ToString::to_string).collect();
            writeln!(f, "new namespaces: {}", names.join(", "))?;
        }
        if !self.limits.is_none() {
            writeln!(f, "limits: {}", self.limits)?;
        }
        if let Some(time_out) = self.time_out {
            writeln!(f, "time-out: {time_out}")?;
        }
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:3}. {step}")?;
        }
        write!(f, "{:3}. execute", self.steps.len() + 1)?;
        for word in self.exec.command.words() {
            write!(f, " {}", Word(word))?;
        }
        if self.exec.session == Session::New {
            f.write_str(" (in a new session)")?;
        }
        if self.exec.first == First::Command {
            f.write_str(" (as the first process)")?;
        }
        for (inside, number) in (FIRST_LISTEN_FD..).zip(&self.exec.listen_fds) {
            write!(f, " (with descriptor {number} as {inside})")?;
        }
        if self.exec.listen_pid == ListenPid::Own {
            f.write_str(" (with its PID as LISTEN_PID)")?;
        }
        if !self.exec.seccomp.is_empty() {
            write!(f, " (with {} seccomp filters)", self.exec.seccomp.len())?;
        }
        writeln!(f)?;
        for downgrade in &self.downgrades {
            writeln!(f, "downgrade: {downgrade}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.text)
    }
}

/// A word of a command line, quoted where a shell would take it apart.
struct Word<'a>(&'a OsStr);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(byte);
        let text = self.0.display().to_string();
        if !text.is_empty() && text.as_bytes().iter().all(plain) {
            f.write_str(&text)
        } else {
            write!(f, "'{}'", text.replace('\'', r"'\''"))
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapIds { uid, gid } => {
                let (u, g) = (uid, gid);
                write!(f, "map user {} to {}, group ", u.inside, u.outside)?;
                write!(f, "{} to {}", g.inside, g.outside)
            }
            Self::PrivateMounts => f.write_str("make all mounts private"),
            Self::RootTree(path) => write!(f, "take {} as the new root", path.display()),
            Self::RootDirectory(path) => write!(f, "take {} as the root in place", path.display()),
            Self::RootEmpty => f.write_str("take an empty tmpfs as the new root"),
            Self::MakeDirectory(path) => write!(f, "make the directory {path} if missing"),
            Self::MakeFile(path) => write!(f, "make the file {path} if missing"),
            Self::MakeTarget { target, like, .. } => {
                write!(f, "make the mount point {target} if missing, like {}", like.display())
            }
            Self::MakeTargetFor { target, descriptor } => {
                write!(f, "make the mount point {target} if missing, like descriptor {descriptor}")
            }
            Self::CreateDirectory { target, mode } => {
                write!(f, "make the directory {target} (mode {mode:04o}) for good, if missing")
            }
            Self::CreateFile { target, content, mode } => {
                let size = content.len();
                write!(f, "write the file {target} ({size} bytes, mode {mode:04o}) for good")
            }
            Self::Symlink { at, to } => write!(f, "link {at} to {}", to.display()),
            Self::ChangeMode { target, mode } => {
                write!(f, "change the mode of {target} to {mode:04o}")
            }
            Self::BindData { target, content, mode, flags } => {
                let size = content.len();
                write!(f, "bind {size} bytes (mode {mode:04o}) on {target}{}", Flags(flags))
            }
            Self::BindDescriptor { descriptor, target, recursion, flags } => {
                let rest = submounts(*recursion);
                write!(f, "bind descriptor {descriptor}{rest} on {target}{}", Flags(flags))
            }
            Self::Bind { source, target, recursion, flags, missing } => {
                let (rest, missing) = (submounts(*recursion), if_present(*missing));
                write!(f, "bind {}{rest} on {target}{}{missing}", source.display(), Flags(flags))
            }
            Self::BindConsole(target) => {
                write!(f, "bind the command's terminal, or else /dev/null, on {target}")
            }
            Self::Mount { filesystem, target, flags } => {
                write!(f, "mount {filesystem} on {target}{}", Flags(flags))
            }
            Self::RestrictInPlace { target, flags } => {
                write!(f, "restrict the mount on {target}{}", Flags(flags))
            }
            Self::Restrict { target, recursion, flags, missing } => {
                let (rest, missing) = (submounts(*recursion), if_present(*missing));
                write!(f, "restrict {target}{rest}{}{missing}", Flags(flags))
            }
            Self::Mask(path) => write!(f, "mask {path}, if present"),
            Self::HoldWritable(path) => write!(f, "hold {path} writable"),
            Self::Find(path) => {
                write!(f, "find {path}, which stays writable with what is above it")
            }
            Self::ReadOnly => f.write_str("make every mount of the new root read-only"),
            Self::ReleaseWritable(path) => write!(f, "put {path} back writable"),
            Self::Reopen(path) => write!(f, "make the mount on {path} writable again"),
            Self::PivotRoot => f.write_str("pivot to the new root and detach the old one"),
            Self::Chroot => f.write_str("chroot to the new root"),
            Self::LoopbackUp => f.write_str("bring the loopback interface up"),
            Self::SetHostname(name) => write!(f, "set the host name to {name}"),
            Self::ChangeDirectory(path) => write!(f, "change the working directory to {path}"),
            Self::KeepDirectory => f.write_str("change to the caller's working directory"),
            Self::FirstDirectory(paths) => {
                f.write_str("change the working directory to the first there is of")?;
                paths.iter().try_for_each(|path| write!(f, " {path}"))
            }
            Self::Await(descriptor) => write!(f, "wait for descriptor {descriptor} to be readable"),
            Self::Lock(path) => write!(f, "lock {path} as long as the sandbox lives"),
            Self::LastUserNamespace => f.write_str("allow no further user namespaces"),
            Self::SetIds { uid, gid, groups } => {
                write!(f, "become user {uid}, group {gid}, ")?;
                let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
                match groups.as_slice() {
                    [] => f.write_str("no other groups"),
                    groups => write!(f, "other groups {}", groups.join(",")),
                }
            }
            Self::DropCapabilities => f.write_str("drop all capabilities"),
            Self::KeepCapabilities(kept) => {
                let names: Vec<_> = kept.iter().map(ToString::to_string).collect();
                write!(f, "drop all capabilities but {}", names.join(","))
            }
            Self::NoNewPrivileges => f.write_str("set no_new_privs"),
            Self::BlockTerminalInput => {
                f.write_str("refuse TIOCSTI and TIOCLINUX, where the session has a terminal")
            }
            Self::BuildProfile(kept) => {
                f.write_str("refuse the system calls that builds never need")?;
                match kept {
                    KeptCapabilities::Nothing => Ok(()),
                    _ => f.write_str(", but those of the capabilities that are kept"),
                }
            }
        }
    }
}

fn submounts(recursion: Recursion) -> &'static str {
    match recursion {
        Recursion::Recursive => "",
        Recursion::Single => " without submounts",
        Recursion::SinglePreferred => " without submounts if possible",
    }
}

fn if_present(missing: Missing) -> &'static str {
    match missing {
        Missing::Fails => "",
        Missing::IsFine => ", if present",
    }
}

impl fmt::Display for NewFilesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proc => f.write_str("proc"),
            Self::Tmpfs { size, mode } => {
                write!(f, "tmpfs (mode {mode:04o}")?;
                if let Some(size) = size {
                    write!(f, ", {size} bytes")?;
                }
                f.write_str(")")
            }
            Self::Devpts => f.write_str("devpts"),
            Self::Sysfs => f.write_str("sysfs"),
            Self::Mqueue => f.write_str("mqueue"),
            Self::TemporaryOverlay { lower, .. } => {
                write!(f, "temporary overlay (lower")?;
                lower.iter().try_for_each(|path| write!(f, " {}", path.display()))?;
                f.write_str(")")
            }
            Self::Overlay { lower, upper, .. } => {
                write!(f, "overlay (lower")?;
                lower.iter().try_for_each(|path| write!(f, " {}", path.display()))?;
                if let Some(upper) = upper {
                    write!(f, ", upper {}", upper.upper.display())?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for MountFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReadOnly => "ro",
            Self::NoSuid => "nosuid",
            Self::NoDev => "nodev",
            Self::NoExec => "noexec",
        })
    }
}

struct Flags<'a>(&'a [MountFlag]);

impl fmt::Display for Flags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        if words.is_empty() { Ok(()) } else { write!(f, " ({})", words.join(",")) }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
        })
    }
}
