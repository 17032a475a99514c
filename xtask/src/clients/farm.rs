//! A farm of one scheduler, two build servers and a client, each in a network namespace of its own,
//! and what has to hold of a build that it does. Started in new network, mount and process
//! namespaces, with which everything goes that it makes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::network::{Host, SCHEDULER, SCHEDULER_PORT, SERVER_PORT, SERVERS};
use super::sccache_client::Client;
use super::{network, passed, tail};
use crate::{Result, command};

/// As many as the two servers take at once.
const JOBS: &str = "-j4";
const TARGET: &str = "libtommath.a";
/// How long the farm may take to be ready, or to notice.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn run(args: &[String]) -> Result {
    let [folder, programs, bwrap, source] = args else {
        return Err("this is for `cargo xtask clients sccache` to start".into());
    };
    let farm = Farm {
        folder: PathBuf::from(folder),
        programs: PathBuf::from(programs),
        bwrap: PathBuf::from(bwrap),
    };
    farm.run(Path::new(source)).map_err(|error| format!("{error}{}", farm.logs()).into())
}

struct Farm {
    folder: PathBuf,
    programs: PathBuf,
    bwrap: PathBuf,
}

impl Farm {
    fn run(&self, source: &Path) -> Result {
        network::make()?;
        let client = Client::new(&self.folder, &self.programs)?;
        // Nobody starts before whom it needs: who finds none at its start asks again much later.
        let listens = |host: &Host, port| {
            wait(&format!("{} to listen", host.name), || Ok(network::listens(host, port)))
        };
        let _scheduler = self.start(&SCHEDULER, "scheduler", &scheduler_settings())?;
        listens(&SCHEDULER, SCHEDULER_PORT)?;
        let mut servers = Vec::new();
        for host in &SERVERS {
            servers.push(self.start(host, "server", &self.server_settings(host))?);
            listens(host, SERVER_PORT)?;
        }
        let _daemon = client.start()?;
        wait("the scheduler to know both servers", || Ok(client.servers()? == SERVERS.len()))?;
        passed("a scheduler and two build servers, each in its own network namespace");

        let local = self.build("local", source, None)?;
        let all = self.build("distributed", source, Some(&client))?;
        let stats = client.stats()?;
        self.compare(&local, &all)?;
        let on_each: Vec<u64> = SERVERS.iter().map(|host| stats.on(host)).collect();
        let total: u64 = on_each.iter().sum();
        if total < 50 || on_each.contains(&0) || stats.failed != 0 {
            return Err(format!("{on_each:?} distributed compiles, {} failed", stats.failed).into());
        }
        passed(&format!("{total} compiles were distributed, {on_each:?}, none failed"));
        self.lose_one(source, &client, &mut servers, &local)
    }

    /// One server is killed in the middle of a build, and the build does not notice.
    fn lose_one(
        &self,
        source: &Path,
        client: &Client,
        servers: &mut [Child],
        local: &Path,
    ) -> Result {
        let [lost, kept] = &SERVERS;
        let before = client.stats()?;
        // What has been compiled before is in the cache, and must be compiled again.
        let mut make = self.prepare("interrupted", source, Some(client))?;
        make.env("SCCACHE_RECACHE", "1");
        let mut make = make.spawn()?;
        let half = || {
            let now = client.stats()?;
            Ok(now.on(lost) >= before.on(lost) + 10 && now.on(kept) >= before.on(kept) + 10)
        };
        let killed = wait("both servers to be in the middle of the build", half).and_then(|()| {
            if make.try_wait()?.is_some() {
                return Err("the build ended before a server was killed".into());
            }
            // Killed as by a loss of power: it can't tell anybody.
            Ok(servers.first_mut().ok_or("there is a first server")?.kill()?)
        });
        let at_kill = client.stats();
        let status = make.wait()?;
        killed?;
        let (at_kill, after) = (at_kill?, client.stats()?);
        if !status.success() {
            return Err(format!("the build with one server lost: {status}").into());
        }
        let objects = self.folder.join("interrupted");
        fs::rename(self.folder.join("project"), &objects)?;
        self.compare(local, &objects)?;
        if after.on(kept) <= at_kill.on(kept) {
            return Err("nothing was distributed after one server was lost".into());
        }
        passed(&format!(
            "one server killed after {} compiles: the other does {} more, {} fall back to the client",
            at_kill.on(lost) - before.on(lost),
            after.on(kept) - at_kill.on(kept),
            after.failed - before.failed,
        ));
        if let Some(server) = servers.first_mut() {
            server.wait()?;
        }
        wait("the sandboxes of the killed server to end", || {
            Ok(network::processes(lost)?.is_empty())
        })?;
        passed("the sandboxes of the killed server have ended with it");
        Ok(())
    }

