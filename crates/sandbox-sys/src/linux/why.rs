//! What an error number means here, and what to change.
//!
//! Consulted only after something has failed: it reads sysctls.

use std::fs;

use super::spawn::is_dumpable;
use sandbox_core::{Missing, Namespace, NewFilesystem, Obstacle, Recursion, Step, WhyNot};

use crate::words;

const USERNS_CLONE: &str = "/proc/sys/kernel/unprivileged_userns_clone";
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

fn sysctl(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The sysctl that limits the number of namespaces of a kind (namespaces(7)).
fn limit(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::User => "max_user_namespaces",
        Namespace::Mount => "max_mnt_namespaces",
        Namespace::Pid => "max_pid_namespaces",
        Namespace::Network => "max_net_namespaces",
        Namespace::Ipc => "max_ipc_namespaces",
        Namespace::Uts => "max_uts_namespaces",
        _ => "max_cgroup_namespaces",
    }
}

/// Whether a container or another sandbox filters our system calls.
fn filtered() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

/// Why a namespace cannot be created.
pub(super) fn namespace(kind: Namespace, errno: i32) -> WhyNot {
    let knob = limit(kind);
    if sysctl(&format!("/proc/sys/user/{knob}")) == Some(0) {
        return WhyNot::new(Obstacle::Disabled, format!("user.{knob} is 0"))
            .remedy(format!("as root: sysctl user.{knob}=10000"));
    }
    match errno {
        libc::ENOSPC | libc::EUSERS => {
            WhyNot::new(Obstacle::Disabled, format!("the limit of {kind} namespaces is reached"))
                .remedy(format!("raise user.{knob}, here and in the namespaces around"))
        }
        libc::EINVAL => {
            WhyNot::new(Obstacle::Kernel, format!("the kernel has no {kind} namespaces"))
                .remedy("take a kernel that is built with them")
        }
        libc::EAGAIN => WhyNot::new(Obstacle::Disabled, "the limit of processes is reached")
            .remedy("raise `ulimit -u`, or the pids limit of the cgroup"),
        libc::EPERM if kind == Namespace::User => user_namespace_refused(),
        _ => refused(&format!("creating a {kind} namespace"), errno),
    }
}

fn user_namespace_refused() -> WhyNot {
    if sysctl(USERNS_CLONE) == Some(0) {
        return WhyNot::new(Obstacle::Disabled, "kernel.unprivileged_userns_clone is 0")
            .remedy("as root: sysctl kernel.unprivileged_userns_clone=1");
    }
    if filtered() {
        return container("creating a user namespace");
    }
    WhyNot::new(Obstacle::Privilege, "creating a user namespace is refused (EPERM)")
        .remedy("this happens inside chroot(2), and where a security module forbids it")
}

fn container(action: &str) -> WhyNot {
    WhyNot::new(
        Obstacle::Disabled,
        format!("{action} is refused, perhaps by a seccomp filter as containers have it"),
    )
    .remedy("allow it in the container's seccomp profile, or run outside of the container")
}

/// The same for a probe, which may have failed at what comes first.
pub(super) fn probed(what: &str, errno: i32, namespaces: &[Namespace]) -> WhyNot {
    match errno {
        libc::EINVAL if namespaces.contains(&Namespace::Mount) && is_in_chroot() => WhyNot::new(
            Obstacle::Disabled,
            "the caller's own root is no mount point, as in a chroot",
        )
        .remedy("mount --bind it on itself before entering it"),
        libc::EACCES | libc::EPERM if namespaces.contains(&Namespace::User) && !is_dumpable() => {
            let reason = "this process is not dumpable, so its /proc files belong to root";
            WhyNot::new(Obstacle::Disabled, reason).remedy("prctl(PR_SET_DUMPABLE, 1), prctl(2)")
        }
        libc::EPERM if namespaces.contains(&Namespace::User) && is_powerless_root() => {
            let reason = "user 0 without CAP_SETFCAP may not have a user 0 in a user namespace";
            WhyNot::new(Obstacle::Privilege, reason)
                .remedy("be another user, or keep CAP_SETFCAP (user_namespaces(7), Linux 5.12)")
        }
        libc::EROFS if namespaces.contains(&Namespace::User) => {
            let reason = "/proc, by which ids are mapped, is read-only";
            WhyNot::new(Obstacle::Disabled, reason)
                .remedy("have a proc of its own in the sandbox around, and let it be writable")
        }
        errno => refused(what, errno),
    }
}

