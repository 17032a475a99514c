//! `cargo xtask python`: the Python package, on the `run-sandbox` of this workspace: its tests as root
//! and as a user, its installation by pip, and its types.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::{self, UNPRIVILEGED};
use crate::{Result, command, workspace};

/// Succeeds in one that is new enough for the package, and that its user can start from a program:
/// `setpriv` executes with the capabilities of its caller what that user may not.
const OLDEST: &str =
    "import os, sys; sys.exit(sys.version_info < (3, 9) or not os.access(sys.executable, os.X_OK))";

/// What came out of one run of the tests.
struct Counts {
    passed: usize,
    skipped: usize,
    failed: usize,
}

pub(crate) fn run(args: &[String]) -> Result {
    if !args.is_empty() {
        return Err("python takes no options".into());
    }
    let Some(python) = command::find("python3").filter(|path| works(&mut Command::new(path)))
    else {
        println!("skipped: python: there is no python3 on PATH, of 3.9 or newer");
        return Ok(());
    };
    let package = staged()?;
    let mut rows = Vec::new();
    let mut failures = 0;
    for (who, interpreter) in interpreters(&python) {
        let Some(mut interpreter) = interpreter else {
            println!("skipped: python, {who}: that user can run no python3");
            continue;
        };
        println!("tests, {who}");
        let counts = test(&mut interpreter, &package)?;
        failures += counts.failed;
        let Counts { passed, skipped, failed } = counts;
        rows.push(format!("{who} {passed} passed, {skipped} skipped, {failed} failed"));
    }
    rows.push(check_package(&python, &package)?);
    println!("python: {}", rows.join("; "));
    if failures == 0 { Ok(()) } else { Err(format!("{failures} Python tests failed").into()) }
}

fn works(interpreter: &mut Command) -> bool {
    command::output(interpreter.args(["-c", OLDEST])).is_ok_and(|done| done.status.success())
}

/// The package, its tests and `run-sandbox`, where every user can read them.
fn staged() -> Result<PathBuf> {
    let binary = workspace::run_sandbox()?;
    let folder = stage::shared("python")?;
    let package = folder.join("package");
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    let source = workspace::root().join("python");
    command::run(Command::new("cp").args(["-rL"]).arg(source).arg(&package))?;
    command::run(Command::new("cp").arg(binary).arg(package.join("run-sandbox")))?;
    command::run(Command::new("chmod").args(["-R", "a+rX,go-w"]).arg(&package))?;
    Ok(package)
}

/// Whom the tests are run as, each with an interpreter that it can execute.
fn interpreters(python: &Path) -> Vec<(&'static str, Option<Command>)> {
    if !command::is_root() {
        println!("skipped: python, as root: the caller is not root");
        return vec![("as the caller", Some(Command::new(python)))];
    }
    // The first one may be in a home that is closed to others.
    let places = [python, Path::new("/usr/bin/python3"), Path::new("/usr/local/bin/python3")];
    let plain = places.into_iter().find(|place| works(&mut unprivileged(place)));
    vec![("as root", Some(Command::new(python))), ("as a user", plain.map(unprivileged))]
}

fn unprivileged(python: &Path) -> Command {
    let id = UNPRIVILEGED.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(python);
    command
}

fn test(python: &mut Command, package: &Path) -> Result<Counts> {
    python.args(["-B", "-W", "error", "-m", "tests"]).current_dir(package);
    python.env("PYTHONPATH", package.join("src"));
    python.env("SANDBOXLIB_RUN_SANDBOX", package.join("run-sandbox"));
    python.env_remove("SANDBOXLIB_BACKEND").stderr(std::process::Stdio::inherit());
    let said = String::from_utf8(command::output(python)?.stdout)?;
    let (lines, last) = said.trim_end().rsplit_once('\n').unwrap_or(("", said.trim_end()));
    for line in lines.lines() {
        println!("  {line}");
    }
    let numbers: std::result::Result<Vec<usize>, _> = last.split(' ').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([passed, skipped, failed]) => {
            Ok(Counts { passed: *passed, skipped: *skipped, failed: *failed })
        }
        _ => Err(format!("the tests did not come to an end: {}", command::show(python)).into()),
    }
}

/// Installs the package as users do, and checks its types, where pip can get what that needs.
fn check_package(python: &Path, package: &Path) -> Result<String> {
    let folder = workspace::target_dir()?.join("python-venv");
    let program = folder.join("bin/python");
    let installed = |words: &[&str]| -> Result<bool> {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let mut command = Command::new(&program);
        let output = command::output(command.args(pip).args(words).current_dir(package))?;
        if !output.status.success() {
            println!("skipped: python, {}: {}", command::show(&command), reason(&output.stderr));
        }
        Ok(output.status.success())
    };
    if !program.exists() {
        let mut venv = Command::new(python);
        let output = command::output(venv.args(["-m", "venv"]).arg(&folder))?;
        if !output.status.success() {
            // It is half made where pip is missing.
            let _ = fs::remove_dir_all(&folder);
            println!("skipped: python, {}: {}", command::show(&venv), reason(&output.stdout));
            return Ok("not installed".to_owned());
        }
    }
    // Its own build needs setuptools, from the registry or already there.
    if !installed(&["--force-reinstall", "."])? {
        return Ok("not installed".to_owned());
    }
    let say = "import sandboxlib; print(sandboxlib.__version__, sandboxlib.STDOUT)";
    let mut import = Command::new(&program);
    command::stdout(import.args(["-c", say]).current_dir("/"))?;
    if !installed(&["mypy"])? {
        return Ok("installed by pip".to_owned());
    }
    // The package's configuration makes it strict.
    let cache = folder.join("mypy-cache");
    let mut mypy = Command::new(&program);
    mypy.args(["-m", "mypy", "--cache-dir"]).arg(cache).current_dir(package);
    command::run(&mut mypy)?;
    Ok("installed by pip, types checked".to_owned())
}

/// The last line of what a program said.
fn reason(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").to_owned()
}
