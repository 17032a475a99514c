//! What a driver and a caller are told: words of a command line.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use sandboxlib::{BACKENDS, Backend};

use crate::Result;
use crate::shot::{self, Kind};

/// What the driver has found to be possible: a caller that is to be killed has no time to find that out.
const KINDS: &str = "SANDBOX_FIRE_KINDS";

#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) backend: &'static dyn Backend,
    /// With `tree`, `tmp` and the probe in it.
    pub(crate) dir: PathBuf,
    pub(crate) run_sandbox: PathBuf,
    pub(crate) runs: usize,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    /// The directory below `dir` that is the sandboxes' root.
    pub(crate) tree: String,
    pub(crate) begun: Instant,
}

impl Order {
    pub(crate) const USAGE: &str = "BACKEND DIR RUN_SANDBOX RUNS SECONDS SEED [THREADS TREE]";

    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let word = |at: usize| words.get(at).ok_or_else(|| format!("usage: {}", Self::USAGE));
        let name = word(0)?;
        let backend = BACKENDS.iter().find(|backend| backend.name().matches(name));
        Ok(Self {
            backend: *backend.ok_or_else(|| format!("no backend {name}"))?,
            dir: word(1)?.into(),
            run_sandbox: word(2)?.into(),
            runs: word(3)?.parse()?,
            seconds: word(4)?.parse()?,
            seed: word(5)?.parse()?,
            threads: words.get(6).map_or(Ok(1), |word| word.parse())?,
            tree: words.get(7).cloned().unwrap_or_else(|| "tree".to_owned()),
            begun: Instant::now(),
        })
    }

    /// This program as a caller of some kinds of sandboxes.
    pub(crate) fn caller(&self, kinds: &[Kind]) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["call", self.backend.name().as_str()]).arg(&self.dir).arg(&self.run_sandbox);
        command.args([self.runs.to_string(), self.seconds.to_string(), self.seed.to_string()]);
        command.args([&self.threads.to_string(), &self.tree]);
        command.env("TMPDIR", self.dir.join("tmp"));
        command.env(KINDS, format!("{kinds:?}"));
        Ok(command)
    }

    /// What the driver has found to be possible.
    pub(crate) fn kinds() -> Vec<Kind> {
        let names = std::env::var(KINDS).unwrap_or_default();
        shot::KINDS.into_iter().filter(|kind| names.contains(&format!("{kind:?}"))).collect()
    }

    /// The host's path of the tree.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join(&self.tree)
    }

    pub(crate) fn time_is_up(&self) -> bool {
        self.begun.elapsed() > Duration::from_secs(self.seconds)
    }
}
