//! Callers in an odd state: processes that the tests start, each with a directory of its test's. Started
//! by hand they do nothing.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::Command;

use sandboxlib::{Config, Stream, executor_for_platform};

use crate::bugs_of_lives::family_of;
use crate::fixture::{BUSYBOX, Fixture, prints};

/// Writes what the platform's executor is, and the warning.
#[test]
#[ignore = "a role that other tests start"]
fn says_which_executor() {
    let Some(f) = Fixture::of_the_test() else { return };
    let answer = match executor_for_platform() {
        Ok(chosen) => {
            let warning = chosen.warning.map(|warning| warning.to_string());
            format!("{} {}", chosen.executor.name(), warning.unwrap_or_default())
        }
        Err(error) => format!("error {error}"),
    };
    fs::write(f.host("answer"), answer).unwrap();
}

/// Has a descriptor 9, which no sandbox gets.
#[test]
#[ignore = "a role that other tests start"]
fn lists_descriptors() {
    let Some(f) = Fixture::of_the_test() else { return };
    let control = Command::new(BUSYBOX).args(["ls", "/proc/self/fd"]).output().unwrap();
    assert!(String::from_utf8(control.stdout).unwrap().contains("9\n"));
    for executor in f.executors() {
        // 3 is how `ls` reads the directory.
        prints(executor, &Config::new([BUSYBOX, "ls", "/proc/self/fd"]), "0\n1\n2\n3\n");
    }
}

/// Runs a sandbox, with a secret in its environment, and prints nothing itself.
#[test]
#[ignore = "a role that other tests start"]
fn runs_quietly() {
    let Some(f) = Fixture::of_the_test() else { return };
    for executor in f.executors() {
        let config = executor.degrade_config_for_capabilities(&f.shell("echo out; exit 3"));
        let finished = executor.run_sandbox(&config.unwrap().config).unwrap();
        assert_eq!((finished.exit, finished.out.as_deref()), (3, Some(&b"out\n"[..])));
        assert!(executor.run_sandbox(&f.config(["no-such-program"])).is_err());
    }
    let _ = executor_for_platform();
}

/// Has its log open as descriptor 0.
#[test]
#[ignore = "a role that other tests start"]
fn logs_to_descriptor_0() {
    let Some(f) = Fixture::of_the_test() else { return };
    let log = f.host("log");
    nix::unistd::close(0).unwrap();
    let file = File::options().append(true).create(true).open(&log).unwrap();
    assert_eq!(file.as_raw_fd(), 0);
    let config = f.shell("echo out; echo err >&2").stdout(file).stderr(Stream::Stdout);
    for executor in f.executors() {
        let finished = executor.run_sandbox_with_redirection(&config).unwrap();
        assert_eq!(finished.exit, 0);
        assert_eq!(fs::read_to_string(&log).unwrap(), "out\nerr\n");
        fs::write(&log, "").unwrap();
    }
    fs::remove_file(log).unwrap();
}

/// Runs something that goes on until somebody ends it, with the output of its caller.
#[test]
#[ignore = "a role that other tests start"]
fn runs_forever() {
    let Some(f) = Fixture::of_the_test() else { return };
    let chosen = executor_for_platform().unwrap().executor;
    let config = family_of(&f, "echo started; wait").stdout(Stream::Inherit);
    chosen.run_sandbox(&config).unwrap();
}
