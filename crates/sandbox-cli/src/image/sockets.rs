//! The sockets that an app is given (sd_listen_fds(3)), bound on the host; `--port NAME=[ADDR:]PORT`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use sandbox_core::{ListenPid, SandboxConfig};
use sandbox_image::app::sockets::{Protocol, Socket, sockets, variables};
use sandbox_image::app::{App, AppError};

use crate::error::CliError;

/// Where the host listens for a port of the image, in place of the image's number on any address.
type Ports = BTreeMap<String, SocketAddr>;

/// What an app is given, open for as long as this is.
#[derive(Debug, Default)]
pub(super) struct Bound {
    sockets: Vec<Socket>,
    open: Vec<OwnedFd>,
}

/// What an app is to be given, each with where the host listens for it.
pub(super) fn wanted(app: &App, ports: &[OsString]) -> Result<Vec<(Socket, SocketAddr)>, CliError> {
    let sockets = sockets(&app.ports)?;
    let mut given = parse(ports)?;
    let mut wanted = Vec::new();
    let mut offsets: BTreeMap<String, u16> = BTreeMap::new();
    for socket in sockets {
        let offset = offsets.entry(socket.name.clone()).or_default();
        let address = match given.get(&socket.name) {
            None => SocketAddr::from((Ipv4Addr::UNSPECIFIED, socket.port)),
            Some(address) => {
                let port = address.port().checked_add(*offset).ok_or_else(|| AppError::Port {
                    name: socket.name.clone(),
                    value: format!("{} + {offset}", address.port()),
                    expected: "ports go from 1 to 65535",
                })?;
                SocketAddr::from((address.ip(), port))
            }
        };
        *offset = offset.saturating_add(1);
        wanted.push((socket, address));
    }
    given.retain(|name, _| !offsets.contains_key(name));
    match given.into_keys().next() {
        None => Ok(wanted),
        Some(name) => {
            let problem = match offsets.into_keys().collect::<Vec<_>>() {
                names if names.is_empty() => {
                    "the image has no port with socketActivated".to_owned()
                }
                names => {
                    format!("ports of the image with socketActivated are {}", names.join(", "))
                }
            };
            Err(CliError::Flag { flag: "port", value: name.into(), problem })
        }
    }
}

/// Binds all of them.
pub(super) fn bind(wanted: Vec<(Socket, SocketAddr)>) -> Result<Bound, CliError> {
    let mut bound = Bound::default();
    for (socket, address) in wanted {
        let open = open(socket.protocol, address).map_err(|source| CliError::Port {
            name: socket.name.clone(),
            address,
            source,
        })?;
        bound.open.push(open);
        bound.sockets.push(socket);
    }
    Ok(bound)
}

impl Bound {
    /// Gives them to a command, and tells it of them.
    pub(super) fn give(&self, config: &mut SandboxConfig) {
        if self.open.is_empty() {
            return;
        }
        config.process.listen_fds = self.open.iter().map(AsRawFd::as_raw_fd).collect();
        config.process.listen_pid = ListenPid::Own;
        config.env.set.extend(variables(&self.sockets));
    }
}

/// A new descriptor, closed on exec. A port of TCP that was in use until now can be had (`SO_REUSEADDR`).
fn open(protocol: Protocol, address: SocketAddr) -> io::Result<OwnedFd> {
    Ok(match protocol {
        Protocol::Tcp => TcpListener::bind(address)?.into(),
        Protocol::Udp => UdpSocket::bind(address)?.into(),
    })
}

fn parse(texts: &[OsString]) -> Result<Ports, CliError> {
    let mut ports = Ports::new();
    for text in texts {
        let wrong = |problem: &str| CliError::Flag {
            flag: "port",
            value: text.clone(),
            problem: problem.to_owned(),
        };
        let (name, address) =
            port(text).ok_or_else(|| wrong("give NAME=PORT, or NAME=ADDRESS:PORT"))?;
        if ports.insert(name, address).is_some() {
            return Err(wrong("the port has a place already: give one"));
        }
    }
    Ok(ports)
}

fn port(text: &OsStr) -> Option<(String, SocketAddr)> {
    let (name, place) = text.to_str()?.split_once('=')?;
    let address = match place.parse::<u16>() {
        Ok(number) => SocketAddr::from((IpAddr::from(Ipv4Addr::UNSPECIFIED), number)),
        Err(_) => place.parse().ok()?,
    };
    (!name.is_empty() && address.port() != 0).then(|| (name.to_owned(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_name_and_a_place() {
        let place = |text: &str| port(text.as_ref()).map(|(_, address)| address.to_string());
        assert_eq!(place("web=8080").as_deref(), Some("0.0.0.0:8080"));
        assert_eq!(place("web=127.0.0.1:80").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(place("web=[::1]:80").as_deref(), Some("[::1]:80"));
        for wrong in ["", "web", "=80", "web=", "web=0", "web=65536", "web=localhost:80", "web=::1"]
        {
            assert_eq!(place(wrong), None, "{wrong}");
        }
        let twice = parse(&["a=1".into(), "a=2".into()]).unwrap_err().to_string();
        assert!(twice.starts_with("--port \"a=2\""), "{twice}");
    }
}
