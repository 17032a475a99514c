//! `cargo xtask sanitize`: the conformance suites with AddressSanitizer, which finds accesses to memory that
//! is not there or not anymore, and memory that nothing refers to at the end (LeakSanitizer).
//!
//! The sandbox's child is part of it: it runs in the memory of the caller, on a stack of its own. What it and
//! the caller do at once is beyond the sanitizer's stack of its own for use after return, which is off.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::user::User;
use crate::{Result, command, workspace};

const USAGE: &str = "usage: cargo xtask sanitize [--package sandbox-luc|sandbox-chroot] [--root]

  --package NAME   this backend alone
  --root           as who starts it alone, not as another user as well";

const PACKAGES: [&str; 2] = ["sandbox-luc", "sandbox-chroot"];

/// `processes/pid-1-knows-nothing` has a control that reads all of the caller's memory: with AddressSanitizer,
/// 16 TiB of it.
const EXCEPT: [&str; 2] = ["--except", "processes/pid-1-knows-nothing"];

pub(crate) fn run(args: &[String]) -> Result {
    let (mut packages, mut users) = (PACKAGES.to_vec(), User::all());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--package" => {
                let wanted = args.next().ok_or(USAGE)?;
                packages.retain(|package| package == wanted);
            }
            "--root" => users = users.get(..1).unwrap_or_default(),
            _ => return Err(USAGE.into()),
        }
    }
    if packages.is_empty() {
        return Err(USAGE.into());
    }
    if !has_sanitizer()? {
        println!("cannot run here: this toolchain has no AddressSanitizer");
        return Ok(());
    }
    let programs = build(&packages)?;
    let dir = tempdir()?;
    let result = run_all(&dir, &programs, users);
    fs::remove_dir_all(&dir)?;
    result
}

fn run_all(dir: &Path, programs: &[(&str, PathBuf)], users: &[User]) -> Result {
    println!("not run: {} (its control reads all of the caller's memory)", EXCEPT[1]);
    let mut failed = Vec::new();
    for (package, program) in programs {
        let copy = dir.join(package);
        fs::copy(program, &copy)?;
        is_sanitized(&copy)?;
        for user in users {
            if !run_one(dir, package, *user, &copy)? {
                failed.push(format!("{package} {user}"));
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Runs a suite, prints what it came to, and says whether nothing was found.
fn run_one(dir: &Path, package: &str, user: User, program: &Path) -> Result<bool> {
    let reports = dir.join(format!("{package}-{user}").replace(' ', "-"));
    fs::create_dir(&reports)?;
    fs::set_permissions(&reports, Permissions::from_mode(0o1777))?;
    let options = format!(
        "detect_leaks=1:detect_stack_use_after_return=0:log_path={}/report",
        reports.display()
    );
    let clock = Instant::now();
    let mut suite = user.command(program);
    suite.args(EXCEPT).current_dir(dir).env("TMPDIR", dir.join("tmp")).env("ASAN_OPTIONS", options);
    suite.env_remove("SANDBOX_TEST_MUST_RUN").stdin(Stdio::null());
    let output = command::output(&mut suite)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let found = found(&reports)?;
    let (count, seconds) = (found.len(), clock.elapsed().as_secs());
    println!("{package} {user}: {last}; {count} errors of memory; {seconds} s");
    for line in text.lines().filter(|line| line.starts_with("failed ")) {
        println!("    {line}");
    }
    found.iter().take(5).for_each(|report| println!("{report}"));
    Ok(output.status.success() && found.is_empty())
}

/// The reports that tell of an error. The sanitizer also writes one that it does not know the child's stack.
fn found(reports: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in fs::read_dir(reports)? {
        let report = String::from_utf8_lossy(&fs::read(file?.path())?).into_owned();
        if report.contains("ERROR: ") {
            found.push(report.lines().take(20).collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(found)
}

/// Without the sanitizer in it a program knows nothing of its options.
fn is_sanitized(program: &Path) -> Result {
    let mut list = Command::new(program);
    let output = command::output(list.arg("--list").env("ASAN_OPTIONS", "help=1"))?;
    let known = String::from_utf8_lossy(&output.stderr).contains("detect_leaks");
    if known { Ok(()) } else { Err("the suite was built without AddressSanitizer".into()) }
}

fn has_sanitizer() -> Result<bool> {
    let libraries = command::stdout(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let names = fs::read_dir(libraries.trim())?;
    Ok(names.flatten().any(|file| file.file_name().to_string_lossy().ends_with("rt.asan.a")))
}

/// A directory that any user can reach.
fn tempdir() -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("xtask-sanitize-{}", std::process::id()));
    fs::create_dir(&dir)?;
    fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
    fs::create_dir(dir.join("tmp"))?;
    fs::set_permissions(dir.join("tmp"), Permissions::from_mode(0o1777))?;
    Ok(dir)
}

/// Builds the suites: the program of each package.
fn build(packages: &[&'static str]) -> Result<Vec<(&'static str, PathBuf)>> {
    let host = command::stdout(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let target = workspace::target_dir()?.join("sanitize");
    let mut cargo = workspace::cargo();
    cargo
        .args(["test", "--quiet", "--no-run", "--locked", "--test", "conformance"])
        // With `--target` the flags are for the tests, not for build scripts and macros as well.
        .args(["--target", host.trim(), "--message-format=json-render-diagnostics"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=address\u{1f}--cfg=sanitized")
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("CARGO_TARGET_DIR", target)
        // Sanitizers are for nightly compilers, unless it is told that this is meant.
        .env("RUSTC_BOOTSTRAP", "1");
    let messages = command::stdout(&mut cargo)?;
    let messages: Vec<Value> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let program = |package: &&'static str| {
        let source = format!("{package}/tests/conformance.rs");
        let is_it = |message: &&Value| {
            message["target"]["src_path"].as_str().is_some_and(|path| path.ends_with(&source))
        };
        let built = messages.iter().filter(is_it);
        let program = built.filter_map(|message| message["executable"].as_str()).next_back();
        let missing = || format!("cargo built no conformance test of {package}");
        Ok((*package, PathBuf::from(program.ok_or_else(missing)?)))
    };
    packages.iter().map(program).collect()
}
