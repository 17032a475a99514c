//! What a process can see and do from where it is: run once outside and once inside, so that
//! every finding has its control. xtask itself is the probe, so no tool has to be installed.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Result;

/// Where the build folder and the probe are inside, and what the machine is called there.
pub(super) const BUILD: &str = "/build";
pub(super) const PROBE: &str = "/probe";
pub(super) const HOSTNAME: &str = "hello-demo";

/// A variable of the caller that a clean environment does not pass on.
const SECRET: &str = "SANDBOXLIB_DEMO_SECRET";

/// What the caller has set up to be found, or not.
pub(super) struct Facts {
    /// A server that listens on 127.0.0.1.
    pub(super) port: u16,
    /// A file of the caller, outside the build folder.
    pub(super) file: PathBuf,
}

impl Facts {
    pub(super) fn ask<'a>(&self, probe: &'a mut Command, build: &Path) -> &'a mut Command {
        probe.arg("demo-probe").arg(self.port.to_string()).arg(&self.file).arg(build);
        probe.env(SECRET, "visible")
    }
}

/// Prints one `what<TAB>found` line for each thing tried.
pub(crate) fn run(args: &[String]) -> Result {
    let [port, file, build] = args else {
        return Err("demo-probe is run by the demo".into());
    };
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let wait = Duration::from_secs(2);
    let connected = TcpStream::connect_timeout(&server, wait).map(|_| "connected");
    let inside = Path::new(build) == Path::new(BUILD);

    for (what, found) in [
        ("network interfaces", interfaces()),
        ("connect to a port of this machine", said(connected)),
        ("write to the build folder", write_to(Path::new(build))),
        // A demo has no business writing to the real one.
        ("write to /usr", if inside { write_to(Path::new("/usr")) } else { "not tried".into() }),
        ("processes to be seen", processes()),
        ("a file of the caller", said(fs::read(file).map(|_| "readable"))),
        ("/etc/passwd", said(fs::read("/etc/passwd").map(|_| "readable"))),
        ("a variable of the caller", env::var(SECRET).unwrap_or_else(|_| "not set".into())),
        ("hostname", said(fs::read_to_string("/proc/sys/kernel/hostname"))),
    ] {
        println!("{what}\t{}", found.trim());
    }
    Ok(())
}

fn said(result: io::Result<impl Into<String>>) -> String {
    result.map_or_else(|error| brief(&error), Into::into)
}

/// The words of an error without its number.
fn brief(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn interfaces() -> String {
    // The first two lines are headings.
    let names = |table: String| {
        let name = |line: &str| line.split(':').next().unwrap_or_default().trim().to_owned();
        table.lines().skip(2).map(name).collect::<Vec<_>>().join(" ")
    };
    said(fs::read_to_string("/proc/net/dev").map(names))
}

fn write_to(dir: &Path) -> String {
    let file = dir.join("written-by-the-demo");
    said(fs::write(&file, "").and_then(|()| fs::remove_file(&file)).map(|()| "written"))
}

fn processes() -> String {
    let is_process = |entry: &io::Result<fs::DirEntry>| {
        entry
            .as_ref()
            .is_ok_and(|e| e.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
    };
    said(fs::read_dir("/proc").map(|entries| entries.filter(is_process).count().to_string()))
}
