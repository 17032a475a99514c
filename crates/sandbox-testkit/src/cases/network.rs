//! The network.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use sandbox_core::{Feature, Filesystem, Isolation, Mount, SandboxConfigBuilder};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const ISOLATED: &[Need] = &[Need::Has(Feature::NetworkIsolated)];

pub(super) const CASES: &[Case] = &[
    Case::new("network/undefined", &[Need::Has(Feature::NetworkUndefined)], undefined),
    Case::new("network/only-loopback", ISOLATED, only_loopback).control(host_interfaces),
    Case::new(
        "network/only-lo-in-proc-net-dev",
        &[
            Need::Has(Feature::NetworkIsolated),
            Need::Has(Feature::ProcessesIsolated),
            Need::Has(Feature::MountProc),
        ],
        proc_net_dev,
    )
    .control(host_interfaces),
    Case::new("network/loopback-works", ISOLATED, loopback_works),
    Case::new("network/no-route", ISOLATED, no_route),
    Case::new("network/hosts-port-unreachable", ISOLATED, port).control(port_undefined),
    Case::new("network/hosts-abstract-socket-unreachable", ISOLATED, abstract_socket)
        .control(abstract_undefined),
];

fn isolated(config: SandboxConfigBuilder) -> SandboxConfigBuilder {
    config.network(Isolation::Isolated)
}

fn undefined(w: &World<'_>) -> Check {
    let inside = w.says(w.probe("interfaces").network(Isolation::Undefined))?;
    same("interfaces", inside, w.host_says("interfaces")?)
}

fn only_loopback(w: &World<'_>) -> Check {
    same("interfaces", w.says(isolated(w.probe("interfaces")))?, "lo")
}

fn host_interfaces(w: &World<'_>) -> Check {
    if w.host_says("interfaces")? == "lo" {
        return Err(Failure::cannot_run("the host itself has only lo"));
    }
    Ok(())
}

fn proc_net_dev(w: &World<'_>) -> Check {
    let config = isolated(w.probe("read /proc/net/dev")).processes(Isolation::Isolated);
    let said = w.says(config.mount(Mount::new("/proc", Filesystem::Proc)?))?;
    let names = said.lines().filter_map(|line| line.split_once(':'));
    let names: Vec<_> = names.map(|(name, _)| name.trim()).collect();
    same("interfaces", names, vec!["lo"])
}

fn loopback_works(w: &World<'_>) -> Check {
    same("loopback", w.says(isolated(w.probe("loopback")))?, "up\nok")
}

fn no_route(w: &World<'_>) -> Check {
    same("route", w.says(isolated(w.probe("route 192.0.2.1")))?, "ENETUNREACH")
}

/// Connects to a port on which the host listens.
fn to_port(w: &World<'_>, network: Isolation) -> Check<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    w.says(w.probe(&format!("connect 127.0.0.1 {port}")).network(network))
}

fn port(w: &World<'_>) -> Check {
    same("connect", to_port(w, Isolation::Isolated)?, "ECONNREFUSED")
}

fn port_undefined(w: &World<'_>) -> Check {
    same("connect", to_port(w, Isolation::Undefined)?, "ok")
}

/// Connects to a socket without a file, as X servers and D-Bus have them.
fn to_abstract(w: &World<'_>, network: Isolation) -> Check<String> {
    let name = format!("sandbox-testkit-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name.as_bytes())?;
    let _listener = UnixListener::bind_addr(&address)?;
    w.says(w.probe(&format!("connect-abstract {name}")).network(network))
}

fn abstract_socket(w: &World<'_>) -> Check {
    let said = to_abstract(w, Isolation::Isolated)?;
    ensure!(said == "ECONNREFUSED", "connect: {said}");
    Ok(())
}

fn abstract_undefined(w: &World<'_>) -> Check {
    same("connect", to_abstract(w, Isolation::Undefined)?, "ok")
}
