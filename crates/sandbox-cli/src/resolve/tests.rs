//! What the flags, the file and the preset come to.

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
        resolve(flags, ConfigFile::default(), Some("bubblewrap".into()), Base::Nothing).unwrap();
    assert_eq!((request.preference, request.config.user), (named("chroot"), User::Same));
}

#[test]
fn limits_and_groups() {
    let file = "groups = [4]\nlimits = { memory = 1024, cpu = 250 }";
    let filed = config(file, &["/", "true"]);
    let limits =
        |config: &SandboxConfig| (config.limits.memory, config.limits.cpu, config.limits.processes);
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
