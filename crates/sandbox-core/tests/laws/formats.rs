//! JSON and TOML: everything comes back as it was, and a mistake is named.

use proptest::prelude::*;
use sandbox_core::{Environment, InsidePath, Mount, Root, SandboxConfig, User, Writable};
use serde::de::DeserializeOwned;

use crate::strategies::{config, environment, mount};

fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn toml(text: &str) -> Result<SandboxConfig, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_configuration_survives_json_and_toml(config in config()) {
        let text = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&json::<SandboxConfig>(&text).unwrap(), &config);
        let text = toml::to_string(&config).unwrap();
        prop_assert_eq!(&toml(&text).unwrap(), &config, "{}", text);
    }

    #[test]
    fn an_environment_with_any_names_survives(env in environment()) {
        let text = serde_json::to_string(&env).unwrap();
        prop_assert_eq!(json::<Environment>(&text).unwrap(), env);
    }

    #[test]
    fn a_mount_survives(mount in mount()) {
        let text = serde_json::to_string(&mount).unwrap();
        prop_assert_eq!(json::<Mount>(&text).unwrap(), mount);
    }

    #[test]
    fn what_was_read_is_valid(config in config()) {
        prop_assert_eq!(config.validate(), Ok(()));
    }
}

#[test]
fn a_whole_file_reads_as_the_builder_builds() {
    let read = toml(
        r#"
        command = ["make", "check"]
        cwd = "build"
        env = { inherit = "nothing", set = { PATH = "/usr/bin" } }
        root = "/srv/tree"
        writable = ["/build", "tmp"]
        network = "isolated"
        hostname = "builder"
        user = { ids = { uid = 1, gid = 2 } }
        extra-mounts = [
            "proc /proc proc",
            { target = "/src", filesystem = { bind = { source = "/home/me/src" } }, flags = ["read-only"] },
        ]
        stdin = "inherit"
        stdout = { file = "/tmp/log" }
        stderr = "to-stdout"
        "#,
    );
    let built = SandboxConfig::builder(["make", "check"])
        .cwd("/build")
        .env(Environment::exactly([("PATH", "/usr/bin")]))
        .root("/srv/tree")
        .writable(["/build", "/tmp"])
        .network(sandbox_core::Isolation::Isolated)
        .hostname("builder")
        .user(User::Ids { uid: 1, gid: 2 })
        .mount("proc /proc proc".parse().unwrap())
        .mount("/home/me/src /src none rbind,ro".parse().unwrap())
        .stdin(sandbox_core::Input::Inherit)
        .stdout(sandbox_core::Output::File("/tmp/log".into()))
        .stderr(sandbox_core::Output::ToStdout)
        .build();
    assert_eq!(read.unwrap(), built.unwrap());
}

#[test]
fn a_short_file_has_the_defaults() {
    let config = toml("command = ['true']").unwrap();
    assert_eq!(config, SandboxConfig::builder(["true"]).build().unwrap());
}

#[test]
fn words_and_paths_are_told_apart() {
    assert_eq!(json::<Root>(r#""host""#), Ok(Root::Host));
    assert_eq!(json::<Root>(r#""empty""#), Ok(Root::Empty));
    assert_eq!(json::<Root>(r#""./host""#), Ok(Root::Directory("./host".into())));
    assert_eq!(json::<Writable>(r#""nothing""#), Ok(Writable::Nothing));
    let text = serde_json::to_string(&Root::Directory("host".into())).unwrap();
    assert_eq!(text, r#""./host""#, "a directory of that name stays one");
    let path = InsidePath::root().join("all");
    assert_eq!(json::<Writable>(r#"["all"]"#), Ok(Writable::Only(vec![path])));
}

#[test]
fn what_is_unknown_or_of_another_kind_is_named() {
    for (text, says) in [
        ("command = ['a']\nnetwrok = 'isolated'", "netwrok"),
        ("command = ['a']\nnetwork = 'isolatd'", "isolatd"),
        ("command = ['a']\nwritable = 'some'", "\"some\", expected `all`, `nothing` or a list"),
        ("command = ['a']\nwritable = 3", "expected `all`, `nothing` or a list of paths"),
        ("command = ['a']\nwritable = ['']", "path is empty: give a path inside the sandbox"),
        ("command = ['a']\nwritable = [\"/a\\u0000\"]", "contains a NUL byte"),
        ("command = ['a']\ncwd = 1.5", "expected a string, or a list of bytes"),
        ("command = ['a']\ncwd = [300]", "300"),
        ("command = []", "command is empty: give a program and its arguments"),
        ("cwd = '/'", "command"),
        ("command = ['a']\nhostname = 'a b'", "hostname \"a b\" is not valid"),
        (
            "command = ['a']\nuser = { ids = { uid = 1, gid = 2, x = 3 } }",
            "unexpected keys in table: x",
        ),
        ("command = ['a']\nuser = { ids = { uid = -1, gid = 2 } }", "-1"),
        ("command = ['a']\nenv = { sett = {} }", "sett"),
        ("command = ['a']\nenv = { set = 3 }", "a table of variables"),
        ("command = ['a']\nextra-mounts = ['proc proc proc']", "\"proc\" is relative"),
        ("command = ['a']\nextra-mounts = [3]", "a line as in fstab(5)"),
        (
            "command = ['a']\nextra-mounts = [{ target = 'tmp', filesystem = 'proc' }]",
            "target \"tmp\" is relative: give an absolute path",
        ),
        (
            "command = ['a']\nextra-mounts = [{ target = '/t', filesystem = { tmpfs = { sise = 1 } } }]",
            "sise",
        ),
    ] {
        let error = toml(text).unwrap_err();
        assert!(error.contains(says), "{text}\n{error}");
    }
}

#[test]
fn bytes_that_are_no_text_are_written_as_numbers() {
    let config = json::<SandboxConfig>(r#"{"command": ["echo", [255, 97]], "root": [47, 254]}"#);
    let text = serde_json::to_string(&config.unwrap()).unwrap();
    assert!(text.contains(r#"["echo",[255,97]]"#) && text.contains(r#""root":[47,254]"#), "{text}");
}
