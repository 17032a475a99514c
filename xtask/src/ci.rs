//! `cargo xtask ci`: every check there is, each as the command one would type. All are run,
//! whatever the first ones say, and the failed ones are named at the end.

use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Result, command, workspace};

/// Each is the arguments of a cargo command. Quick ones first: who waits learns soonest.
const FIRST: &[&str] = &[
    "fmt --all --check",
    "fmt --manifest-path fuzz/Cargo.toml --check",
    "xtask tidy",
    "xtask deny",
    "clippy --workspace --all-targets --locked -- -D warnings",
    "doc --workspace --no-deps --locked",
    "package --workspace --exclude xtask --exclude sandboxlib-tests --allow-dirty --no-verify",
    "xtask test",
    "xtask fire",
];

/// Builds of real things. They wait for disks and for each other much of the time.
const BUILDS: &[&str] = &[
    "test -p sandboxlib-tests --test demo -- --ignored --nocapture hello_is_built_in_a_sandbox",
    "xtask python",
    "xtask clients --required",
    "xtask demo debian",
    "xtask demo debian --package zlib",
    "xtask demo images",
    "xtask demo profile --required",
];

/// What is run beside them.
const BESIDE: &[&str] = &[
    "xtask check-targets --required",
    "xtask fuzz",
    "xtask dist",
    "xtask dist --drop-ins target/drop-ins",
];

/// What depends on time has the machine to itself.
const LAST: &[&str] = &["xtask faults", "xtask bench --rounds 3"];

/// How one step ended.
struct Row {
    step: &'static str,
    passed: bool,
    took: Duration,
}

pub(crate) fn run(args: &[String]) -> Result {
    if !args.is_empty() {
        return Err("ci takes no options: run the one step by its own command".into());
    }
    let start = Instant::now();
    let mut rows: Vec<_> = FIRST.iter().map(|step| alone(step)).collect();
    rows.extend(side_by_side([BUILDS, BESIDE])?);
    rows.extend(LAST.iter().map(|step| alone(step)));

    println!("\n=== all steps");
    for Row { step, passed, took } in &rows {
        let (word, seconds) = (if *passed { "ok    " } else { "FAILED" }, took.as_secs_f64());
        println!("{word} {seconds:7.1} s  cargo {step}");
    }
    println!("       {:7.1} s  in all", start.elapsed().as_secs_f64());
    match rows.iter().filter(|row| !row.passed).count() {
        0 => Ok(()),
        failures => Err(format!("{failures} of {} steps failed", rows.len()).into()),
    }
}

/// Runs a step whose output is seen as it comes.
fn alone(step: &'static str) -> Row {
    println!("\n=== cargo {step}");
    let clock = Instant::now();
    let result = command::run(&mut cargo(step));
    if let Err(error) = &result {
        println!("=== failed: {error}");
    }
    Row { step, passed: result.is_ok(), took: clock.elapsed() }
}

/// Runs lists of steps at the same time. What a step prints is seen when it has ended, in one piece.
fn side_by_side(lists: [&'static [&'static str]; 2]) -> Result<Vec<Row>> {
    let printing = Mutex::new(());
    let rows = thread::scope(|scope| {
        let lists = lists.map(|steps| {
            let printing = &printing;
            scope.spawn(move || steps.iter().map(|step| quiet(step, printing)).collect::<Vec<_>>())
        });
        lists.map(thread::ScopedJoinHandle::join)
    });
    let mut all = Vec::new();
    for list in rows {
        all.extend(list.map_err(|_| "a list of steps was not run to its end")?);
    }
    Ok(all)
}

fn quiet(step: &'static str, printing: &Mutex<()>) -> Row {
    let clock = Instant::now();
    let output = command::output(&mut cargo(step));
    let took = clock.elapsed();
    let _turn = printing.lock();
    println!("\n=== cargo {step}");
    let passed = match output {
        Ok(output) => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            // What went wrong is said last, where it is looked for.
            print!("{}", String::from_utf8_lossy(&output.stderr));
            if !output.status.success() {
                println!("=== failed: {}", output.status);
            }
            output.status.success()
        }
        Err(error) => {
            println!("=== failed: {error}");
            false
        }
    };
    Row { step, passed, took }
}

fn cargo(step: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(step.split(' ')).env("RUSTDOCFLAGS", "-D warnings");
    cargo
}
