//! `cargo xtask fuzz`: libFuzzer on what reads untrusted bytes, each target for some seconds, and as many at
//! once as there are processors.
//!
//! It builds `fuzz/` with the flags of cargo-fuzz, which nobody has to install for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::{Result, command, workspace};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET]... [--seconds N]

  --seconds N   how long each target runs (default 5)";

/// What a target may take. No input is longer: what is wrong shows in small ones, and they are quicker.
const LIMITS: [&str; 4] =
    ["-rss_limit_mb=512", "-malloc_limit_mb=128", "-timeout=10", "-max_len=16384"];
/// What is freed is held back, to find who uses it then; by default more of it than the limit.
const SANITIZER: &str = "detect_leaks=0:detect_odr_violation=0:quarantine_size_mb=16";
/// Coverage for libFuzzer, on all crates.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

pub(crate) fn run(args: &[String]) -> Result {
    let (mut seconds, mut wanted) = (5_u32, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let value = args.next().map(|value| value.parse());
                seconds = value.and_then(std::result::Result::ok).ok_or(USAGE)?;
            }
            option if option.starts_with('-') => return Err(USAGE.into()),
            name => wanted.push(name),
        }
    }
    let all = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| all.iter().all(|known| known != *name)) {
        return Err(format!("no target {unknown}; there are {}", all.join(", ")).into());
    }
    let at = workspace::target_dir()?.join("fuzz");
    let program = build(&at)?;
    let chosen = |name: &&String| wanted.is_empty() || wanted.contains(&name.as_str());
    let names: Vec<_> = all.iter().filter(chosen).map(String::as_str).collect();
    let ends = at_once(&names, |name| fuzz(name, seconds, &program, &at));
    let mut failed = Vec::new();
    let mut executions = 0;
    for (name, end) in names.into_iter().zip(ends) {
        let end = end?;
        executions += end.executions;
        failed.extend((!end.passed).then_some(name));
    }
    println!("{executions} executions, {} of the targets failed", failed.len());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Runs something for each target, as many at once as there are processors; the results are in order.
fn at_once<'a, T: Send>(
    names: &[&'a str],
    run: impl Fn(&'a str) -> std::result::Result<T, String> + Sync,
) -> Vec<std::result::Result<T, String>> {
    let width = thread::available_parallelism().map_or(1, NonZero::get);
    let results: Vec<_> = names.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((name, result)) = next_of(&next, names, &results) {
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(run(name));
        }
    };
    thread::scope(|scope| (0..width).for_each(|_| drop(scope.spawn(work))));
    let ended = |result: Mutex<Option<_>>| result.into_inner().ok().flatten();
    let missing = || Err("it was not run".to_owned());
    results.into_iter().map(|result| ended(result).unwrap_or_else(missing)).collect()
}

fn next_of<'n, 'a, R>(
    next: &AtomicUsize,
    names: &'n [&'a str],
    results: &'n [R],
) -> Option<(&'a str, &'n R)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    names.get(number).copied().zip(results.get(number))
}

/// How a target ended.
struct End {
    passed: bool,
    executions: u64,
}

fn home() -> PathBuf {
    workspace::root().join("fuzz")
}

/// The program that is any of the targets: to link one for each would take longer than to run them.
const PROGRAM: &str = "any";

/// The names of the targets, which those of their own programs are, for cargo-fuzz.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(home().join("fuzz_targets"))? {
        names.extend(file?.path().file_stem().and_then(OsStr::to_str).map(str::to_owned));
    }
    names.retain(|name| name != PROGRAM);
    names.sort();
    Ok(names)
}

/// Builds the program of all targets, and says where it is.
fn build(at: &Path) -> Result<PathBuf> {
    if command::find("c++").is_none() {
        command::need_packages(&["g++"])?;
    }
    let rustc = |print: &str| command::stdout(Command::new("rustc").args(["--print", print]));
    let host = rustc("host-tuple")?;
    let host = host.trim();
    let mut flags = COVERAGE.to_vec();
    if has_sanitizer(Path::new(rustc("target-libdir")?.trim()))? {
        flags.push("-Zsanitizer=address");
    } else {
        println!("this toolchain has no AddressSanitizer: only panics are found");
    }
    let out = at.join("build");
    // With `--target` the flags are for the targets, not for build scripts and macros as well.
    let arguments =
        ["build", "--quiet", "--release", "--locked", "--bin", PROGRAM, "--target", host];
    command::run(
        workspace::cargo()
            .current_dir(home())
            .args(arguments)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("CARGO_TARGET_DIR", &out)
            // Sanitizers are for nightly compilers, unless it is told that this is meant.
            .env("RUSTC_BOOTSTRAP", "1"),
    )?;
    Ok(out.join(host).join("release").join(PROGRAM))
}

