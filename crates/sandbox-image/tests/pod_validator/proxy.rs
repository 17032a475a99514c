//! A server between the validator and the metadata service, which changes one thing in one answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Replace(String, String),
    Delay(Duration),
}

pub(crate) struct Proxy {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Changes what `server` answers to requests whose path ends like this.
    pub(crate) fn new(server: SocketAddr, entry: String, change: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                // A client that doesn't wait has gone when it is answered.
                let _ = client.and_then(|client| pass(&client, server, &entry, &change));
            }
        });
        Self { address, end, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn pass(
    mut client: &TcpStream,
    server: SocketAddr,
    entry: &str,
    change: &Change,
) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut request, mut length) = (String::new(), 0);
    while !request.ends_with("\r\n\r\n") {
        let start = request.len();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        if let Some(value) = request[start..].strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(request.as_bytes())?;
    upstream.write_all(&body)?;
    let mut answer = String::new();
    upstream.read_to_string(&mut answer)?;
    if request.split(' ').nth(1).is_some_and(|path| path.ends_with(entry)) {
        match change {
            Change::Delay(time) => thread::sleep(*time),
            Change::Replace(from, to) => {
                assert!(answer.contains(from), "nothing to change: {from} in {answer}");
                answer = answer.replace(from, to);
            }
        }
    }
    client.write_all(answer.as_bytes())
}
