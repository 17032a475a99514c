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
    let Flags { root, command, mut place, isolation, limits, mounts, choice, .. } = flags;
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
    config.groups = file.groups;
    replace(&mut config.user_namespace, file.user_namespace);
    replace(&mut config.capabilities, file.capabilities);
    replace(&mut config.process, file.process);
    config.seccomp.extend(file.seccomp);
    config.hostname = file.hostname.or(config.hostname);

    if is_image {
        place.clear_env = false;
    }
    apply_place(&mut config, place)?;
    replace(&mut config.mounts, isolation.mounts.map(Into::into));
    replace(&mut config.network, isolation.network.map(Into::into));
    replace(&mut config.processes, isolation.processes.map(Into::into));
    replace(&mut config.ipc, isolation.ipc.map(Into::into));
    config.limits = file.limits;
    config.limits.memory = limits.memory.or(config.limits.memory);
    config.limits.cpu = limits.cpu.or(config.limits.cpu);
    config.limits.processes = limits.processes_max.or(config.limits.processes);
    if let Some(name) = &isolation.hostname {
        config.hostname = Some(Hostname::new(name)?);
    }

    config.extra_mounts.extend(file.extra_mounts);
    config.extra_mounts.extend(mounts.mounts()?);
    let writable = writable(file.writable, isolation)?;
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
mod tests {
    use super::*;
    use clap::Parser;
    use sandbox_core::{Inherit, Isolation, Setting};

    fn request(file: &str, words: &[&str]) -> Result<Request, String> {
        let flags = Flags::try_parse_from([&["run-sandbox"], words].concat()).unwrap();
        let file = toml::from_str(file).unwrap();
        resolve(flags, file, None, Base::Nothing).map_err(|error| error.to_string())
    }

    fn config(file: &str, words: &[&str]) -> SandboxConfig {
        request(file, words).unwrap().config
    }

    const FILE: &str = r#"
        root = "/srv/tree"
        command = ["make"]
        cwd = "/src"
        env = { inherit = "nothing", set = { A = "1", B = "2" } }
        network = "isolated"
        hostname = "filed"
        writable = ["/w"]
        extra-mounts = ["proc /proc proc", { target = "/t", filesystem = { tmpfs = {} } }]
        user = "root"
        backend = "chroot"
        best-effort = true
        require = ["network"]
    "#;

    #[test]
    fn nothing_is_isolated_unless_asked_for() {
        let config = config("", &["/tree", "true"]);
        let mut expected = SandboxConfig::new(CommandLine::new(["true"]).unwrap());
        expected.root = Root::Directory("/tree".into());
        (expected.stdin, expected.stdout) = (Input::Inherit, Output::Inherit);
        expected.stderr = Output::Inherit;
        assert_eq!(config, expected);
    }

    #[test]
    fn the_root_is_the_hosts_where_it_is_a_slash() {
        for root in ["/", "//", "/."] {
            assert_eq!(config("", &[root, "true"]).root, Root::Host);
        }
        assert_eq!(config("root = '/'\ncommand = ['true']", &[]).root, Root::Host);
        assert_eq!(config("", &["host", "true"]).root, Root::Directory("host".into()));
    }

    #[test]
    fn a_file_is_enough() {
        let request = request(FILE, &["--config", "x"]).unwrap();
        assert_eq!(request.config.root, Root::Directory("/srv/tree".into()));
        assert_eq!(request.config.command.words(), ["make"]);
        assert_eq!(request.config.extra_mounts.len(), 2);
        assert_eq!(request.preference, Preference::Named("chroot".to_owned()));
        assert_eq!(request.policy, Policy::BestEffort { except: [Setting::Network].into() });
    }

    #[test]
    fn flags_override_the_file_and_add_to_its_lists() {
        let words = [
            "--cwd",
            "x",
            "--env",
            "B=3",
            "--env",
            "C",
            "--network",
            "undefined",
            "--hostname",
            "flagged",
            "--writable",
            "v",
            "--dev",
            "/dev",
            "--uid",
            "5",
            "-e",
            "other",
            "--require",
            "ipc",
            "/other",
            "ls",
            "-l",
        ];
        let request = request(FILE, &words).unwrap();
        let config = request.config;
        assert_eq!(config.root, Root::Directory("/other".into()));
        assert_eq!(config.command.words(), ["ls", "-l"]);
        assert_eq!(config.cwd.unwrap().as_os_str(), "/x");
        assert_eq!(config.env.set.len(), 2);
        assert_eq!(config.env.inherit, Inherit::Only(["C".into()].into()));
        assert_eq!(config.network, Isolation::Undefined);
        assert_eq!(config.hostname.unwrap().as_str(), "flagged");
        assert_eq!(config.user, User::Ids { uid: 5, gid: 5 });
        let Writable::Only(paths) = config.writable else { panic!() };
        assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/w", "/v"]);
        let targets: Vec<_> = config.extra_mounts.iter().map(|m| m.target.to_string()).collect();
        assert_eq!(targets, ["/proc", "/t", "/dev"]);
        assert_eq!(request.preference, Preference::Named("other".to_owned()));
        let except = [Setting::Network, Setting::Ipc].into();
        assert_eq!(request.policy, Policy::BestEffort { except });
    }

