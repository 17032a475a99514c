//! From flags and a configuration file to one request. The later of these wins: defaults, the
//! preset of `--build`, the file, the flags. Lists (mounts, writable paths, variables) add up.

use std::ffi::OsString;

use sandbox_core::{
    CommandLine, Hostname, Input, InsidePath, Output, Policy, Preference, Root, SandboxConfig,
    User, Writable,
};
use sandboxlib::{Executor, get_executor};

use crate::config_file::ConfigFile;
use crate::env_flag;
use crate::error::CliError;
use crate::flags::{ChoiceFlags, Flags, IsolationFlags, PlaceFlags, setting};
use crate::preset;
use crate::seccomp::rules;

/// What to run, and how the request is to be met.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) config: SandboxConfig,
    pub(crate) policy: Policy,
    /// The backend that was named, if any was.
    pub(crate) preference: Preference,
}

/// A library's caller can hold the other end of a stream; here nobody does.
fn streams_for_a_program(file: &ConfigFile) -> Result<(), CliError> {
    let stream = |name, value, instead| Err(CliError::Stream { name, value, instead });
    if file.stdin == Some(Input::Piped) {
        return stream("stdin", "piped", "`inherit`, `null` or `{ file = PATH }`");
    }
    for (name, output) in [("stdout", &file.stdout), ("stderr", &file.stderr)] {
        if let Some(Output::Capture(_)) = output {
            return stream(name, "capture", "`inherit`, `null` or `{ file = PATH }`");
        }
    }
    Ok(())
}

/// What file and flags change.
#[derive(Debug)]
pub(crate) enum Base {
    /// Nothing but what they say themselves: the defaults, or the preset of `--build`.
    Nothing,
    /// What an image says of one of its processes: its root, its command and all the rest.
    Image(Box<SandboxConfig>),
}

/// Merges flags and file, and what `SANDBOXLIB_BACKEND` says.
pub(crate) fn resolve(
    flags: Flags,
    file: ConfigFile,
    variable: Option<OsString>,
    base: Base,
) -> Result<Request, CliError> {
    streams_for_a_program(&file)?;
    let Flags { root, command, mut place, isolation, limits, time, mounts, choice, .. } = flags;
    let build = isolation.build || file.build;
    let is_image = matches!(base, Base::Image(_));
    let mut config = match base {
        Base::Image(config) => *config,
        Base::Nothing => {
            let command = command_line(command, file.command)?;
            let mut base = if build { preset::base(command)? } else { SandboxConfig::new(command) };
            base.root = root_of(root, file.root)?;
            base
        }
    };
    config.stdin = file.stdin.unwrap_or(Input::Inherit);
    config.stdout = file.stdout.unwrap_or(Output::Inherit);
    config.stderr = file.stderr.unwrap_or(Output::Inherit);

    config.cwd = file.cwd.or(config.cwd);
    match file.env {
        // An image's variables are no caller's.
        Some(env) if is_image => {
            config.env.set.extend(env.set);
            config.env.inherit = env.inherit;
        }
        env => replace(&mut config.env, env),
    }
    replace(&mut config.mounts, file.mounts);
    replace(&mut config.network, file.network);
    replace(&mut config.processes, file.processes);
    replace(&mut config.ipc, file.ipc);
    replace(&mut config.uts, file.uts);
    replace(&mut config.cgroup, file.cgroup);
    replace(&mut config.loopback, file.loopback);
    replace(&mut config.user, file.user);
    config.groups.extend(file.groups);
    replace(&mut config.user_namespace, file.user_namespace);
    replace(&mut config.capabilities, file.capabilities);
    replace(&mut config.process, file.process);
    replace(&mut config.seccomp, rules(isolation.seccomp.as_deref(), file.seccomp)?);
    config.hostname = file.hostname.or(config.hostname);

    if is_image {
        place.clear_env = false;
    }
    apply_place(&mut config, place)?;
    replace(&mut config.mounts, isolation.mounts.map(Into::into));
    replace(&mut config.network, isolation.network.map(Into::into));
    replace(&mut config.processes, isolation.processes.map(Into::into));
    replace(&mut config.ipc, isolation.ipc.map(Into::into));
    let (ours, of_file) = (&mut config.limits, file.limits);
    ours.memory = limits.memory.or(of_file.memory).or(ours.memory);
    ours.cpu = limits.cpu.or(of_file.cpu).or(ours.cpu);
    ours.processes = limits.processes_max.or(of_file.processes).or(ours.processes);
    config.time_out = time.over(file.time_out.or(config.time_out))?;
    if let Some(name) = &isolation.hostname {
        config.hostname = Some(Hostname::new(name)?);
    }

    config.extra_mounts.extend(file.extra_mounts);
    config.extra_mounts.extend(mounts.mounts()?);
    let writable = match &config.writable {
        // It was decided with the image's volumes, which stay as they are.
        Writable::Only(_) if is_image && isolation.read_only && !build => None,
        _ => writable(file.writable, isolation)?,
    };
    if build {
        config.extra_mounts = preset::with_mounts(config.extra_mounts)?;
        config.writable = preset::writable(&config.extra_mounts, writable);
    } else {
        replace(&mut config.writable, writable);
    }
    config.validate()?;

    let best_effort = choice.best_effort || file.best_effort;
    let backend = choice.backend.clone().or(file.backend);
    let preference = preference(backend, variable, &mut config.user);
    let policy = if best_effort { policy(choice, &file.require)? } else { Policy::Require };
    Ok(Request { config, policy, preference })
}