fn has_sanitizer(libraries: &Path) -> Result<bool> {
    for file in fs::read_dir(libraries)? {
        if file?.file_name().display().to_string().ends_with("rt.asan.a") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs a target, and prints about it.
fn fuzz(name: &str, seconds: u32, program: &Path, at: &Path) -> std::result::Result<End, String> {
    run_target(name, seconds, program, at).map_err(|error| format!("{name}: {error}"))
}

fn run_target(name: &str, seconds: u32, program: &Path, at: &Path) -> Result<End> {
    let (grown, artifacts) = (at.join("corpus").join(name), at.join("artifacts").join(name));
    fs::create_dir_all(&grown)?;
    fs::create_dir_all(&artifacts)?;
    let log = at.join(format!("{name}.log"));
    let output = File::create(&log)?;
    let mut fuzzer = Command::new(program);
    fuzzer
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        // What is found goes into the first; the second is the one that is committed.
        .arg(&grown)
        .arg(home().join("corpus").join(name))
        .env("SANDBOX_FUZZ_TARGET", name)
        .env("ASAN_OPTIONS", SANITIZER)
        .stdout(output.try_clone()?)
        .stderr(output);
    let status = fuzzer.status()?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let result = match status.code() {
        Some(0) => "ok",
        Some(70) => "TIMEOUT",
        Some(71) => "OUT OF MEMORY",
        _ => "CRASH",
    };
    let executions = statistic(&said, "number_of_executed_units");
    // In one piece: another target may end at the same moment.
    let mut text = format!(
        "{name:<23} {result}: {executions} executions, {} inputs with new coverage, {} MiB at most",
        statistic(&said, "new_units_added"),
        statistic(&said, "peak_rss_mb"),
    );
    if !status.success() {
        for line in quoted(&said) {
            text.push_str("\n    ");
            text.push_str(&line);
        }
        text.push_str("\n    all that it said: ");
        text.push_str(&log.display().to_string());
        text.push_str("\n    again: SANDBOX_FUZZ_TARGET=");
        text.push_str(name);
        text.push(' ');
        text.push_str(&program.display().to_string());
        text.push_str(" FILE");
    }
    println!("{text}");
    Ok(End { passed: status.success(), executions: executions.parse().unwrap_or_default() })
}

/// What is worth to be read at once of what a failed target has said: what was found, and what a panic says
/// of it in the lines after its place. Inputs can be long, and are cut.
fn quoted(said: &str) -> Vec<String> {
    const LONGEST: usize = 600;
    const MOST: usize = 12;
    let mut lines = Vec::new();
    let mut of_panic = 0;
    for line in said.lines() {
        let ends = ["==", "note: ", "stack backtrace:"].iter().any(|word| line.starts_with(word));
        of_panic = match line {
            line if line.contains("panicked at") => MOST,
            _ if ends => 0,
            _ => of_panic.saturating_sub(1),
        };
        let words = ["SUMMARY", "ERROR", "Test unit written to"];
        if of_panic > 0 || words.iter().any(|part| line.contains(part)) {
            lines.push(line.chars().take(LONGEST).collect());
        }
    }
    lines
}

/// A figure of libFuzzer's, from a line as `stat::peak_rss_mb:   97`.
fn statistic<'a>(said: &'a str, name: &str) -> &'a str {
    let value = said.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
    value.map_or("no", |value| value.trim_start_matches(':').trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus() {
        let targets = targets().unwrap();
        assert!(targets.len() >= 16, "{targets:?}");
        for name in targets {
            assert!(home().join("corpus").join(&name).is_dir(), "{name}");
        }
    }

    #[test]
    fn a_panic_is_quoted_with_what_it_says() {
        let long = "x".repeat(1000);
        let said = format!(
            "INFO: Seed: 1\nthread '<unnamed>' panicked at src/a.rs:1:2:\nassertion failed\n  left: {long}\n\
             note: run with `RUST_BACKTRACE=1`\n#0 frame\n==7== ERROR: libFuzzer: deadly signal\n#1 more\n"
        );
        let quoted = quoted(&said);
        assert_eq!(quoted.len(), 4, "{quoted:?}");
        assert_eq!(quoted[1], "assertion failed");
        assert_eq!(quoted[2].len(), 600);
        assert!(quoted[3].contains("deadly signal"));
    }

    #[test]
    fn each_is_run_once_and_told_in_order() {
        let names: Vec<_> = "a b c d e f g".split(' ').collect();
        let all = at_once(&names, |name| if name == "c" { Err(name.to_owned()) } else { Ok(name) });
        let text: Vec<_> = all.into_iter().map(|r| r.unwrap_or("failed")).collect();
        assert_eq!(text, ["a", "b", "failed", "d", "e", "f", "g"]);
    }

    #[test]
    fn figures_are_found() {
        let said = "DONE\nstat::number_of_executed_units: 70846\nstat::peak_rss_mb:     97\n";
        assert_eq!(statistic(said, "number_of_executed_units"), "70846");
        assert_eq!(statistic(said, "peak_rss_mb"), "97");
        assert_eq!(statistic(said, "new_units_added"), "no");
    }
}
