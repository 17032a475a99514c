//! What builds and their tools do, in a sandbox that holds them to the build profile: none may notice it.
//!
//! Each is a script, run in the `/tmp` of a sandbox with this machine's root, read-only and without a network. What a
//! machine has not the tools for is named, and with `--required` is an error.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::stage::UNPRIVILEGED;
use crate::{Result, command, workspace};

/// What it is, who runs it, and how.
const SCRIPTS: [(&str, As, &str); 8] = [
    ("a Rust crate", As::Caller, include_str!("profile/rust.sh")),
    ("a CPython extension", As::Caller, include_str!("profile/python.sh")),
    ("a Go module", As::Caller, include_str!("profile/go.sh")),
    ("AddressSanitizer", As::Caller, include_str!("profile/sanitizers.sh")),
    ("gdb", As::Caller, include_str!("profile/gdb.sh")),
    ("strace, setarch", As::Caller, include_str!("profile/strace.sh")),
    ("valgrind", As::Caller, include_str!("profile/valgrind.sh")),
    ("sandboxes in it", As::User, include_str!("profile/nested.sh")),
];

/// Who a script runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Caller,
    /// User 0 without capabilities can make no user namespace, with a profile or without.
    User,
}

/// Says that a tool is missing (automake's convention).
const SKIPPED: i32 = 77;

pub(super) fn run(args: &[String]) -> Result {
    let required = match args {
        [] => false,
        [word] if word == "--required" => true,
        _ => return Err("profile takes no options but --required".into()),
    };
    let program = workspace::run_sandbox()?;
    let path = path()?;
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    for (what, who, script) in SCRIPTS {
        let clock = Instant::now();
        let output = command::output(&mut sandbox(&program, &path, who, script))?;
        let seconds = clock.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => println!("ok       {seconds:5.1} s  {what}"),
            Some(SKIPPED) => {
                println!("skipped           {what}: {}", said.trim());
                skipped.push(what);
            }
            _ => {
                println!("FAILED   {seconds:5.1} s  {what}: {}", output.status);
                println!("{said}{}", String::from_utf8_lossy(&output.stderr));
                failed.push(what);
            }
        }
    }
    if !failed.is_empty() {
        return Err(format!("the build profile breaks: {}", failed.join(", ")).into());
    }
    if required && !skipped.is_empty() {
        return Err(format!("not tried: {}", skipped.join(", ")).into());
    }
    Ok(())
}

fn sandbox(program: &Path, path: &OsString, who: As, script: &str) -> Command {
    let mut sandbox = Command::new(program);
    let mut bind = program.as_os_str().to_owned();
    bind.push(":/tmp/run-sandbox");
    let mut variable = OsString::from("PATH=");
    variable.push(path);
    sandbox.args(["--build", "--cwd", "/tmp", "--seccomp", "build", "--ro-bind"]).arg(bind);
    sandbox.arg("--env").arg(variable);
    if who == As::User && command::is_root() {
        sandbox.args(["--uid", &UNPRIVILEGED.to_string()]);
    }
    sandbox.args(["/", "--", "sh", "-euc", script]);
    sandbox
}

/// The machine's, but with programs in place of what would choose one in a home, which the sandbox has none of.
fn path() -> Result<OsString> {
    let tool = |program: &str, args: &[&str]| {
        let said = command::stdout(Command::new(program).args(args)).ok()?;
        Some(PathBuf::from(said.trim()))
    };
    let rust = tool("rustc", &["--print", "sysroot"]).map(|sysroot| sysroot.join("bin"));
    let python =
        tool("python3", &["-c", "import sys; print(sys.base_prefix)"]).map(|p| p.join("bin"));
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = rust.into_iter().chain(python).chain(env::split_paths(&rest));
    Ok(env::join_paths(all)?)
}