/// What flags or file say is run.
pub(crate) fn command_line(
    flags: Vec<OsString>,
    file: Option<CommandLine>,
) -> Result<CommandLine, CliError> {
    if flags.is_empty() { file.ok_or(CliError::NoCommand) } else { Ok(CommandLine::new(flags)?) }
}

fn root_of(flag: Option<OsString>, file: Option<Root>) -> Result<Root, CliError> {
    let root = flag.map(|root| Root::Directory(root.into())).or(file).ok_or(CliError::NoRoot)?;
    Ok(if root == Root::Directory("/".into()) { Root::Host } else { root })
}

/// What flag or file names, else what the variable does. `bubblewrap`, a backend of the Python
/// original's, is the Linux backend as user 0 inside, unless ids are given.
fn preference(named: Option<String>, variable: Option<OsString>, user: &mut User) -> Preference {
    let (name, unknown): (_, fn(String) -> Preference) = match (named, variable) {
        (Some(name), _) => (name, Preference::Named),
        (None, Some(name)) if !name.is_empty() => {
            (name.to_string_lossy().into_owned(), Preference::Variable)
        }
        _ => return Preference::Any,
    };
    let Ok(executor) = get_executor(&name) else { return unknown(name) };
    if executor == Executor::Bubblewrap && *user == User::Same {
        *user = User::Root;
    }
    Preference::Named(executor.backend().name().to_string())
}

fn replace<T>(value: &mut T, by: Option<T>) {
    if let Some(by) = by {
        *value = by;
    }
}

fn apply_place(config: &mut SandboxConfig, place: PlaceFlags) -> Result<(), CliError> {
    if let Some(cwd) = place.cwd {
        config.cwd = Some(InsidePath::from_root(cwd, "cwd")?);
    }
    if place.clear_env {
        config.env = sandbox_core::Environment::exactly([("", ""); 0]);
    }
    for word in &place.env {
        env_flag::apply(&mut config.env, word);
    }
    config.groups.extend(place.groups);
    match (place.uid, place.gid) {
        (None, _) => {}
        (Some(0), None | Some(0)) => config.user = User::Root,
        (Some(uid), gid) => config.user = User::Ids { uid, gid: gid.unwrap_or(uid) },
    }
    Ok(())
}

/// What file and flags say of writing, if they say anything.
fn writable(file: Option<Writable>, flags: IsolationFlags) -> Result<Option<Writable>, CliError> {
    if flags.read_only {
        return Ok(Some(Writable::Nothing));
    }
    if flags.writable.is_empty() {
        return Ok(file);
    }
    let mut paths = match file {
        Some(Writable::Only(paths)) => paths,
        _ => Vec::new(),
    };
    for path in flags.writable {
        paths.push(InsidePath::from_root(path, "writable")?);
    }
    Ok(Some(Writable::Only(paths)))
}

fn policy(choice: ChoiceFlags, file: &[String]) -> Result<Policy, CliError> {
    let mut except: std::collections::BTreeSet<_> = choice.require.into_iter().collect();
    for name in file {
        let setting = setting(name).map_err(|problem| {
            let value = name.into();
            CliError::Flag { flag: "require", value, problem }
        })?;
        except.insert(setting);
    }
    Ok(Policy::BestEffort { except })
}

#[cfg(test)]
mod tests;