/// As in a sandbox that root has started.
fn is_powerless_root() -> bool {
    let has = |capability| caps::has_cap(None, caps::CapSet::Effective, capability);
    nix::unistd::geteuid().is_root() && !has(caps::Capability::CAP_SETFCAP).unwrap_or(true)
}

/// Whether `/` is no mount point: then it is not in the table of mounts.
fn is_in_chroot() -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    !table.lines().any(|line| line.split(' ').nth(4) == Some("/"))
}

/// Why a step that follows the creation of the namespaces is refused.
pub(super) fn refused(action: &str, errno: i32) -> WhyNot {
    let error = std::io::Error::from_raw_os_error(errno);
    match errno {
        // A profile lets the namespace be made, and takes its capabilities away.
        libc::EPERM | libc::EACCES if sysctl(APPARMOR) == Some(1) => {
            WhyNot::new(Obstacle::Disabled, "kernel.apparmor_restrict_unprivileged_userns is 1")
                .remedy(
                    "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give the \
                     program an AppArmor profile with `userns`",
                )
        }
        libc::EPERM | libc::EACCES | libc::ENOSYS if filtered() => container(action),
        libc::EPERM | libc::EACCES => {
            WhyNot::new(Obstacle::Privilege, format!("{action} is refused ({error})"))
        }
        libc::ENOSYS | libc::ENODEV | libc::EINVAL => {
            WhyNot::new(Obstacle::Kernel, format!("the kernel cannot do it: {action} ({error})"))
        }
        _ => WhyNot::new(Obstacle::Kernel, format!("{action} fails ({error})")),
    }
}

fn text(why: &WhyNot) -> String {
    why.to_string()
}

pub(super) fn clone_hint(errno: i32, namespaces: &[Namespace]) -> Option<String> {
    match (errno, namespaces) {
        (libc::EAGAIN, _) => Some(text(&namespace(Namespace::User, errno))),
        (libc::EPERM, []) => None,
        (libc::EPERM, kinds) if kinds.contains(&Namespace::User) => {
            Some(text(&namespace(Namespace::User, errno)))
        }
        (libc::ENOSPC | libc::EUSERS, kinds) => {
            let zero =
                |kind: &&Namespace| sysctl(&format!("/proc/sys/user/{}", limit(**kind))) == Some(0);
            let kind = kinds.iter().find(zero).or(kinds.first())?;
            Some(text(&namespace(*kind, errno)))
        }
        _ => None,
    }
}

