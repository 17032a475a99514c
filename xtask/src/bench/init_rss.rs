//! The resident memory of a running sandbox's first process, seen from outside.

use std::fs;
use std::io::Read;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Absent;

const INIT: &str = "sandbox-init";
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds the init below `sandbox`, reads its memory in KiB, and ends the sandbox.
pub(crate) fn init_rss(mut sandbox: Child) -> Result<f64, Absent> {
    let found = wait_for_init(&mut sandbox);
    // Already over is as good.
    let _ = sandbox.kill();
    sandbox.wait()?;
    found
}

fn wait_for_init(sandbox: &mut Child) -> Result<f64, Absent> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = sandbox.try_wait()? {
            let mut text = String::new();
            if let Some(stderr) = &mut sandbox.stderr {
                stderr.read_to_string(&mut text)?;
            }
            let reason = text.lines().next().unwrap_or("no message");
            return Err(Absent::Failed(format!("{status}: {reason}")));
        }
        let processes = processes()?;
        let below = |process: &&Process| descends(&processes, process.pid, sandbox.id());
        // An init with a child has done all its own work.
        let init = processes
            .iter()
            .filter(|process| process.name == INIT)
            .filter(|init| processes.iter().any(|other| other.parent == init.pid))
            .find(below);
        if let Some(rss) = init.and_then(|init| resident(init.pid)) {
            return Ok(rss);
        }
        sleep(Duration::from_millis(5));
    }
    Err(Absent::Failed(format!("no process named {INIT}")))
}

struct Process {
    pid: u32,
    parent: u32,
    name: String,
}

fn processes() -> Result<Vec<Process>, Absent> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end at any time.
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        let parent = field(&status, "PPid:").and_then(|pid| pid.parse().ok());
        if let (Some(name), Some(parent)) = (field(&status, "Name:"), parent) {
            all.push(Process { pid, parent, name: name.to_owned() });
        }
    }
    Ok(all)
}

fn descends(processes: &[Process], mut pid: u32, ancestor: u32) -> bool {
    while pid != ancestor {
        match processes.iter().find(|process| process.pid == pid) {
            Some(process) => pid = process.parent,
            None => return false,
        }
    }
    true
}

/// `smaps_rollup` is exact but private; `status` counts in batches, which a small process notices.
fn resident(pid: u32) -> Option<f64> {
    let read = |file: &str, name| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        field(&text, name)?.strip_suffix(" kB")?.parse().ok()
    };
    read("smaps_rollup", "Rss:").or_else(|| read("status", "VmRSS:"))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
