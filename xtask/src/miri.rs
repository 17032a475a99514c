//! `cargo xtask miri`: the tests that Miri can run, which finds undefined behaviour as it interprets them.
//!
//! It can run what makes no system calls of its own: the laws of sandbox-core, and the pure parts of
//! sandbox-sys, whose `unsafe` they touch. The child and its mounts are beyond it.

use std::process::Command;

use crate::{Result, command, workspace};

/// Of each package, the tests that are run: those of sandbox-sys that are pure, or do with plain files.
const RUNS: [&[&str]; 2] = [
    &["--package=sandbox-core", "--test=laws"],
    &["--package=sandbox-sys", "--lib", "--", "protocol", "host_path", "places", "word", "cgroup"],
];

/// Of a property: Miri is some hundred times slower.
const CASES: &str = "2";

pub(crate) fn run(args: &[String]) -> Result {
    if !args.is_empty() {
        return Err("miri takes no options".into());
    }
    let installed = command::output(Command::new("rustup").args(["run", "nightly", "miri", "-V"]))
        .is_ok_and(|output| output.status.success());
    if !installed {
        println!(
            "cannot run here: Miri is not installed (rustup toolchain install nightly; \
             rustup +nightly component add miri rust-src)"
        );
        return Ok(());
    }
    let target = workspace::target_dir()?.join("miri");
    for tests in RUNS {
        let mut miri = Command::new("rustup");
        miri.current_dir(workspace::root())
            .args(["run", "nightly", "cargo", "miri", "test", "--locked"])
            .args(tests)
            .env("PROPTEST_CASES", CASES)
            // Files are there, and the kernel takes what is written to them in one piece.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-no-short-fd-operations")
            .env("CARGO_TARGET_DIR", &target)
            // The cargo that started this one is another toolchain's.
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN");
        command::run(&mut miri)?;
    }
    Ok(())
}
