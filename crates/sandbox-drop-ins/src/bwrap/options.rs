//! The options: one table, which the grammar and the help are made from.

use std::fmt::Write as _;

/// The version of bubblewrap whose command line this is.
pub(super) const VERSION: &str = "0.11.0";

/// What an option is, once it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    Help,
    Version,
    Args,
    Argv0,
    LevelPrefix,
    UnshareAll,
    ShareNet,
    UnshareUser,
    UnshareUserTry,
    UnshareIpc,
    UnsharePid,
    UnshareNet,
    UnshareUts,
    UnshareCgroup,
    UnshareCgroupTry,
    Userns,
    Userns2,
    DisableUserns,
    AssertUsernsDisabled,
    Pidns,
    Uid,
    Gid,
    Hostname,
    Chdir,
    Clearenv,
    Setenv,
    Unsetenv,
    LockFile,
    SyncFd,
    PassFd,
    Bind,
    BindTry,
    DevBind,
    DevBindTry,
    RoBind,
    RoBindTry,
    BindFd,
    RoBindFd,
    RemountRo,
    OverlaySrc,
    Overlay,
    TmpOverlay,
    RoOverlay,
    ExecLabel,
    FileLabel,
    Proc,
    Dev,
    Tmpfs,
    Mqueue,
    Dir,
    File,
    BindData,
    RoBindData,
    Symlink,
    Seccomp,
    AddSeccompFd,
    BlockFd,
    UsernsBlockFd,
    InfoFd,
    JsonStatusFd,
    NewSession,
    DieWithParent,
    AsPid1,
    CapAdd,
    CapDrop,
    NotASecurityBoundary,
    Perms,
    Size,
    Chmod,
}

/// One option: its name, the names of its operands, and what it does.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) operands: &'static str,
    pub(super) word: Word,
    help: &'static str,
}

impl Spec {
    /// How many operands it takes.
    pub(super) fn arity(&self) -> usize {
        self.operands.split_whitespace().count()
    }
}

const fn spec(name: &'static str, operands: &'static str, word: Word, help: &'static str) -> Spec {
    Spec { name, operands, word, help }
}

/// The option of this name, which starts with `--`.
pub(super) fn find(name: &[u8]) -> Option<&'static Spec> {
    OPTIONS.iter().find(|spec| spec.name.as_bytes() == name)
}

/// What `--help` prints.
pub(super) fn help() -> String {
    let mut text = String::from("usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]\n\n");
    for Spec { name, operands, help, .. } in OPTIONS {
        let separator = if operands.is_empty() { "" } else { " " };
        let usage = format!("{name}{separator}{operands}");
        let _ = writeln!(text, "    {usage:<32} {help}");
    }
    text
}

