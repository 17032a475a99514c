//! A request -> a configuration: the options held against each other, and content read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sandbox_core::{
    CommandLine, Feature, Filesystem, First, Input, InsidePath, Isolation, Mount, MountFlag,
    Output, Policy, Root, SandboxConfig, Seccomp, SeccompProgram, Session, Setting, User,
    UserNamespace,
};

use super::args::Read;
use super::capabilities::{Own, kept};
use super::environment::{Callers, places, variables};
use super::error::BwrapError;
use super::options::Word;
use super::request::{Operation, Request};

/// Who calls, and from where.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Root's capabilities, where the caller is root.
    pub(super) root: Option<Own>,
    pub(super) environment: Callers,
    /// The terminal that standard output is.
    pub(super) terminal: Option<PathBuf>,
}

/// Whether the options fit together. All but root get a user namespace without asking, and so can have
/// other ids.
pub(super) fn check(request: &Request, caller: &Caller) -> Result<(), BwrapError> {
    let has = |word| request.has(word);
    let user = has(Word::UnshareUser);
    let joins = request.join.user.is_some();
    let ids = request.unshares_user() || joins || caller.root.is_none();
    let needs = [
        (request.uid.is_some(), ids, "--uid", "--unshare-user or --userns"),
        (request.gid.is_some(), ids, "--gid", "--unshare-user or --userns"),
        (request.hostname.is_some(), has(Word::UnshareUts), "--hostname", "--unshare-uts"),
        (has(Word::AsPid1), has(Word::UnsharePid), "--as-pid-1", "--unshare-pid"),
        (has(Word::DisableUserns), user, "--disable-userns", "--unshare-user"),
        (request.userns_block.is_some(), user, "--userns-block-fd", "--unshare-user"),
        (request.userns_block.is_some(), request.info.is_some(), "--userns-block-fd", "--info-fd"),
    ];
    for (given, met, option, needs) in needs {
        if given && !met {
            return Err(BwrapError::Needs { option, needs });
        }
    }
    let conflicts = [
        (joins && user, "--userns", "--unshare-user"),
        (joins && has(Word::UnshareUserTry), "--userns", "--unshare-user-try"),
        // The kernel makes a PID namespace below that of the process itself, not below one it entered.
        (request.join.processes.is_some() && has(Word::UnsharePid), "--pidns", "--unshare-pid"),
        (
            has(Word::DisableUserns) && request.userns_block.is_some(),
            "--disable-userns",
            "--userns-block-fd",
        ),
        (has(Word::Seccomp) && has(Word::AddSeccompFd), "--add-seccomp-fd", "--seccomp"),
    ];
    for (met, option, other) in conflicts {
        if met {
            return Err(BwrapError::Conflict { option, other });
        }
    }
    Ok(())
}

/// The configuration, with all content read.
pub(super) fn configure(
    request: Request,
    caller: &Caller,
    read: &mut Read<'_>,
) -> Result<SandboxConfig, BwrapError> {
    let mut config = SandboxConfig::new(CommandLine::new(request.command.iter().cloned())?);
    config.root = Root::Empty;
    config.mounts = Isolation::Isolated;
    config.stdin = Input::Inherit;
    config.stdout = Output::Inherit;
    config.stderr = Output::Inherit;
    namespaces(&mut config, &request);
    if request.uid.is_some() || request.gid.is_some() {
        let (uid, gid) = (request.uid.unwrap_or(caller.uid), request.gid.unwrap_or(caller.gid));
        config.user = User::Ids { uid, gid };
    }
    config.capabilities = kept(&request.capabilities, caller.root);
    // As the original: no filter but those that are given.
    config.seccomp = Seccomp::None;
    for number in &request.filters {
        let filter = content("--seccomp", *number, read)?;
        config.seccomp.add(SeccompProgram::new(filter)?);
    }
    config.hostname.clone_from(&request.hostname);
    config.env = variables(request.variables, request.chdir.as_ref(), &caller.environment);
    let process = &mut config.process;
    if request.chdir.is_none() {
        process.cwd_candidates = places(&config.env, &caller.environment);
    }
    config.cwd = request.chdir;
    process.argv0 = request.argv0;
    process.descriptors = request.passed;
    process.locks = request.locks;
    process.gates.ids_mapped = request.userns_block;
    process.gates.start = request.block;
    config.extra_mounts.reserve(request.operations.len());
    let joins = request.join.user.is_some();
    let hosts_proc = joins && config.processes == Isolation::Undefined;
    for mut operation in request.operations {
        if hosts_proc && operation.mount.filesystem == Filesystem::Proc {
            operation.mount = shared_proc(&operation.mount)?;
        }
        mount(&mut config.extra_mounts, operation, caller, read)?;
    }
    Ok(config)
}

