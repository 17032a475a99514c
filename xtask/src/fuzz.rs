//! `cargo xtask fuzz`: libFuzzer on what reads untrusted bytes, each target for some seconds.
//!
//! It builds `fuzz/` with the flags of cargo-fuzz, which nobody has to install for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let programs = build(&at)?;
    let mut failed = Vec::new();
    for name in all.iter().filter(|name| wanted.is_empty() || wanted.contains(&name.as_str())) {
        if !fuzz(name, seconds, &programs.join(name), &at)? {
            failed.push(name.as_str());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn home() -> PathBuf {
    workspace::root().join("fuzz")
}

/// The names of the targets, which those of their programs are.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(home().join("fuzz_targets"))? {
        names.extend(file?.path().file_stem().and_then(OsStr::to_str).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Builds all targets, and says in which directory they are.
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
    let arguments = ["build", "--quiet", "--release", "--locked", "--bins", "--target", host];
    command::run(
        workspace::cargo()
            .current_dir(home())
            .args(arguments)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("CARGO_TARGET_DIR", &out)
            // Sanitizers are for nightly compilers, unless it is told that this is meant.
            .env("RUSTC_BOOTSTRAP", "1"),
    )?;
    Ok(out.join(host).join("release"))
}

fn has_sanitizer(libraries: &Path) -> Result<bool> {
    for file in fs::read_dir(libraries)? {
        if file?.file_name().display().to_string().ends_with("rt.asan.a") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs a target, prints a line about it, and says whether all went well.
fn fuzz(name: &str, seconds: u32, program: &Path, at: &Path) -> Result<bool> {
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
    println!(
        "{name:<17} {result}: {} executions, {} inputs with new coverage, {} MiB at most",
        statistic(&said, "number_of_executed_units"),
        statistic(&said, "new_units_added"),
        statistic(&said, "peak_rss_mb"),
    );
    if !status.success() {
        let quoted = said.lines().filter(|line| {
            ["panicked at", "SUMMARY", "ERROR", "Test unit written to"]
                .iter()
                .any(|part| line.contains(part))
        });
        quoted.for_each(|line| println!("    {line}"));
        println!("    all that it said: {}", log.display());
        println!("    again: {} FILE", program.display());
    }
    Ok(status.success())
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
        assert!(targets.len() >= 10, "{targets:?}");
        for name in targets {
            assert!(home().join("corpus").join(&name).is_dir(), "{name}");
        }
    }

    #[test]
    fn figures_are_found() {
        let said = "DONE\nstat::number_of_executed_units: 70846\nstat::peak_rss_mb:     97\n";
        assert_eq!(statistic(said, "number_of_executed_units"), "70846");
        assert_eq!(statistic(said, "peak_rss_mb"), "97");
        assert_eq!(statistic(said, "new_units_added"), "no");
    }
}