    fn start(&self, host: &Host, role: &str, settings: &str) -> Result<Child> {
        let file = self.folder.join(format!("{}.toml", host.name));
        fs::write(&file, settings)?;
        let log = File::create(self.folder.join(format!("{}.log", host.name)))?;
        let mut program = network::command(host, &self.programs.join("sccache-dist"));
        program.arg(role).arg("--config").arg(file);
        program.env("SCCACHE_NO_DAEMON", "1").env("SCCACHE_LOG", "info");
        Ok(program.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
    }

    fn server_settings(&self, host: &Host) -> String {
        format!(
            r#"cache_dir = "{folder}/{name}-toolchains"
public_addr = "{address}:{SERVER_PORT}"
scheduler_url = "http://{scheduler}:{SCHEDULER_PORT}"

[builder]
type = "overlay"
build_dir = "{folder}/{name}-builds"
bwrap_path = "{bwrap}"

[scheduler_auth]
type = "token"
token = "of the servers"
"#,
            folder = self.folder.display(),
            name = host.name,
            address = host.address,
            scheduler = SCHEDULER.address,
            bwrap = self.bwrap.display(),
        )
    }

    /// A build always happens in the same folder, so that nothing but the compiles can differ.
    fn prepare(&self, name: &str, source: &Path, client: Option<&Client>) -> Result<Command> {
        let project = self.folder.join("project");
        fs::create_dir(&project)?;
        let mut unpack = Command::new("tar");
        unpack.args(["--no-same-owner", "--strip-components=1", "-xf"]).arg(source);
        command::run(unpack.arg("-C").arg(&project))?;
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let mut make = Command::new("make");
        make.args([JOBS, TARGET]).current_dir(&project);
        make.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        if let Some(client) = client {
            client.compile_with(&mut make);
        }
        Ok(make)
    }

    fn build(&self, name: &str, source: &Path, client: Option<&Client>) -> Result<PathBuf> {
        let clock = Instant::now();
        command::run(&mut self.prepare(name, source, client)?)?;
        println!("  built, {name}, in {:.1} s", clock.elapsed().as_secs_f64());
        let objects = self.folder.join(name);
        fs::rename(self.folder.join("project"), &objects)?;
        Ok(objects)
    }

    /// Every object of the local build is in the other one, byte for byte.
    fn compare(&self, local: &Path, other: &Path) -> Result {
        let mut count = 0;
        for entry in fs::read_dir(local)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "o") {
                continue;
            }
            let name = path.file_name().unwrap_or_default();
            if fs::read(&path)? != fs::read(other.join(name))? {
                return Err(format!("{} differs from a local compile", name.display()).into());
            }
            count += 1;
        }
        if count < 50 {
            return Err(format!("{count} objects are too few to tell").into());
        }
        let name = other.strip_prefix(&self.folder).unwrap_or(other).display();
        passed(&format!("{name}: {count} objects, each the same as from a local compile"));
        Ok(())
    }

    /// The ends of all logs, for who has to find out why.
    fn logs(&self) -> String {
        let Ok(entries) = fs::read_dir(&self.folder) else { return String::new() };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let logs = paths.filter(|path| path.extension().is_some_and(|e| e == "log"));
        let ends = logs.map(|path| {
            let text = fs::read(&path).unwrap_or_default();
            format!("\n  {}{}", path.display(), tail(&String::from_utf8_lossy(&text), 8))
        });
        ends.collect::<Vec<_>>().concat()
    }
}

fn scheduler_settings() -> String {
    format!(
        r#"public_addr = "{}:{SCHEDULER_PORT}"

[client_auth]
type = "token"
token = "of the clients"

[server_auth]
type = "token"
token = "of the servers"
"#,
        SCHEDULER.address
    )
}

/// Waits for what has to come true.
fn wait(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result {
    let start = Instant::now();
    while !holds()? {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited {} s for {what}", PATIENCE.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
