//! The suite: runs each case in a process of its own, looks for leaks around it, and counts.

use std::env;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use sandbox_core::{BACKEND_VARIABLE, Backend};
use tempfile::TempDir;

use crate::around;
use crate::case::{Case, Verdict};
use crate::cases;
use crate::leaks::{self, Snapshot};
use crate::options::{HELP, Job, Options};
use crate::probe;
use crate::solo::{CASE, verdict_file};
use crate::world::{DIR, RUN, SECRET, SECRET_PARTS, World};

/// Says that a matrix runs the suite, as itself and in other ways, so that it is not to be run twice.
const BY_MATRIX: &str = "SANDBOX_TEST_BY_MATRIX";
/// No case takes a tenth of it; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the cases that the arguments select.
pub(crate) fn run(backend: &dyn Backend) -> ExitCode {
    let ran = Options::read().map_err(Into::into).and_then(|options| {
        match options.job {
            Job::Help => print!("{HELP}"),
            Job::List => {
                for case in cases::all().filter(|case| options.selects(case)) {
                    println!("{}", case.name);
                }
            }
            Job::Run if env::var_os(BY_MATRIX).is_some() => {
                println!("left to the matrix, which runs all cases ({BY_MATRIX})");
            }
            Job::Run => {
                return match env::var_os(RUN) {
                    Some(run) => run_in(backend, &options, Path::new(&run)),
                    None => start(backend, &options),
                };
            }
        }
        Ok(ExitCode::SUCCESS)
    });
    ran.unwrap_or_else(|error: Box<dyn std::error::Error>| {
        eprintln!("conformance of {}: {error}", backend.name());
        ExitCode::FAILURE
    })
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Makes the directory of the run, which the processes of any user may look into, and the probe.
fn start(backend: &dyn Backend, options: &Options) -> Result<ExitCode> {
    let dir = tempfile::Builder::new().prefix("sandbox-testkit-").tempdir()?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
    fs::create_dir(dir.path().join("tmp"))?;
    let probe = match probe::compile(dir.path()) {
        Ok(probe) => probe,
        Err(error) => return Ok(nothing_runs(backend, options, &error.to_string())),
    };
    let code = match around::again(backend, options, dir.path(), &probe)? {
        Some(status) => status.into(),
        None => run_in(backend, options, dir.path())?,
    };
    clear(dir)?;
    Ok(code)
}

/// Removes the directory of a run, unless a mount was left in it: deleting would go through that
/// mount, into whatever it shows.
fn clear(dir: TempDir) -> io::Result<()> {
    let path = dir.path().display().to_string();
    if fs::read_to_string("/proc/self/mountinfo")?.contains(&path) {
        eprintln!("not removed, for there are mounts in it: {}", dir.keep().display());
        return Ok(());
    }
    dir.close()
}

fn nothing_runs(backend: &dyn Backend, options: &Options, reason: &str) -> ExitCode {
    let mut tally = Tally::default();
    for case in cases::all().filter(|case| options.selects(case)) {
        let skipped = Verdict::Skipped { need: "cc".to_owned(), reason: reason.to_owned() };
        tally.count(backend, options, case, skipped);
    }
    tally.end()
}

fn run_in(backend: &dyn Backend, options: &Options, run: &Path) -> Result<ExitCode> {
    // Whatever a case leaves running becomes a child of this process, and is found.
    prctl::set_child_subreaper(true)?;
    let mut tally = Tally::default();
    for case in cases::all().filter(|case| options.selects(case)) {
        let verdict = run_case(case, run)?;
        tally.count(backend, options, case, verdict);
    }
    Ok(tally.end())
}

fn run_case(case: &Case, run: &Path) -> Result<Verdict> {
    let dir = run.join(case.name.replace('/', "."));
    let temporary = run.join("tmp");
    World::create(&dir, &run.join("probe"))?;
    let before = Snapshot::take(&temporary)?;
    let child = Command::new(env::current_exe()?)
        .env_remove(BACKEND_VARIABLE)
        .env("TMPDIR", &temporary)
        .env(RUN, run)
        .env(DIR, &dir)
        .env(CASE, case.name)
        .env(SECRET, SECRET_PARTS.concat())
        .spawn()?;
    let ended = wait(child)?;
    let mut left = leaks::left_processes();
    left.extend(Snapshot::take(&temporary)?.since(&before));
    let verdict = match (ended, fs::read_to_string(verdict_file(&dir))) {
        (None, _) => Verdict::Failed(format!("no end after {} s", PATIENCE.as_secs())),
        (Some(status), text) => {
            let verdict = text.ok().and_then(|text| Verdict::from_text(&text));
            verdict.unwrap_or_else(|| Verdict::Failed(format!("its process ended with {status}")))
        }
    };
    if left.is_empty() {
        return Ok(match remove(&dir) {
            Ok(()) => verdict,
            Err(error) => Verdict::Failed(format!("{verdict}; afterwards, {error}")),
        });
    }
    // What is left may be a mount: nothing is removed then.
    let verdict = match verdict {
        Verdict::Failed(text) => format!("{text}\n"),
        _ => String::new(),
    };
    Ok(Verdict::Failed(format!("{verdict}left behind: {}", left.join("; "))))
}

fn remove(dir: &Path) -> io::Result<()> {
    fs::remove_dir_all(dir).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot remove {}: {error}", dir.display()))
    })
}

/// Waits for a case; kills it where it does not end.
fn wait(mut child: Child) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(Duration::from_millis(2));
    }
}

/// The counts, and what the summary names.
#[derive(Default)]
struct Tally {
    passed: usize,
    refused: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Tally {
    fn count(&mut self, backend: &dyn Backend, options: &Options, case: &Case, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Skipped { need, reason }
                if options.must_run(backend.name().as_str(), &need) =>
            {
                Verdict::Failed(format!("it must run (SANDBOX_TEST_MUST_RUN): {need}: {reason}"))
            }
            other => other,
        };
        let line = format!("{:<8} {:<40} {verdict}", verdict.word(), case.name);
        println!("{}", line.trim_end().replace('\n', "\n         "));
        // A reader sees how far it is, also through a pipe.
        let _ = io::stdout().flush();
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Failed(_) => self.failed.push(case.name.to_owned()),
            Verdict::Skipped { .. } => self.skipped.push(format!("{}: {verdict}", case.name)),
        }
    }

    fn end(self) -> ExitCode {
        if !self.skipped.is_empty() {
            println!("\ncould not run here:\n  {}", self.skipped.join("\n  "));
        }
        if !self.failed.is_empty() {
            println!("\nfailed:\n  {}", self.failed.join("\n  "));
        }
        println!(
            "\n{} passed, {} failed, {} skipped, {} refused as declared",
            self.passed,
            self.failed.len(),
            self.skipped.len(),
            self.refused
        );
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
