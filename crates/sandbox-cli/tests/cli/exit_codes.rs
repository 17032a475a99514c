//! Exit codes: the command's own, and ours.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Ran, for_everyone};

#[test]
fn the_commands_own() {
    for_everyone(|f| {
        for code in [0, 1, 3, 125, 127, 255] {
            assert_eq!(f.shell(&[], &format!("exit {code}")).code, Some(code));
            let own = f.shell(&["--processes", "isolated"], &format!("exit {code}"));
            assert_eq!((own.code, own.err.as_str()), (Some(code), ""));
        }
    });
}

#[test]
fn a_signal_is_128_and_its_number() {
    for_everyone(|f| {
        for (signal, code) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
            let script = format!("kill -{signal} $$");
            assert_eq!(f.shell(&[], &script).code, Some(code));
            assert_eq!(f.shell(&["--processes", "isolated"], &script).code, Some(code));
        }
    });
}

#[test]
fn a_command_that_is_not_there_or_cannot_run() {
    for_everyone(|f| {
        f.run(&[], &["no-such-program"]).fails(127, &["\"no-such-program\"", "in the sandbox"]);
        f.run(&[], &["/no/such"]).fails(127, &["\"/no/such\""]);
        f.run(&[], &["/data"]).fails(126, &["\"/data\""]);
        let plain = f.tree().join("tmp/plain");
        fs::write(&plain, "echo no").unwrap();
        fs::set_permissions(&plain, Permissions::from_mode(0o644)).unwrap();
        f.run(&[], &["/tmp/plain"]).fails(126, &["\"/tmp/plain\""]);
        fs::remove_file(plain).unwrap();
    });
}

#[test]
fn wrong_use_is_ours() {
    for_everyone(|f| {
        f.run(&["--no-such-option"], &["true"]).refused(&["--no-such-option", "--help"]);
        f.run(&["--network", "off"], &["true"]).refused(&["'off'", "isolated", "undefined"]);
        f.run(&[], &[]).refused(&["command is missing", "hint"]);
        Ran::of(&mut f.command()).refused(&["command is missing"]);
        f.run(&["--config", "/no/file.toml"], &[]).refused(&["\"/no/file.toml\"", "No such file"]);
    });
}

#[test]
fn help_and_version_succeed() {
    for_everyone(|f| {
        let version = Ran::of(f.command().arg("--version"));
        version.prints(&format!("run-sandbox {}\n", env!("CARGO_PKG_VERSION")));
        let help = Ran::of(f.command().arg("--help"));
        assert!(help.out.contains("Examples:") && help.out.contains("--best-effort"), "{help:?}");
        assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
        for line in help.out.lines() {
            assert!(line.chars().count() <= 80, "wider than a terminal: {line}");
        }
    });
}
