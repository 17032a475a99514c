//! The listening sockets that an app is given (sd_listen_fds(3)): which, and how it is told.

use std::ffi::OsString;

use super::error::AppError;
use super::model::Port;

/// More descriptors than a process can have by default are no use to an app.
const MOST_SOCKETS: usize = 512;

/// The protocol of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A listening stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A socket that an app is given, bound to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Socket {
    /// The name of the port in the manifest.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
}

/// The sockets that an app is given, in the order of their descriptors, which start at 3.
///
/// # Errors
/// Another protocol than tcp and udp, a number beyond the last port, a name that the app could not be
/// told, or too many.
pub fn sockets(ports: &[Port]) -> Result<Vec<Socket>, AppError> {
    let mut sockets = Vec::new();
    for port in ports.iter().filter(|port| port.socket_activated) {
        let wrong =
            |value: String, expected| AppError::Port { name: port.name.clone(), value, expected };
        let protocol = match port.protocol.as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(wrong(other.to_owned(), "sockets are tcp or udp")),
        };
        if port.name.contains(|c: char| c == ':' || c.is_control()) {
            return Err(wrong(port.name.clone(), "give a name without `:`"));
        }
        if sockets.len() + usize::from(port.count) > MOST_SOCKETS {
            return Err(wrong(port.count.to_string(), "an app is given 512 sockets at most"));
        }
        for offset in 0..port.count {
            let number = port.port.checked_add(offset).filter(|number| *number != 0);
            let range = || wrong(format!("{} + {offset}", port.port), "ports go from 1 to 65535");
            let number = number.ok_or_else(range)?;
            sockets.push(Socket { name: port.name.clone(), protocol, port: number });
        }
    }
    Ok(sockets)
}

/// The variables that tell an app of its sockets; none where it has none. `LISTEN_PID` is known only to who
/// starts it.
pub fn variables(sockets: &[Socket]) -> Vec<(OsString, OsString)> {
    if sockets.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = sockets.iter().map(|socket| socket.name.as_str()).collect();
    let variable = |name: &str, value: String| (name.into(), value.into());
    vec![
        variable("LISTEN_FDS", sockets.len().to_string()),
        variable("LISTEN_FDNAMES", names.join(":")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, protocol: &str, port: u16, count: u16) -> Port {
        let (name, protocol) = (name.to_owned(), protocol.to_owned());
        Port { name, protocol, port, count, socket_activated: true }
    }

    #[test]
    fn each_port_has_its_sockets_in_order() {
        let not_given = Port { socket_activated: false, ..port("other", "tcp", 1, 1) };
        let ports = [port("web", "tcp", 80, 1), not_given, port("dns", "udp", 5300, 2)];
        let sockets = sockets(&ports).unwrap();
        let told: Vec<_> =
            sockets.iter().map(|one| (one.name.as_str(), one.protocol, one.port)).collect();
        assert_eq!(
            told,
            [
                ("web", Protocol::Tcp, 80),
                ("dns", Protocol::Udp, 5300),
                ("dns", Protocol::Udp, 5301)
            ]
        );
        assert_eq!(
            variables(&sockets),
            [("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "web:dns:dns")]
                .map(|(name, value)| (name.into(), value.into()))
        );
        assert_eq!(variables(&[]), []);
    }

    #[test]
    fn mistakes() {
        for (port, expected) in [
            (port("a", "sctp", 1, 1), "port \"a\": \"sctp\" is not valid: sockets are tcp or udp"),
            (port("a", "tcp", 65535, 2), "port \"a\": \"65535 + 1\" is not valid: ports go from"),
            (port("a", "tcp", 0, 1), "port \"a\": \"0 + 0\" is not valid"),
            (port("a:b", "tcp", 1, 1), "port \"a:b\": \"a:b\" is not valid: give a name without"),
            (port("a", "tcp", 1, 65535), "port \"a\": \"65535\" is not valid: an app is given 512"),
        ] {
            let error = sockets(&[port]).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(sockets(&[port("a", "tcp", 65535, 1)]).unwrap().len(), 1);
    }
}
