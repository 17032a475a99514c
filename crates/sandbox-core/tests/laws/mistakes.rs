//! Mistakes in a configuration, found before anything is done.

use sandbox_core::{
    ConfigError, Environment, Input, Output, Root, SandboxConfig, SandboxConfigBuilder, User,
};

fn ok() -> SandboxConfigBuilder {
    SandboxConfig::builder(["true"])
}

fn variable(name: &'static str, value: &'static str) -> SandboxConfigBuilder {
    ok().env(Environment::exactly([(name, value)]))
}

#[test]
fn each_names_the_field_and_the_value() {
    let none: [&str; 0] = [];
    for (builder, message) in [
        (SandboxConfig::builder(none), "command is empty: give a program and its arguments"),
        (SandboxConfig::builder([""]), "command is empty: give a program and its arguments"),
        (SandboxConfig::builder(["a", "b\0c"]), r#"command "b\0c" contains a NUL byte"#),
        (ok().cwd(""), "cwd is empty: give a path inside the sandbox"),
        (ok().cwd("a\0"), r#"cwd "a\0" contains a NUL byte"#),
        (ok().writable(["/a", ""]), "writable is empty: give a path inside the sandbox"),
        (ok().writable(["/a\0"]), r#"writable "/a\0" contains a NUL byte"#),
        (ok().root(""), "root is empty: give a path of the host"),
        (ok().root("/a\0"), r#"root "/a\0" contains a NUL byte"#),
        (ok().hostname("a b"), r#"hostname "a b" is not valid: give 1 to 64 letters"#),
        (variable("", "x"), "env is empty: a variable has a name"),
        (variable("A=B", "x"), r#"env "A=B" is not valid: a variable's name has no `=`"#),
        (variable("A\0", "x"), r#"env "A\0" contains a NUL byte"#),
        (variable("A", "x\0"), r#"env "x\0" contains a NUL byte"#),
        (ok().stdin(Input::File("".into())), "stdin is empty: give a path of the host"),
        (ok().stdout(Output::File("a\0".into())), r#"stdout "a\0" contains a NUL byte"#),
        (ok().stdout(Output::ToStdout), r#"stdout "to-stdout" is not valid: only stderr"#),
        (ok().stderr(Output::File("".into())), "stderr is empty: give a path of the host"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
        assert!(!error.contains('\n'), "an error is one line: {error}");
    }
}

#[test]
fn the_first_of_several_is_reported() {
    let error = ok().cwd("").hostname("").user(User::Root).read_only().build().unwrap_err();
    assert!(matches!(error, ConfigError::Empty { .. }), "{error}");
}

#[test]
fn a_mount_is_named_by_its_place() {
    let mut config = ok().empty_root().build().unwrap();
    assert_eq!(config.root, Root::Empty);
    for line in ["proc /proc proc", "/a /b none bind"] {
        config.extra_mounts.push(line.parse().unwrap());
    }
    config.extra_mounts[1].filesystem =
        sandbox_core::Filesystem::Overlay { lower: Vec::new(), upper: None };
    let error = config.validate().unwrap_err().to_string();
    assert!(error.starts_with("extra_mounts[1].lower is empty"), "{error}");
}