/// The processes are not those of the user namespace that is entered, and so a new proc cannot be mounted
/// in it: the host's shows the same.
fn shared_proc(mount: &Mount) -> Result<Mount, BwrapError> {
    let bind = Mount::bind("/proc", mount.target.as_os_str())?;
    let flags = [MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec];
    Ok(flags.into_iter().fold(bind, Mount::with))
}

fn namespaces(config: &mut SandboxConfig, request: &Request) {
    let isolated = |words: &[Word]| {
        if words.iter().any(|word| request.has(*word)) {
            Isolation::Isolated
        } else {
            Isolation::Undefined
        }
    };
    config.network = isolated(&[Word::UnshareNet]);
    config.processes = isolated(&[Word::UnsharePid]);
    config.ipc = isolated(&[Word::UnshareIpc]);
    config.uts = isolated(&[Word::UnshareUts]);
    config.cgroup = isolated(&[Word::UnshareCgroup, Word::UnshareCgroupTry]);
    if request.has(Word::DisableUserns) {
        config.user_namespace = UserNamespace::Last;
    } else if request.unshares_user() {
        config.user_namespace = UserNamespace::Own;
    }
    if request.has(Word::NewSession) {
        config.process.session = Session::New;
    }
    if request.has(Word::AsPid1) {
        config.process.first = First::Command;
    }
}

/// The settings that were asked for with `-try` may step down, and no others. Without the user namespace
/// that makes another id a name for the caller's own, root would become somebody else.
pub(super) fn policy(request: &Request) -> Policy {
    let ids = request.uid.is_some() || request.gid.is_some();
    let asked = |tried, required| request.has(tried) && !request.has(required);
    let tried = [
        (Setting::UserNamespace, asked(Word::UnshareUserTry, Word::UnshareUser) && !ids),
        (Setting::Cgroup, asked(Word::UnshareCgroupTry, Word::UnshareCgroup)),
    ];
    let may_lower: Vec<_> =
        tried.into_iter().filter(|(_, tried)| *tried).map(|(setting, _)| setting).collect();
    if may_lower.is_empty() {
        return Policy::Require;
    }
    let all = Feature::ALL.iter().map(|feature| feature.setting());
    let except: BTreeSet<_> = all.filter(|setting| !may_lower.contains(setting)).collect();
    Policy::BestEffort { except }
}

fn content(option: &'static str, number: i32, read: &mut Read<'_>) -> Result<Vec<u8>, BwrapError> {
    read(number).map_err(|source| BwrapError::Descriptor { option, number, source })
}

fn mount(
    mounts: &mut Vec<Mount>,
    operation: Operation,
    caller: &Caller,
    read: &mut Read<'_>,
) -> Result<(), BwrapError> {
    let Operation { mut mount, content: from } = operation;
    if let Some((option, number)) = from
        && let Filesystem::File { content: place, .. } | Filesystem::Data { content: place, .. } =
            &mut mount.filesystem
    {
        *place = content(option, number, read)?;
    }
    let more = match mount.filesystem {
        Filesystem::DevWithoutConsole => dev(&mount.target, caller)?,
        _ => Vec::new(),
    };
    mounts.push(mount);
    mounts.extend(more);
    Ok(())
}

/// What bubblewrap's /dev has beside the devices: a link to the kernel's memory, and the terminal.
fn dev(target: &InsidePath, caller: &Caller) -> Result<Vec<Mount>, BwrapError> {
    let core = Filesystem::Symlink { to: "/proc/kcore".into() };
    let mut mounts = vec![Mount::new(target.join("core").as_os_str(), core)?];
    if let Some(terminal) = &caller.terminal {
        let console = Mount::bind(terminal, target.join("console").as_os_str())?;
        mounts.push(console.with(MountFlag::NoSuid));
    }
    Ok(mounts)
}

#[cfg(test)]
#[path = "configure_tests.rs"]
mod tests;