    #[test]
    fn the_preset_is_below_file_and_flags() {
        let plain = config("", &["--build", "/t", "make"]);
        assert_eq!(plain.network, Isolation::Isolated);
        assert_eq!(plain.hostname.as_ref().unwrap().as_str(), "sandbox");
        assert_eq!(config("build = true", &["/t", "make"]), plain);
        let mixed = config(
            "build = true\nipc = 'undefined'",
            &["--network", "undefined", "--clear-env", "--env", "A=1", "--read-only", "/t", "make"],
        );
        assert_eq!((mixed.network, mixed.ipc), (Isolation::Undefined, Isolation::Undefined));
        assert_eq!(mixed.processes, Isolation::Isolated);
        assert_eq!(mixed.env, sandbox_core::Environment::exactly([("A", "1")]));
        assert_eq!(mixed.writable, Writable::Nothing);
        assert_eq!(mixed.extra_mounts.len(), 3);
    }

    /// With a backend by flag, and by variable.
    fn chosen(name: &str, words: &[&str]) -> [(Preference, User); 2] {
        let of = |words: &[&str], variable: Option<OsString>| {
            let flags = [&["run-sandbox"], words, &["/", "true"]].concat();
            let flags = Flags::try_parse_from(flags).unwrap();
            let request = resolve(flags, ConfigFile::default(), variable, Base::Nothing).unwrap();
            (request.preference, request.config.user)
        };
        [of(&[words, &["-e", name]].concat(), None), of(words, Some(name.into()))]
    }

    #[test]
    fn flag_and_variable_have_the_same_names() {
        let named = |name: &str| Preference::Named(name.to_owned());
        for (name, backend, user) in [
            ("linux-user-chroot", "linux-user-chroot", User::Same),
            ("linux_user_chroot", "linux-user-chroot", User::Same),
            ("linux_user-chroot", "linux-user-chroot", User::Same),
            ("chroot", "chroot", User::Same),
            ("bubblewrap", "linux-user-chroot", User::Root),
        ] {
            for chosen in chosen(name, &[]) {
                assert_eq!(chosen, (named(backend), user), "{name}");
            }
        }
        for (_, user) in chosen("bubblewrap", &["--uid", "7"]) {
            assert_eq!(user, User::Ids { uid: 7, gid: 7 });
        }
        let variable = Preference::Variable("x".to_owned());
        assert_eq!(chosen("x", &[]), [(named("x"), User::Same), (variable, User::Same)]);
        assert_eq!(chosen("", &[])[1].0, Preference::Any);
        // What is asked for more closely wins.
        let flags = ["run-sandbox", "-e", "chroot", "/", "true"];
        let flags = Flags::try_parse_from(flags).unwrap();
        let request =
            resolve(flags, ConfigFile::default(), Some("bubblewrap".into()), Base::Nothing)
                .unwrap();
        assert_eq!((request.preference, request.config.user), (named("chroot"), User::Same));
    }

    #[test]
    fn limits_and_groups() {
        let file = "groups = [4]\nlimits = { memory = 1024, cpu = 250 }";
        let filed = config(file, &["/", "true"]);
        let limits = |config: &SandboxConfig| {
            (config.limits.memory, config.limits.cpu, config.limits.processes)
        };
        assert_eq!((limits(&filed), filed.groups), ((Some(1024), Some(250), None), vec![4]));
        let words = ["--memory", "2Ki", "--processes-max", "9", "--group", "5", "/", "true"];
        let both = config(file, &words);
        assert_eq!((limits(&both), both.groups), ((Some(2048), Some(250), Some(9)), vec![4, 5]));
        let error = request("limits = { cpu = 0 }", &["/", "true"]).unwrap_err();
        assert!(error.starts_with("limits.cpu \"0\" is not valid"), "{error}");
    }

    #[test]
    fn ids() {
        let user = |words: &[&str]| config("", &[words, &["/", "true"]].concat()).user;
        assert_eq!(user(&[]), User::Same);
        assert_eq!(user(&["--uid", "0"]), User::Root);
        assert_eq!(user(&["--uid", "0", "--gid", "0"]), User::Root);
        assert_eq!(user(&["--uid", "0", "--gid", "9"]), User::Ids { uid: 0, gid: 9 });
        assert_eq!(user(&["--uid", "7"]), User::Ids { uid: 7, gid: 7 });
    }

    #[test]
    fn a_mistake_names_the_setting_and_the_value() {
        for (file, words, message) in [
            ("", &["/tree"][..], "command is missing: give it after ROOT"),
            ("", &[], "command is missing"),
            ("command = ['true']", &[], "root is missing: give ROOT"),
            ("", &["", "true"], "root is empty: give a path of the host"),
            ("", &["/", ""], "command is empty: give a program and its arguments"),
            ("", &["--cwd", "", "/", "true"], "cwd is empty: give a path inside the sandbox"),
            ("", &["--writable", "", "/", "true"], "writable is empty: give a path inside"),
            ("", &["--hostname", "a b", "/", "true"], "hostname \"a b\" is not valid: give 1"),
            ("", &["--env", "=x", "/", "true"], "env is empty: a variable has a name"),
            ("", &["--bind", "/a", "/", "true"], "--bind \"/a\": give SRC:DST"),
            (
                "best-effort = true\nrequire = ['netwrok']",
                &["/", "true"],
                "--require \"netwrok\": settings are root, writable",
            ),
        ] {
            let error = request(file, words).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
