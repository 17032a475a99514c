//! A folder for one run of one client, and the proof that the run has left nothing behind.

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
        command.args(["--kill-after=5", LIMIT]).arg(program);
        command.current_dir(&self.path).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", self.bin().display()));
        command.env("HOME", &self.path).env("LANG", "C.UTF-8").env(MARK, &self.path);
        command
    }

    /// Ends the run: nothing is still running or mounted, and the folder goes.
    pub(super) fn finish(self) -> Run {
        let start = Instant::now();
        let mut left = self.left()?;
        while !left.is_empty() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(50));
            left = self.left()?;
        }
        if !left.is_empty() {
            return Err(format!("left behind: {}", left.join(", ")).into());
        }
        fs::remove_dir_all(&self.path)?;
        super::passed("nothing is left running or mounted");
        Ok(())
    }

    /// What is still running, or mounted below the folder.
    fn left(&self) -> Result<Vec<String>> {
        let folder = self.path.display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut left: Vec<String> = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|point| point.starts_with(&folder))
            .map(|point| format!("a mount on {point}"))
            .collect();
        let mark = format!("{MARK}={folder}");
        for process in fs::read_dir("/proc")? {
            let process = process?.path();
            // What has ended since, and what belongs to others, can't be read.
            let Ok(environment) = fs::read(process.join("environ")) else { continue };
            if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
                let line = fs::read(process.join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                left.push(format!("process {}: {line}", process.display()));
            }
        }
        Ok(left)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A run that failed: never into what is still mounted.
        let mounted =
            self.left().map_or(true, |left| left.iter().any(|l| l.starts_with("a mount")));
        if self.path.exists() && !mounted {
            let removed = command::run(Command::new("rm").arg("-rf").arg(&self.path));
            if let Err(error) = removed {
                eprintln!("xtask: {error}");
            }
        }
    }
}
