//! `cargo xtask ci`: every check there is, each as the command one would type. All are run,
//! whatever the first ones say, and the failed ones are named at the end.

use std::process::Command;
use std::time::Instant;

use crate::{Result, command, workspace};

/// Each is the arguments of a cargo command. Quick ones first: who waits learns soonest.
const STEPS: [&str; 19] = [
    "fmt --all --check",
    "fmt --manifest-path fuzz/Cargo.toml --check",
    "xtask tidy",
    "xtask deny",
    "clippy --workspace --all-targets --locked -- -D warnings",
    "doc --workspace --no-deps --locked",
    "package --workspace --exclude xtask --exclude sandboxlib-tests --allow-dirty --no-verify",
    "xtask test",
    "test -p sandboxlib-tests --test demo -- --ignored --nocapture hello_is_built_in_a_sandbox",
    "xtask python",
    "xtask clients --required",
    "xtask demo debian",
    "xtask demo debian --package zlib",
    "xtask demo images",
    "xtask dist",
    "xtask dist --drop-ins target/drop-ins",
    "xtask fuzz",
    "xtask check-targets --required",
    "xtask bench --rounds 3",
];

pub(crate) fn run(args: &[String]) -> Result {
    if !args.is_empty() {
        return Err("ci takes no options: run the one step by its own command".into());
    }
    let start = Instant::now();
    let mut rows = Vec::new();
    for step in STEPS {
        println!("\n=== cargo {step}");
        let clock = Instant::now();
        let result = command::run(&mut cargo(step));
        if let Err(error) = &result {
            println!("=== failed: {error}");
        }
        rows.push((step, result.is_ok(), clock.elapsed().as_secs_f64()));
    }

    println!("\n=== all steps");
    for (step, passed, seconds) in &rows {
        println!("{} {seconds:7.1} s  cargo {step}", if *passed { "ok    " } else { "FAILED" });
    }
    println!("       {:7.1} s  in all", start.elapsed().as_secs_f64());
    match rows.iter().filter(|(_, passed, _)| !passed).count() {
        0 => Ok(()),
        failures => Err(format!("{failures} of {} steps failed", rows.len()).into()),
    }
}

fn cargo(step: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(step.split(' ')).env("RUSTDOCFLAGS", "-D warnings");
    cargo
}
