//! `cargo xtask fire`: thousands of sandboxes, of which many are killed, stopped and timed out at random, as are
//! their callers; and nothing may be left. The work is done by `tests/examples/fire`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio, id};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::user::User;
use crate::{Result, command, workspace};

const USAGE: &str = "\
usage: cargo xtask fire [--runs N] [--seconds N] [--seed N] [BACKEND]

  --runs N      sandboxes for each backend and user (default 2000)
  --seconds N   for each, at most (default 18); with --runs alone, as long as they take
  --seed N      of the random numbers (default: the time)";
const BACKENDS: [&str; 2] = ["linux-user-chroot", "chroot"];
const RUNS: u64 = 2_000;
const SECONDS: u64 = 18;

struct Options {
    runs: Option<u64>,
    seconds: Option<u64>,
    seed: Option<u64>,
    backend: Option<String>,
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let mut options = Self { runs: None, seconds: None, seed: None, backend: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let slot = match arg.as_str() {
                "--runs" => &mut options.runs,
                "--seconds" => &mut options.seconds,
                "--seed" => &mut options.seed,
                name if BACKENDS.contains(&name) => {
                    options.backend = Some(name.to_owned());
                    continue;
                }
                other => return Err(format!("what is {other}? {USAGE}").into()),
            };
            let number = args.next().ok_or_else(|| format!("{arg} needs a number; {USAGE}"))?;
            *slot = Some(number.parse().map_err(|_| format!("not a number: {number}"))?);
        }
        Ok(options)
    }

    fn seconds(&self) -> u64 {
        let bound = if self.runs.is_some() { 3_600 } else { SECONDS };
        self.seconds.unwrap_or(bound)
    }
}

pub(crate) fn run(args: &[String]) -> Result {
    let options = Options::read(args)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let seed = options.seed.unwrap_or(now.as_secs());
    let stage = Stage::new()?;
    let mut failed = Vec::new();
    for backend in BACKENDS {
        if options.backend.as_ref().is_some_and(|only| only != backend) {
            continue;
        }
        for user in User::all() {
            println!("\n{backend}, {user}, --seed {seed}");
            if !stage.run(backend, *user, &options, seed)? {
                failed.push(format!("{backend}, {user}"));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("under fire, with --seed {seed}: {}", failed.join("; ")).into())
}

/// The programs, where any user can run them.
struct Stage(std::path::PathBuf);

impl Stage {
    fn new() -> Result<Self> {
        let build = |words: &[&str]| command::run(workspace::cargo().arg("build").args(words));
        build(&["--quiet", "-p", "sandboxlib-tests", "--example", "fire"])?;
        build(&["--quiet", "-p", "sandbox-cli", "--bin", "run-sandbox"])?;
        let built = workspace::target_dir()?.join("debug");
        let stage = Self(std::env::temp_dir().join(format!("xtask-fire-{}", id())));
        fs::create_dir(&stage.0)?;
        fs::set_permissions(&stage.0, Permissions::from_mode(0o755))?;
        fs::copy(built.join("examples/fire"), stage.0.join("fire"))?;
        fs::copy(built.join("run-sandbox"), stage.0.join("run-sandbox"))?;
        let probes = workspace::root().join("crates/sandbox-testkit/probes");
        let sources = fs::read_dir(probes)?.flatten().map(|entry| entry.path());
        let sources = sources.filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".c") && !name.starts_with("validator")
        });
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-static", "-o"]).arg(stage.0.join("probe")).args(sources);
        command::run(&mut cc)?;
        Ok(stage)
    }

    /// Whether nothing went wrong. What cannot run here is said by the driver.
    fn run(&self, backend: &str, user: User, options: &Options, seed: u64) -> Result<bool> {
        let dir =
            self.0.join(format!("{backend}-{}", if user == User::Plain { "user" } else { "own" }));
        for name in ["", "tmp", "tree", "mortal"] {
            directory(&dir.join(name))?;
        }
        for tree in ["tree", "mortal"] {
            for name in ["bin", "work", "proc", "dev", "tmp"] {
                directory(&dir.join(tree).join(name))?;
            }
            fs::copy(self.0.join("probe"), dir.join(tree).join("bin/probe"))?;
        }
        user.own(&dir)?;
        let runs = options.runs.unwrap_or(RUNS);
        let mut driver = user.command(&self.0.join("fire"));
        driver.args(["drive", backend]).arg(&dir).arg(self.0.join("run-sandbox"));
        driver.args([runs, options.seconds(), seed].map(|number| number.to_string()));
        driver.env("TMPDIR", dir.join("tmp")).env_remove("SANDBOXLIB_BACKEND");
        let output = command::output(driver.stdin(Stdio::null()).stdout(Stdio::inherit()))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        print!("{errors}");
        // A backend that needs what this user has not.
        Ok(output.status.success() || errors.contains("cannot run here"))
    }
}

fn directory(path: &Path) -> Result {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(())
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What has a mount in it stays: deleting would go through that.
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        if mounts.contains(&self.0.display().to_string()) {
            eprintln!("not removed, for there are mounts in it: {}", self.0.display());
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Options> {
        Options::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_number_of_runs_has_all_the_time_that_it_takes() {
        assert_eq!(read("").unwrap().seconds(), SECONDS);
        assert_eq!(read("--runs 20000 chroot").unwrap().seconds(), 3_600);
        assert_eq!(read("--runs 20000 --seconds 5").unwrap().seconds(), 5);
        for wrong in ["--runs", "--runs many", "bubblewrap"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
