//! The metadata service of a pod: what its apps can ask about the pod and themselves, and signatures in
//! the pod's name ("App Container Metadata Service" of the specification's ace.md).

mod connection;
mod facts;
mod respond;
mod serve;
mod wire;

use std::fmt::{self, Write as _};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

pub use facts::{AppFacts, PodFacts, merged_annotations};

use respond::Key;
use serve::Server;

/// Bytes of the token: the specification asks for 16 or more.
const TOKEN_BYTES: usize = 32;

/// The service of one pod, on loopback. It answers until it is dropped.
///
/// One thread serves every client in turns, without ever waiting for one: an answer takes no longer than
/// its hash. A client has 5 s for a request, 16 KiB for its head and 1 MiB for its body; of more than 64
/// clients the oldest is cut off.
///
/// Whoever knows [the URL](Self::url) is of the pod: a path in it cannot be guessed, and without it there
/// is nothing to be found. The header `Metadata-Flavor`, which version 0.8 of the specification has
/// dropped for that, may be sent, and is not asked for.
pub struct MetadataService {
    address: SocketAddr,
    token: String,
    /// Shut down to end the thread.
    end: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl MetadataService {
    /// Starts one on an address, whose port can be 0, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// `InvalidInput` where the address is not of loopback; else what bind(2), getrandom(2) or the start
    /// of a thread failed with.
    pub fn bind(address: SocketAddr, facts: PodFacts) -> io::Result<Self> {
        on_loopback(address)?;
        Self::on(TcpListener::bind(address)?, facts)
    }

    /// Starts one on a socket that listens, which may be of another network namespace than the caller's.
    ///
    /// # Errors
    /// As those of [`bind`](Self::bind).
    pub fn on(listener: TcpListener, facts: PodFacts) -> io::Result<Self> {
        let address = listener.local_addr()?;
        on_loopback(address)?;
        listener.set_nonblocking(true)?;
        let token = token()?;
        let (end, ended) = UnixStream::pair()?;
        let server = Server::new(facts, Key::random()?, token.clone());
        let thread = thread::Builder::new()
            .name("metadata".to_owned())
            .spawn(move || server.run(&listener, &ended))?;
        Ok(Self { address, token, end, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the pod's apps are to have as `AC_METADATA_URL`. It is a secret of the pod.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.token)
    }
}

/// Ends it, and waits for that: its port is free then.
impl Drop for MetadataService {
    fn drop(&mut self) {
        // Closing would not do: a process forked meanwhile can hold the same socket.
        let told = self.end.shutdown(Shutdown::Both);
        if let (Ok(()), Some(thread)) = (told, self.thread.take()) {
            // A panic in there has been printed already.
            let _ = thread.join();
        }
    }
}

/// Without the token.
impl fmt::Debug for MetadataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataService").field("address", &self.address).finish_non_exhaustive()
    }
}

fn on_loopback(address: SocketAddr) -> io::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "the metadata service is for loopback alone: {address} is not, 127.0.0.1:0 would be"
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn token() -> io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut token, byte| {
        // Nothing fails that writes to a String.
        let _ = write!(token, "{byte:02x}");
        token
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback() {
        for (address, expected) in [
            ("127.0.0.1:0", true),
            ("[::1]:80", true),
            ("0.0.0.0:0", false),
            ("[::]:0", false),
            ("192.0.2.1:80", false),
        ] {
            let checked = on_loopback(address.parse().unwrap());
            assert_eq!(checked.is_ok(), expected, "{address}");
            if let Err(error) = checked {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(error.to_string().contains(address), "{error}");
            }
        }
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_eq!(one.len(), 2 * TOKEN_BYTES);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }
}
