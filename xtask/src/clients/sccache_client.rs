//! The client's side of a farm: sccache in front of the compiler, and what it counts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::network::{Host, SCHEDULER, SCHEDULER_PORT};
use crate::{Result, command};

pub(super) struct Client {
    program: PathBuf,
    folder: PathBuf,
}

/// What a client has counted since it was started.
pub(super) struct Stats {
    counts: Value,
    /// Compiles that were to be distributed, and were done by the client.
    pub(super) failed: u64,
}

impl Stats {
    /// Compiles that a server has done.
    pub(super) fn on(&self, host: &Host) -> u64 {
        let servers = self.counts["dist_compiles"].as_object();
        let start = format!("{}:", host.address);
        let counts = servers.into_iter().flatten().filter(|(name, _)| name.starts_with(&start));
        counts.filter_map(|(_, count)| count.as_u64()).sum()
    }
}

impl Client {
    pub(super) fn new(folder: &Path, programs: &Path) -> Result<Self> {
        let client = Self { program: programs.join("sccache"), folder: folder.to_owned() };
        let settings = format!(
            r#"[dist]
scheduler_url = "http://{scheduler}:{SCHEDULER_PORT}"
toolchains = []
cache_dir = "{folder}/client-toolchains"

[dist.auth]
type = "token"
token = "of the clients"

[cache.disk]
dir = "{folder}/client-cache"
"#,
            scheduler = SCHEDULER.address,
            folder = folder.display(),
        );
        fs::write(client.settings(), settings)?;
        Ok(client)
    }

    /// The process that all compilers of this client hand their work to.
    pub(super) fn start(&self) -> Result<Child> {
        let log = File::create(self.folder.join("client.log"))?;
        let mut daemon = self.command();
        daemon.env("SCCACHE_START_SERVER", "1").env("SCCACHE_NO_DAEMON", "1");
        daemon.env("SCCACHE_LOG", "info");
        Ok(daemon.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
    }

    /// How many servers the scheduler knows of; none as long as it can't be asked.
    pub(super) fn servers(&self) -> Result<usize> {
        let output = command::output(self.command().arg("--dist-status"))?;
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let count = status["SchedulerStatus"][1]["num_servers"].as_u64().unwrap_or_default();
        Ok(usize::try_from(count)?)
    }

    pub(super) fn stats(&self) -> Result<Stats> {
        let mut show = self.command();
        let json = command::stdout(show.args(["--show-stats", "--stats-format=json"]))?;
        let mut all: Value = serde_json::from_str(&json)?;
        let counts = all["stats"].take();
        let failed = counts["dist_errors"].as_u64().ok_or("sccache counts no dist_errors")?;
        Ok(Stats { counts, failed })
    }

    /// Puts sccache in front of a build's compiler.
    pub(super) fn compile_with(&self, make: &mut Command) {
        make.arg(format!("CC={} gcc", self.program.display()));
        self.environment(make);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        command.env("SCCACHE_CONF", self.settings());
        command.env("SCCACHE_SERVER_UDS", self.folder.join("client.socket"));
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("client.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::network::SERVERS;

    #[test]
    fn compiles_are_counted_for_each_server() {
        let counts: Value =
            serde_json::from_str(r#"{"dist_compiles": {"10.77.0.3:10501": 42}}"#).unwrap();
        let stats = Stats { counts, failed: 0 };
        assert_eq!(SERVERS.map(|host| stats.on(&host)), [42, 0]);
    }
}
