//! Listening sockets that a command is started with, as a service manager does (sd_listen_fds(3)).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use sandbox_core::{Environment, Feature, First, Isolation, ListenPid, ProcessSettings};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const SPECIAL: Need = Need::Has(Feature::ProcessSpecial);

pub(super) const CASES: &[Case] = &[
    Case::new("sockets/listening-one-is-passed", &[SPECIAL], listening).control(not_passed),
    Case::new(
        "sockets/of-the-hosts-network",
        &[SPECIAL, Need::Has(Feature::NetworkIsolated)],
        hosts_network,
    ),
    Case::new("sockets/listen-pid", &[SPECIAL], listen_pid).control(as_given),
    Case::new(
        "sockets/listen-pid-of-isolated-processes",
        &[SPECIAL, Need::Has(Feature::ProcessesIsolated)],
        listen_pid_isolated,
    ),
    Case::new(
        "sockets/listen-pid-of-pid-1",
        &[SPECIAL, Need::Has(Feature::ProcessesIsolated)],
        listen_pid_1,
    ),
];

pub(super) const ROLES: &[Role] = &[Role { name: "first-socket", run: first_socket }];

fn passing(number: i32) -> ProcessSettings {
    let mut process = ProcessSettings::default();
    process.descriptors = [number].into();
    process
}

/// Says something to who accepts, and gives back the answer.
fn talk(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"ping")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A command that accepts one connection on a socket of ours, which has its number inside.
fn accepts(w: &World<'_>, listener: &TcpListener, network: Isolation) -> Check {
    let (address, number) = (listener.local_addr()?, listener.as_raw_fd());
    let client = thread::spawn(move || talk(address));
    let config = w.probe(&format!("accept {number}")).process(passing(number)).network(network);
    same("inside", w.says(config)?, "ping")?;
    let answer = client.join().map_err(|_| Failure::wrong("a thread panicked"))??;
    same("outside", &*answer, "pong")
}

fn listening(w: &World<'_>) -> Check {
    w.play("", "first-socket")
}

/// A caller whose first descriptor is the one that service managers begin with.
fn first_socket(w: &World<'_>) -> Check {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    if listener.as_raw_fd() != 3 {
        return Err(Failure::wrong("a descriptor was inherited"));
    }
    accepts(w, &listener, Isolation::Undefined)
}

fn not_passed(w: &World<'_>) -> Check {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    same("inside", w.says(w.probe(&format!("accept {}", listener.as_raw_fd())))?, "EBADF")
}

/// A socket belongs to the network in which it was made.
fn hosts_network(w: &World<'_>) -> Check {
    accepts(w, &TcpListener::bind("127.0.0.1:0")?, Isolation::Isolated)
}

fn own_pid() -> ProcessSettings {
    let mut process = ProcessSettings::default();
    process.listen_pid = ListenPid::Own;
    process
}

/// A variable of that name that is given is replaced; the others stay.
fn given() -> Environment {
    Environment::exactly([("LISTEN_FDS", "1"), ("LISTEN_PID", "7"), ("Z", "z")])
}

/// What the command finds, and which process it is.
fn found(w: &World<'_>, env: Environment, processes: Isolation, first: First) -> Check<String> {
    let mut process = own_pid();
    process.first = first;
    let config = w.probe("pid , env").env(env).processes(processes).process(process);
    let said = w.says(config)?;
    let (pid, variables) = said.split_once('\n').unwrap_or_default();
    let mut variables: Vec<_> = variables.lines().collect();
    variables.sort_unstable();
    let variables = variables.join(" ");
    ensure!(variables.contains(&format!("LISTEN_PID={pid}")), "process {pid}: {variables}");
    Ok(variables.replace(&format!("LISTEN_PID={pid}"), "LISTEN_PID=ITS-OWN"))
}

fn both(w: &World<'_>, processes: Isolation, first: First) -> Check {
    let others = found(w, given(), processes, first)?;
    same("with others", &*others, "LISTEN_FDS=1 LISTEN_PID=ITS-OWN Z=z")?;
    let alone = found(w, Environment::exactly([("", ""); 0]), processes, first)?;
    same("alone", &*alone, "LISTEN_PID=ITS-OWN")
}

fn listen_pid(w: &World<'_>) -> Check {
    both(w, Isolation::Undefined, First::Init)
}

fn as_given(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe("env").env(given()))?, "LISTEN_FDS=1\nLISTEN_PID=7\nZ=z")
}

fn listen_pid_isolated(w: &World<'_>) -> Check {
    both(w, Isolation::Isolated, First::Init)
}

fn listen_pid_1(w: &World<'_>) -> Check {
    both(w, Isolation::Isolated, First::Command)
}