#[rustfmt::skip]
static OPTIONS: &[Spec] = &[
    spec("--help", "", Word::Help, "Print this text and exit"),
    spec("--version", "", Word::Version, "Print the version of the command line that is understood"),
    spec("--args", "FD", Word::Args, "Read further options from FD, each ended by a NUL byte"),
    spec("--argv0", "VALUE", Word::Argv0, "Call the command VALUE (its argv[0])"),
    spec("--level-prefix", "", Word::LevelPrefix, "Start each diagnostic with its level, as <3>"),
    spec("--unshare-all", "", Word::UnshareAll, "A new namespace of every kind, user and cgroup where possible"),
    spec("--share-net", "", Word::ShareNet, "Keep the network, after --unshare-all"),
    spec("--unshare-user", "", Word::UnshareUser, "A new user namespace; implied where it is needed"),
    spec("--unshare-user-try", "", Word::UnshareUserTry, "The same where possible"),
    spec("--unshare-ipc", "", Word::UnshareIpc, "A new IPC namespace"),
    spec("--unshare-pid", "", Word::UnsharePid, "A new PID namespace"),
    spec("--unshare-net", "", Word::UnshareNet, "A new network namespace, with loopback only"),
    spec("--unshare-uts", "", Word::UnshareUts, "A new UTS namespace"),
    spec("--unshare-cgroup", "", Word::UnshareCgroup, "A new cgroup namespace"),
    spec("--unshare-cgroup-try", "", Word::UnshareCgroupTry, "The same where possible"),
    spec("--userns", "FD", Word::Userns, "Enter this user namespace (not with --unshare-user)"),
    spec("--userns2", "FD", Word::Userns2, "Enter this one after that of --userns"),
    spec("--disable-userns", "", Word::DisableUserns, "No further user namespaces inside (needs --unshare-user)"),
    spec("--assert-userns-disabled", "", Word::AssertUsernsDisabled, "Fail where user namespaces can be made inside"),
    spec("--pidns", "FD", Word::Pidns, "Enter this PID namespace (not with --unshare-pid)"),
    spec("--uid", "UID", Word::Uid, "The user inside (needs --unshare-user or --userns)"),
    spec("--gid", "GID", Word::Gid, "The group inside (needs --unshare-user or --userns)"),
    spec("--hostname", "NAME", Word::Hostname, "The host name inside (needs --unshare-uts)"),
    spec("--chdir", "DIR", Word::Chdir, "The working directory inside"),
    spec("--clearenv", "", Word::Clearenv, "Unset all variables"),
    spec("--setenv", "VAR VALUE", Word::Setenv, "Set a variable"),
    spec("--unsetenv", "VAR", Word::Unsetenv, "Unset a variable"),
    spec("--lock-file", "DEST", Word::LockFile, "Hold a lock on DEST while the sandbox lives"),
    spec("--sync-fd", "FD", Word::SyncFd, "Keep FD open while the sandbox lives"),
    spec("--pass-fd", "FD", Word::PassFd, "Let the command have FD; others are closed (an extension)"),
    spec("--bind", "SRC DEST", Word::Bind, "Bind the host's SRC on DEST"),
    spec("--bind-try", "SRC DEST", Word::BindTry, "The same, nothing where SRC does not exist"),
    spec("--dev-bind", "SRC DEST", Word::DevBind, "Bind the host's SRC on DEST, with device nodes that work"),
    spec("--dev-bind-try", "SRC DEST", Word::DevBindTry, "The same, nothing where SRC does not exist"),
    spec("--ro-bind", "SRC DEST", Word::RoBind, "Bind the host's SRC on DEST, read-only"),
    spec("--ro-bind-try", "SRC DEST", Word::RoBindTry, "The same, nothing where SRC does not exist"),
    spec("--bind-fd", "FD DEST", Word::BindFd, "Bind the directory or file that FD refers to on DEST"),
    spec("--ro-bind-fd", "FD DEST", Word::RoBindFd, "The same, read-only"),
    spec("--remount-ro", "DEST", Word::RemountRo, "Make the mount on DEST read-only, not those below it"),
    spec("--overlay-src", "SRC", Word::OverlaySrc, "A layer of the overlay that follows; the first is the lowest"),
    spec("--overlay", "RWSRC WORKDIR DEST", Word::Overlay, "Mount an overlay on DEST, changes go to RWSRC"),
    spec("--tmp-overlay", "DEST", Word::TmpOverlay, "The same, changes end with the sandbox"),
    spec("--ro-overlay", "DEST", Word::RoOverlay, "The same, read-only (needs two layers)"),
    spec("--exec-label", "LABEL", Word::ExecLabel, "SELinux label of the command (refused: not supported)"),
    spec("--file-label", "LABEL", Word::FileLabel, "SELinux label of new files (refused: not supported)"),
    spec("--proc", "DEST", Word::Proc, "Mount proc on DEST"),
    spec("--dev", "DEST", Word::Dev, "Mount a minimal /dev on DEST"),
    spec("--tmpfs", "DEST", Word::Tmpfs, "Mount an empty tmpfs on DEST"),
    spec("--mqueue", "DEST", Word::Mqueue, "Mount message queues on DEST"),
    spec("--dir", "DEST", Word::Dir, "Make a directory at DEST"),
    spec("--file", "FD DEST", Word::File, "Copy from FD into a file at DEST"),
    spec("--bind-data", "FD DEST", Word::BindData, "Copy from FD into a file that is bound on DEST"),
    spec("--ro-bind-data", "FD DEST", Word::RoBindData, "The same, read-only"),
    spec("--symlink", "SRC DEST", Word::Symlink, "Make a symbolic link to SRC at DEST"),
    spec("--seccomp", "FD", Word::Seccomp, "Load the seccomp filter in FD; the last one counts"),
    spec("--add-seccomp-fd", "FD", Word::AddSeccompFd, "Load the seccomp filter in FD, too; all count"),
    spec("--block-fd", "FD", Word::BlockFd, "Wait for FD to be readable, or at its end, before the start"),
    spec("--userns-block-fd", "FD", Word::UsernsBlockFd, "Wait for FD while somebody else maps the ids"),
    spec("--info-fd", "FD", Word::InfoFd, "Write the sandbox's process and namespaces to FD, as JSON"),
    spec("--json-status-fd", "FD", Word::JsonStatusFd, "Write that and the exit status to FD, as lines of JSON"),
    spec("--new-session", "", Word::NewSession, "A session of its own, without a terminal"),
    spec("--die-with-parent", "", Word::DieWithParent, "End when the parent of bwrap ends"),
    spec("--as-pid-1", "", Word::AsPid1, "The command is PID 1 itself (needs --unshare-pid)"),
    spec("--cap-add", "CAP", Word::CapAdd, "Keep the capability CAP, or ALL"),
    spec("--cap-drop", "CAP", Word::CapDrop, "Drop the capability CAP, or ALL"),
    spec("--not-a-security-boundary", "", Word::NotASecurityBoundary, "Accepted; nothing is less strict for it"),
    spec("--perms", "OCTAL", Word::Perms, "Permissions for the next --dir, --file, --tmpfs or data"),
    spec("--size", "BYTES", Word::Size, "Size of the next --tmpfs"),
    spec("--chmod", "OCTAL DEST", Word::Chmod, "Change the permissions of DEST, which exists"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_is_there_once_and_found() {
        for (index, spec) in OPTIONS.iter().enumerate() {
            assert!(spec.name.starts_with("--"), "{spec:?}");
            let found = find(spec.name.as_bytes()).unwrap();
            assert!(std::ptr::eq(found, &raw const OPTIONS[index]), "{spec:?} is there twice");
            let of_word = OPTIONS.iter().filter(|other| other.word == spec.word).count();
            assert_eq!(of_word, 1, "{spec:?}");
        }
        assert!(find(b"--bin").is_none());
        assert!(find(b"").is_none());
    }

    #[test]
    fn the_help_has_a_line_for_each() {
        let help = help();
        assert!(help.starts_with("usage: bwrap "));
        for spec in OPTIONS {
            let start = format!("    {} ", spec.name);
            assert!(help.lines().any(|line| line.starts_with(&start)), "{start}");
        }
        assert_eq!(help.lines().count(), OPTIONS.len() + 2);
    }
}
