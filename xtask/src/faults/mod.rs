//! `cargo xtask faults`: every system call of every set-up fails in turn, or its process is killed or
//! delayed there. Each time there is an error that says what failed, or the sandbox that was asked for;
//! it comes soon; and nothing is left.

mod errnos;
mod explained;
mod judge;
mod leaks;
mod scenario;
mod site;
mod stage;
pub(crate) mod start;
mod tracer;
mod watchdog;
pub(crate) mod worker;

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::user::User;
use crate::{Result, command, workspace};
use scenario::{ALL, Scenario};

const USAGE: &str = "cargo xtask faults [--each|--all] [root|plain] [SCENARIO]... [--only TEXT]...";
const FACTS: &str = include_str!("facts.c");

/// What is added up.
const COUNTS: [&str; 5] = ["injected", "clean", "explained", "unmet", "unexplained"];

struct Options {
    /// `--some`, `--each` or `--all`.
    thoroughness: String,
    words: Vec<String>,
    only: Vec<String>,
}

impl Options {
    fn of(args: &[String]) -> Result<Self> {
        let mut options =
            Self { thoroughness: "--some".to_owned(), words: Vec::new(), only: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--each" | "--all" => options.thoroughness.clone_from(arg),
                "--only" => options.only.push(args.next().ok_or("--only TEXT")?.clone()),
                "root" | "plain" => options.words.push(arg.clone()),
                name if Scenario::named(name).is_some() => options.words.push(arg.clone()),
                other => return Err(format!("no scenario or option {other}; {USAGE}").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, scenario: &Scenario, user: User) -> bool {
        let (users, names): (Vec<_>, Vec<_>) =
            self.words.iter().partition(|word| ["root", "plain"].contains(&word.as_str()));
        let (user, name) = (word_of(user).to_owned(), scenario.name.to_owned());
        (users.is_empty() || users.contains(&&user)) && (names.is_empty() || names.contains(&&name))
    }
}

fn word_of(user: User) -> &'static str {
    match user {
        User::Root => "root",
        User::Plain => "plain",
        User::Caller => "caller",
    }
}

pub(crate) fn run(args: &[String]) -> Result {
    let options = Options::of(args)?;
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err("faults are injected by the registers of x86_64 alone".into());
    }
    let folder = Folder::new()?;
    let (start, mut sums) = (Instant::now(), [0; COUNTS.len()]);
    println!(
        "{:<14}{:<8}{:>7}{:>10}{:>7}{:>11}{:>7}{:>13}",
        "scenario", "caller", "calls", COUNTS[0], COUNTS[1], COUNTS[2], COUNTS[3], COUNTS[4]
    );
    for scenario in &ALL {
        for user in User::all().iter().filter(|user| scenario.runs_as(**user)) {
            if options.wants(scenario, *user) {
                let counts = folder.run(scenario, *user, &options)?;
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
    }
    let [injected, clean, explained, unmet, unexplained] = sums;
    println!(
        "faults injected {injected}, clean {clean}, explained {explained}, unexplained {unexplained} \
         (calls that did not come again {unmet}); {:.0} s",
        start.elapsed().as_secs_f64()
    );
    if injected == 0 {
        return Err("nothing was injected".into());
    }
    if unexplained > 0 {
        Err(format!("{unexplained} faults are unexplained").into())
    } else {
        Ok(())
    }
}

/// The programs, where any user can run them, and below them the workers' folders.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let dir = env::temp_dir().join(format!("xtask-faults-{}", std::process::id()));
        fs::create_dir(&dir)?;
        let folder = Self(dir);
        let bin = folder.bin();
        fs::create_dir(&bin)?;
        for path in [&folder.0, &bin] {
            fs::set_permissions(path, Permissions::from_mode(0o755))?;
        }
        fs::copy(env::current_exe()?, bin.join("xtask"))?;
        fs::copy(workspace::run_sandbox()?, bin.join("run-sandbox"))?;
        for program in ["bwrap", "linux-user-chroot"] {
            fs::copy(workspace::build("sandbox-drop-ins", program)?, bin.join(program))?;
        }
        let source = folder.0.join("facts.c");
        fs::write(&source, FACTS)?;
        let mut cc = Command::new("cc");
        command::run(cc.args(["-static", "-O1", "-o"]).arg(bin.join("facts")).arg(&source))?;
        Ok(folder)
    }

    fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// Runs a scenario by several workers, and prints its line.
    fn run(&self, scenario: &Scenario, user: User, options: &Options) -> Result<[u64; 5]> {
        let parts = std::thread::available_parallelism()?.get();
        let name = format!("{}-{}", scenario.name, word_of(user));
        let dirs: Vec<_> = (0..parts).map(|part| self.0.join(format!("{name}-{part}"))).collect();
        let workers = dirs.iter().enumerate().map(|(part, dir)| {
            let mut command = self.worker(user);
            command.args([scenario.name, word_of(user), &part.to_string(), &parts.to_string()]);
            command.arg(&options.thoroughness).arg(self.bin()).arg(dir);
            Ok(command.args(&options.only).stdout(Stdio::piped()).spawn()?)
        });
        let workers: Vec<Child> = workers.collect::<Result<_>>()?;
        let (mut sums, mut calls) = ([0; COUNTS.len()], 0);
        for (worker, dir) in workers.into_iter().zip(&dirs) {
            let output = worker.wait_with_output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            let (last, others) = match text.trim_end().rsplit_once('\n') {
                Some((others, last)) => (last, others),
                None => (text.trim_end(), ""),
            };
            if !output.status.success() {
                return Err(format!("{name}: {}\n{text}", output.status).into());
            }
            if !others.is_empty() {
                println!("{others}");
            }
            let counts: Value = serde_json::from_str(last)?;
            calls = counts["calls"].as_u64().unwrap_or_default();
            for (sum, name) in sums.iter_mut().zip(COUNTS) {
                *sum += counts[name].as_u64().unwrap_or_default();
            }
            fs::remove_dir_all(dir)?;
        }
        let [injected, clean, explained, unmet, unexplained] = sums;
        println!(
            "{:<14}{:<8}{calls:>7}{injected:>10}{clean:>7}{explained:>11}{unmet:>7}{unexplained:>13}",
            scenario.name,
            word_of(user)
        );
        Ok(sums)
    }

    /// Root's are in a namespace of mounts of their own, where only what they do themselves is seen.
    fn worker(&self, user: User) -> Command {
        let program = self.bin().join("xtask");
        let mut command = if user == User::Caller {
            Command::new(program)
        } else {
            let mut unshare = Command::new("unshare");
            unshare.args(["--mount", "--propagation", "private"]).arg(program);
            unshare
        };
        command.arg("faults-worker");
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let is_mounted = |path: &Path| {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            mounts.contains(&path.display().to_string())
        };
        if is_mounted(&self.0) {
            eprintln!("xtask: something is mounted in {}: it is kept", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
