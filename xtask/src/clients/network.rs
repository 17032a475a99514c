//! Hosts of a farm: network namespaces, joined by a bridge in the namespace that all is started in.
//! None has a way out of the machine.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::{Result, command};

pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
}

pub(super) const SCHEDULER: Host = Host { name: "scheduler", address: "10.77.0.2" };
pub(super) const SERVERS: [Host; 2] = [
    Host { name: "server-1", address: "10.77.0.3" },
    Host { name: "server-2", address: "10.77.0.4" },
];
pub(super) const SCHEDULER_PORT: u16 = 10_600;
pub(super) const SERVER_PORT: u16 = 10_501;
/// Where the client is, on the bridge.
const CLIENT: &str = "10.77.0.1";

pub(super) fn make() -> Result {
    // Names of namespaces are mounts on files: in a file system of our own they go with it.
    command::run(Command::new("mount").args(["-t", "tmpfs", "hosts", "/run"]))?;
    fs::create_dir("/run/netns")?;
    ip(&["link", "set", "lo", "up"])?;
    ip(&["link", "add", "hub", "type", "bridge"])?;
    ip(&["address", "add", &format!("{CLIENT}/24"), "dev", "hub"])?;
    ip(&["link", "set", "hub", "up"])?;
    for host in [&SCHEDULER].into_iter().chain(&SERVERS) {
        let (name, port) = (host.name, format!("to-{}", host.name));
        ip(&["netns", "add", name])?;
        ip(&["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", name])?;
        ip(&["link", "set", &port, "master", "hub", "up"])?;
        ip(&["-n", name, "address", "add", &format!("{}/24", host.address), "dev", "eth0"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
    }
    Ok(())
}

/// A program on a host; its process is the one that is started.
pub(super) fn command(host: &Host, program: &Path) -> Command {
    let mut ip = Command::new("ip");
    ip.args(["netns", "exec", host.name]).arg(program);
    ip
}

/// Whether a host can be talked to at a port.
pub(super) fn listens(host: &Host, port: u16) -> bool {
    TcpStream::connect((host.address, port)).is_ok()
}

/// The processes on a host.
pub(super) fn processes(host: &Host) -> Result<String> {
    command::stdout(Command::new("ip").args(["netns", "pids", host.name]))
}

fn ip(arguments: &[&str]) -> Result {
    command::run(Command::new("ip").args(arguments))
}
