//! Out through sockets.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::thread;
use std::time::Duration;

use sandbox_core::{Feature, Isolation, Mount, SandboxConfigBuilder};

use super::attack::{attack, has, is_refused, permitted};
use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const ISOLATED: &[Need] = &[Need::Has(Feature::NetworkIsolated)];

pub(super) const CASES: &[Case] = &[
    Case::new("escape-network/loopback-tcp", ISOLATED, |w| tcp(w, Isolation::Isolated))
        .control(|w| tcp(w, Isolation::Undefined)),
    Case::new("escape-network/loopback-tcp-6", ISOLATED, |w| tcp_6(w, Isolation::Isolated))
        .control(|w| tcp_6(w, Isolation::Undefined)),
    Case::new("escape-network/loopback-udp", ISOLATED, |w| udp(w, Isolation::Isolated))
        .control(|w| udp(w, Isolation::Undefined)),
    Case::new("escape-network/abstract-socket", ISOLATED, |w| stream(w, Isolation::Isolated))
        .control(|w| stream(w, Isolation::Undefined)),
    Case::new("escape-network/abstract-datagram", ISOLATED, |w| datagram(w, Isolation::Isolated))
        .control(|w| datagram(w, Isolation::Undefined)),
    Case::new("escape-network/path-socket", &[], path_socket).control(path_socket_on_host),
    Case::new("escape-network/name-server", ISOLATED, name_server).control(name_server_on_host),
    Case::new("escape-network/netlink-links", ISOLATED, |w| isolated(w, "netlink-links"))
        .control(|w| permitted(w, "netlink-links", &["ok"])),
    Case::new("escape-network/netlink-routes", ISOLATED, |w| isolated(w, "netlink-routes"))
        .control(|w| permitted(w, "netlink-routes", &["ok"])),
    Case::new("escape-network/netlink-sockets", ISOLATED, |w| diag(w, Isolation::Isolated))
        .control(|w| diag(w, Isolation::Undefined)),
    attack!("escape-network/netlink-change", "netlink-change", &[],
        permitted: &["ENODEV"], refused: &[]),
    attack!("escape-network/raw-socket", "raw-socket", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-network/packet-socket", "packet-socket", &[], permitted: &["ok"], refused: &[]),
    attack!("escape-network/privileged-port", "bind-low 987", &[], permitted: &["ok"], refused: &[]),
    Case::new("escape-network/vsock", ISOLATED, |w| isolated(w, "vsock"))
        .control(|w| permitted(w, "vsock", &["ok"])),
];

fn with(w: &World<'_>, words: &str, network: Isolation) -> SandboxConfigBuilder {
    w.probe(words).network(network)
}

const UNREACHABLE: &[&str] =
    &["ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "ENOENT", "EAFNOSUPPORT", "none"];

/// Where nothing is isolated, what is there is found.
fn judge(answer: &str, network: Isolation) -> Check {
    if network == Isolation::Undefined {
        return same("inside", answer, "ok");
    }
    is_refused(answer, UNREACHABLE)
}

fn isolated(w: &World<'_>, words: &str) -> Check {
    is_refused(&w.says(with(w, words, Isolation::Isolated))?, UNREACHABLE)
}

fn tcp(w: &World<'_>, network: Isolation) -> Check {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    judge(&w.says(with(w, &format!("connect 127.0.0.1 {port}"), network))?, network)
}

fn tcp_6(w: &World<'_>, network: Isolation) -> Check {
    let listener = TcpListener::bind("[::1]:0")
        .map_err(|error| Failure::cannot_run(format!("the host has no ::1: {error}")))?;
    let port = listener.local_addr()?.port();
    judge(&w.says(with(w, &format!("connect-6 {port}"), network))?, network)
}

/// A server that answers, as a resolver on the loopback address does.
fn udp(w: &World<'_>, network: Isolation) -> Check {
    let server = UdpSocket::bind("127.0.0.1:0")?;
    server.set_read_timeout(Some(Duration::from_millis(700)))?;
    let port = server.local_addr()?.port();
    let answering = thread::spawn(move || {
        let mut got = [0; 8];
        if let Ok((count, from)) = server.recv_from(&mut got) {
            // Whether the answer arrives is what the probe tells.
            let _ = server.send_to(&got[..count], from);
            return true;
        }
        false
    });
    let answer = w.says(with(w, &format!("send-udp {port}"), network));
    let asked = answering.join().map_err(|_| Failure::wrong("a thread panicked"))?;
    ensure!(asked == (network == Isolation::Undefined), "the host's server was asked: {asked}");
    judge(&answer?, network)
}

fn name(kind: &str) -> String {
    format!("escape-{kind}-{}", std::process::id())
}

fn stream(w: &World<'_>, network: Isolation) -> Check {
    let name = name("stream");
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    judge(&w.says(with(w, &format!("connect-abstract {name}"), network))?, network)
}

fn datagram(w: &World<'_>, network: Isolation) -> Check {
    let name = name("datagram");
    let _socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    judge(&w.says(with(w, &format!("send-abstract {name}"), network))?, network)
}

/// A socket with a file is where its directory is, whatever the network is.
fn path_socket(w: &World<'_>) -> Check {
    let path = w.shared().join("socket");
    let _listener = UnixListener::bind(&path)?;
    let answer = w.says(w.probe(&format!("connect-path {}", path.display())));
    std::fs::remove_file(&path)?;
    is_refused(&answer?, &["ENOENT"])
}

fn path_socket_on_host(w: &World<'_>) -> Check {
    if !has(w, Feature::MountBind)? {
        return Err(Failure::cannot_run("the backend binds nothing here"));
    }
    let path = w.shared().join("socket");
    let _listener = UnixListener::bind(&path)?;
    let answer =
        w.says(w.probe("connect-path /data/socket").mount(Mount::bind(w.shared(), "/data")?));
    std::fs::remove_file(&path)?;
    same("in a directory that is bound", answer?, "ok")
}

/// The first that the host asks; connecting a datagram socket sends nothing.
fn route_to_name_server() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let addresses = text.lines().filter_map(|line| line.strip_prefix("nameserver"));
    let address = addresses.map(str::trim).find(|address| !address.starts_with("127."));
    format!("route {}", address.unwrap_or("192.0.2.53"))
}

fn name_server(w: &World<'_>) -> Check {
    isolated(w, &route_to_name_server())
}

fn name_server_on_host(w: &World<'_>) -> Check {
    permitted(w, &route_to_name_server(), &["ok"])
}

/// Whether a listening socket of the host's can be seen.
fn diag(w: &World<'_>, network: Isolation) -> Check {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let words = format!("netlink-sockets {port}");
    if network == Isolation::Undefined {
        permitted(w, &words, &["ok"])?;
    }
    judge(&w.says(with(w, &words, network))?, network)
}