pub(super) fn step_hint(step: &Step, errno: i32) -> Option<String> {
    let hint = match (step, errno) {
        (Step::Bind { recursion: Recursion::Single, .. }, libc::EINVAL) => {
            "without privilege, a bind without submounts cannot uncover what a mount hides: use rbind"
        }
        (Step::Bind { .. }, libc::ENOTDIR) => {
            "a file and a directory cannot be bound on each other"
        }
        (Step::Bind { .. } | Step::Mount { .. }, libc::ENOENT) => {
            "the source is missing, or the target is a dangling symbolic link"
        }
        (
            Step::MakeTarget { .. } | Step::MakeDirectory(_) | Step::MakeFile(_),
            libc::EACCES | libc::EPERM,
        ) => "the mount point is missing, and the caller may not make it in this tree",
        (Step::MakeTarget { .. } | Step::MakeDirectory(_) | Step::MakeFile(_), libc::EROFS) => {
            "the mount point is missing, in a read-only file system"
        }
        (
            Step::Mount { .. }
            | Step::MakeTarget { .. }
            | Step::MakeDirectory(_)
            | Step::MakeFile(_),
            libc::ENOTDIR,
        ) => "a file is in the way",
        (Step::HoldWritable(_) | Step::Find(_) | Step::Reopen(_), libc::ENOENT) => {
            "a writable path must exist in the sandbox"
        }
        (Step::HoldWritable(_), libc::EINVAL) => "it is the root by another name: give /",
        (Step::HoldWritable(_), libc::EMFILE) => {
            "each writable path takes a file descriptor: raise the hard limit, `ulimit -Hn`"
        }
        (Step::ChangeDirectory(_), libc::ENOENT) => {
            "the working directory must exist in the sandbox"
        }
        (Step::ChangeDirectory(_), libc::ELOOP) => {
            "the working directory is named by a link of proc, which could lead outside"
        }
        (Step::KeepDirectory, libc::ENOENT) => {
            let here = std::env::current_dir().unwrap_or_default();
            let hint = format!("{} does not exist in the sandbox", here.display());
            return Some(hint);
        }
        (Step::MapIds { .. }, libc::EACCES | libc::EPERM) if !is_dumpable() => {
            "this process is not dumpable, so its /proc files belong to root: prctl(2), PR_SET_DUMPABLE"
        }
        (Step::SetIds { .. }, libc::EINVAL) => {
            "an id has no name in the caller's user namespace, or there are too many groups"
        }
        (Step::PrivateMounts, libc::EINVAL) => {
            "the caller's own root is no mount point, as in a chroot: mount --bind it on itself first"
        }
        (Step::Reopen(_), libc::EBUSY) => {
            "something else is mounted there, by another name: use one name for the place"
        }
        (Step::RootTree(_), libc::ENOTDIR) => "the root must be a directory",
        (Step::PivotRoot, libc::EINVAL) => {
            "the caller's own root is no mount point, as in a chroot or an initramfs"
        }
        (Step::Mount { filesystem: NewFilesystem::Proc, .. }, libc::EPERM) => {
            "parts of /proc are hidden by other mounts, as containers have it"
        }
        (
            Step::Mount { filesystem: NewFilesystem::Overlay { .. }, .. },
            libc::EINVAL | libc::ELOOP,
        ) => "the layers may not overlap, and without an upper layer there must be two",
        (Step::Restrict { missing: Missing::Fails, .. }, libc::ENOENT) => {
            "there must be something at the target already"
        }
        (Step::RestrictInPlace { .. }, libc::EINVAL) => "it is no mount point",
        (Step::BindDescriptor { .. }, libc::ESTALE | libc::ENOENT) => {
            "what the descriptor refers to has no path any more, or something is mounted over it"
        }
        (Step::Lock(_), libc::EAGAIN) => "somebody else holds an exclusive lock on it",
        (Step::KeepCapabilities(_), libc::EPERM) => "the caller does not have all of them",
        (Step::CreateDirectory { .. } | Step::Symlink { .. }, libc::ENOTDIR | libc::EEXIST) => {
            "something else is there already"
        }
        (_, libc::ELOOP) => "too many symbolic links",
        (_, libc::EPERM | libc::EACCES) => return apparmor_hint(),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn apparmor_hint() -> Option<String> {
    (sysctl(APPARMOR) == Some(1)).then(|| text(&refused("this", libc::EPERM)))
}

/// Whether no memfd may be executed.
pub(super) fn memfd_noexec() -> bool {
    sysctl("/proc/sys/vm/memfd_noexec") == Some(2)
}

pub(super) fn child_hint(errno: i32) -> Option<String> {
    if matches!(errno, libc::ENOMEM | libc::EBUSY) {
        return Some("its limit is less than a sandbox needs".to_owned());
    }
    if errno == libc::EAGAIN {
        return words::exec_hint(errno);
    }
    if errno == libc::ENOENT {
        let hint = "without processes = isolated this takes /proc/thread-self/children, proc(5)";
        return Some(hint.to_owned());
    }
    (errno == libc::EACCES && memfd_noexec())
        .then(|| "vm.memfd_noexec is 2; as root: sysctl vm.memfd_noexec=1".to_owned())
}
