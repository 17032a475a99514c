//! Listening sockets that a command is started with, as a service manager does (sd_listen_fds(3)).

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use sandbox_core::{Environment, Feature, First, Isolation, Limits, ListenPid, ProcessSettings};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, names, same};
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
    Case::new("sockets/numbered-from-3", &[SPECIAL], numbered).control(same_number),
    Case::new("sockets/numbered-from-3-of-pid-1", PID_1, numbered_pid_1),
    Case::new("sockets/numbers-exchanged", &[SPECIAL], exchanged),
    Case::new("sockets/numbers-exchanged-of-pid-1", PID_1, exchanged_pid_1),
    Case::new("sockets/as-many-as-reach-the-sandboxs-own", &[SPECIAL], many),
    Case::new(
        "sockets/as-many-with-limited-memory",
        &[SPECIAL, Need::Has(Feature::MemoryLimited)],
        many_limited,
    ),
    Case::new("sockets/numbered-and-in-conflict", &[SPECIAL], conflict),
];

const PID_1: &[Need] = &[SPECIAL, Need::Has(Feature::ProcessesIsolated)];

pub(super) const ROLES: &[Role] = &[
    Role { name: "exchanged", run: exchanged_role },
    Role { name: "exchanged-of-pid-1", run: exchanged_pid_1_role },
    Role { name: "many", run: many_role },
    Role { name: "many-limited", run: many_limited_role },
    Role { name: "first-socket", run: first_socket },
];

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

/// Each holds its name.
fn files(w: &World<'_>, names: &[&str]) -> Check<Vec<File>> {
    let file = |name: &&str| Ok(File::open(w.file(&format!("/work/{name}"), name, 0o644)?)?);
    names.iter().map(file).collect()
}

/// These as 3, 4 and so on, and others by their own numbers.
fn listening_on(listen_fds: &[&File], others: &[&File], first: First) -> ProcessSettings {
    let mut process = ProcessSettings::default();
    process.listen_fds = listen_fds.iter().map(|file| file.as_raw_fd()).collect();
    process.descriptors = others.iter().map(|file| file.as_raw_fd()).collect();
    process.first = first;
    process
}

/// Words for the probe: what is at these numbers, after something else.
fn texts(first: &str, numbers: &[i32]) -> String {
    let words = numbers.iter().map(|number| format!("fd-text {number}"));
    [first.to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" , ")
}

/// What the command has at some numbers, and which others.
fn has(w: &World<'_>, numbers: &[i32], process: ProcessSettings) -> Check<String> {
    let processes = match process.first {
        First::Command => Isolation::Isolated,
        First::Init => Isolation::Undefined,
    };
    let config = w.probe(&texts("fds", numbers)).processes(processes).process(process);
    Ok(w.says(config)?.replace('\n', "; "))
}

/// Whatever number it has here.
fn numbered_for(w: &World<'_>, first: First) -> Check {
    let files = files(w, &["a", "b", "c", "d", "e", "f"])?;
    let (last, other) = (&files[5], &files[4]);
    ensure!(other.as_raw_fd() > 4, "it has the number {} already", other.as_raw_fd());
    let other_number = other.as_raw_fd();
    let said = has(w, &[3, 4, other_number], listening_on(&[last, &files[0]], &[other], first))?;
    same("inside", &*said, format!("0 1 2 3 4 {other_number}; f; a; e"))
}

fn numbered(w: &World<'_>) -> Check {
    numbered_for(w, First::Init)
}

fn numbered_pid_1(w: &World<'_>) -> Check {
    numbered_for(w, First::Command)
}

/// The number is the caller's where nothing else is said.
fn same_number(w: &World<'_>) -> Check {
    let files = files(w, &["a", "b", "c", "d", "e", "f"])?;
    let number = files[5].as_raw_fd();
    let said = has(w, &[number, 3], listening_on(&[], &[&files[5]], First::Init))?;
    same("inside", &*said, format!("0 1 2 {number}; f; EBADF"))
}

/// Each has the number of the other in the caller.
fn exchange(w: &World<'_>, first: First) -> Check {
    let files = files(w, &["three", "four", "five"])?;
    let [three, four, five] = &files[..] else { return Err(Failure::wrong("no files")) };
    let numbers = [three, four, five].map(AsRawFd::as_raw_fd);
    same("numbers of the caller's", format!("{numbers:?}").as_str(), "[3, 4, 5]")?;
    let said = has(w, &numbers, listening_on(&[four, three], &[five], first))?;
    same("inside", &*said, "0 1 2 3 4 5; four; three; five")
}

fn exchanged(w: &World<'_>) -> Check {
    w.play("", "exchanged")
}

fn exchanged_role(w: &World<'_>) -> Check {
    exchange(w, First::Init)
}

fn exchanged_pid_1(w: &World<'_>) -> Check {
    w.play("", "exchanged-of-pid-1")
}

fn exchanged_pid_1_role(w: &World<'_>) -> Check {
    exchange(w, First::Command)
}

/// So many that what the sandbox opens for itself would have had their numbers.
fn give_many(w: &World<'_>, limits: Limits) -> Check {
    const COUNT: usize = 40;
    let files = files(w, &["same"])?;
    let numbers: Vec<i32> = (3..).take(COUNT).collect();
    let process = listening_on(&[&files[0]; COUNT], &[], First::Init);
    let said = w.says(w.probe(&texts("pid", &numbers)).process(process).limits(limits))?;
    let texts: Vec<&str> = said.lines().skip(1).collect();
    same("inside", texts.join(" "), ["same"; COUNT].join(" "))
}

fn many(w: &World<'_>) -> Check {
    w.play("", "many")
}

fn many_role(w: &World<'_>) -> Check {
    give_many(w, Limits::default())
}

fn many_limited(w: &World<'_>) -> Check {
    w.play("", "many-limited")
}

fn many_limited_role(w: &World<'_>) -> Check {
    let mut limits = Limits::default();
    limits.memory = Some(64 << 20);
    give_many(w, limits)
}

/// A number that is another's already, and one that is not open.
fn conflict(w: &World<'_>) -> Check {
    let mut process = ProcessSettings::default();
    (process.listen_fds, process.descriptors) = (vec![9, 8], [4].into());
    let error = w.refuses(w.probe("exit 0").process(process.clone()))?;
    names(&error, &["process.listen-fds", "8, as 4", "process.descriptors has 4"])?;
    process.listen_fds = vec![9999];
    w.refuses_naming(w.probe("exit 0").process(process), &["descriptor 9999", "Bad file"])
}
