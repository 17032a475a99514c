//! A folder for one run of one client, and the proof that the run has left nothing behind.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, Run};
use crate::user::User;
use crate::{Result, command};

/// Set for everything that a run starts, by which what is left running is found.
const MARK: &str = "SANDBOXLIB_CLIENT_RUN";
/// How long a program may take, and what was started may take to end.
const LIMIT: &str = "300";
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Work {
    user: User,
    path: PathBuf,
}

impl Work {
    /// An empty folder with a `bin` in it, which comes first on the client's PATH.
    pub(super) fn new(bench: &Bench, client: &str, user: User) -> Result<Self> {
        let path = bench.stage.join(format!("{client}-{user:?}-{}", process::id()));
        DirBuilder::new().mode(0o755).create(&path)?;
        let work = Self { user, path };
        DirBuilder::new().mode(0o755).create(work.bin())?;
        Ok(work)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bin(&self) -> PathBuf {
        self.path.join("bin")
    }

    /// A program as this run's user, with nothing of our own environment and for a limited time.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = self.user.command(Path::new("timeout"));
        // In the foreground it is interrupted with us.
        command.args(["--foreground", "--kill-after=5", LIMIT]).arg(program);
        command.current_dir(&self.path).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", self.bin().display()));
        command.env("HOME", &self.path).env("LANG", "C.UTF-8").env(MARK, &self.path);
        command
    }

    /// Ends the run: nothing is still running or mounted, and the folder goes.
    pub(super) fn finish(self) -> Run {
        let left = self.wait()?;
        if !left.is_empty() {
            let all: Vec<String> = left.iter().map(ToString::to_string).collect();
            return Err(format!("left behind: {}", all.join(", ")).into());
        }
        fs::remove_dir_all(&self.path)?;
        super::passed("nothing is left running or mounted");
        Ok(())
    }

    /// What is there after a while, in which all should have ended.
    fn wait(&self) -> Result<Vec<Left>> {
        let start = Instant::now();
        loop {
            let left = self.left()?;
            if left.is_empty() || start.elapsed() > PATIENCE {
                return Ok(left);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What is still running, or mounted below the folder.
    fn left(&self) -> Result<Vec<Left>> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
        let mut left: Vec<Left> =
            points.filter(|point| point.starts_with(&self.path)).map(Left::Mount).collect();
        let mark = format!("{MARK}={}", self.path.display());
        for process in fs::read_dir("/proc")? {
            let process = process?;
            // What has ended since, and what belongs to others, can't be read.
            let Ok(environment) = fs::read(process.path().join("environ")) else { continue };
            if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
                let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                left.push(Left::Process {
                    id: process.file_name().display().to_string(),
                    line: String::from_utf8_lossy(&line).replace('\0', " "),
                });
            }
        }
        Ok(left)
    }

    /// After a failure: ends what is left, and removes the folder.
    fn clear(&self) -> Result {
        for left in self.left()? {
            if let Left::Process { id, .. } = left {
                // It may have ended just now.
                command::output(Command::new("kill").arg("-KILL").arg(id))?;
            }
        }
        if let Some(left) = self.wait()?.first() {
            // Never into what is mounted.
            return Err(format!("{} stays: {left}", self.path.display()).into());
        }
        command::run(Command::new("rm").arg("-rf").arg(&self.path))
    }
}

/// What a run should have ended.
enum Left {
    Mount(PathBuf),
    Process { id: String, line: String },
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(point) => write!(f, "a mount on {}", point.display()),
            Self::Process { id, line } => write!(f, "process {id}: {line}"),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.path.exists() {
            return;
        }
        if let Err(error) = self.clear() {
            eprintln!("xtask: {error}");
        }
    }
}
