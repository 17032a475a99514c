//! The loop that serves every client in one thread.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use ctutils::CtEq as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::connection::{Connection, Turn, Wants};
use super::facts::PodFacts;
use super::respond::{Key, Request, Response, Status, respond};
use super::wire::{self, Message};

/// One more and the oldest goes.
const MAX_CONNECTIONS: usize = 64;
/// How many are taken before those that are there have their turn.
const MAX_ACCEPTED: usize = 16;
/// How long the loop waits where no more files can be opened, say.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Server {
    facts: PodFacts,
    key: Key,
    token: String,
}

/// What one wait for events has found.
struct Events {
    ended: bool,
    client: bool,
    /// Of each connection, in order.
    ready: Vec<bool>,
}

impl Server {
    pub(super) fn new(facts: PodFacts, key: Key, token: String) -> Self {
        Self { facts, key, token }
    }

    /// Serves until the other side of `ended` is shut down.
    pub(super) fn run(&self, listener: &TcpListener, ended: &UnixStream) {
        let mut connections: Vec<Connection<'_>> = Vec::new();
        loop {
            let events = match wait(listener, ended, &connections) {
                Ok(events) => events,
                Err(Errno::INTR) => continue,
                // Out of memory, say.
                Err(_) => Events { ended: false, client: false, ready: Vec::new() },
            };
            if events.ended {
                return;
            }
            let mut ready = events.ready.iter().copied();
            let now = Instant::now();
            connections.retain_mut(|connection| {
                let turn = if ready.next().unwrap_or(false) {
                    connection.turn(|message| self.answer(message))
                } else {
                    Turn::Open
                };
                turn == Turn::Open && connection.deadline > now
            });
            if events.client {
                accept(listener, &mut connections);
            }
        }
    }

    fn answer(&self, message: &Message<'_>) -> Response<'_> {
        match self.below_token(wire::path(message.target)) {
            Some(path) => {
                let Message { method, content_type, body, .. } = *message;
                respond(&self.facts, &self.key, Request { method, path, content_type, body })
            }
            None => Response::only(Status::NotFound),
        }
    }

    /// The rest of a path that begins with the token. How much of it a guess has right cannot be told from
    /// the time that this takes.
    fn below_token<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (token, rest) = path.strip_prefix('/')?.split_at_checked(self.token.len())?;
        token.as_bytes().ct_eq(self.token.as_bytes()).to_bool().then_some(rest)
    }
}

fn wait(
    listener: &TcpListener,
    ended: &UnixStream,
    connections: &[Connection<'_>],
) -> rustix::io::Result<Events> {
    let mut fds = vec![PollFd::new(ended, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
    fds.extend(connections.iter().map(|connection| {
        let flags = match connection.wants() {
            Wants::Reading => PollFlags::IN,
            Wants::Writing => PollFlags::OUT,
        };
        PollFd::new(&connection.stream, flags)
    }));
    let first = connections.iter().map(|connection| connection.deadline).min();
    // A millisecond more, so that a deadline is past when the wait for it ends.
    let left = first.map(|deadline| {
        deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
    });
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    poll(&mut fds, timeout.as_ref())?;
    let mut found = fds.iter().map(|fd| !fd.revents().is_empty());
    let (ended, client) = (found.next().unwrap_or(true), found.next().unwrap_or(false));
    Ok(Events { ended, client, ready: found.collect() })
}

fn accept(listener: &TcpListener, connections: &mut Vec<Connection<'_>>) {
    for _ in 0..MAX_ACCEPTED {
        match listener.accept().and_then(|(stream, _)| Connection::new(stream)) {
            Ok(connection) => {
                if connections.len() >= MAX_CONNECTIONS {
                    drop_oldest(connections);
                }
                connections.push(connection);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            // The client has gone already, or there is no file left for it.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => {
                drop_oldest(connections);
                thread::sleep(PAUSE);
                return;
            }
        }
    }
}

fn drop_oldest(connections: &mut Vec<Connection<'_>>) {
    let oldest = connections.iter().enumerate().min_by_key(|(_, connection)| connection.deadline);
    if let Some((index, _)) = oldest {
        connections.swap_remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_found_without_the_token() {
        let facts = PodFacts {
            uuid: uuid::Uuid::nil(),
            manifest: vec![],
            annotations: vec![],
            apps: vec![],
        };
        let server = Server::new(facts, Key::random().unwrap(), "0123".into());
        for (path, expected) in [
            ("/0123/acMetadata", Some("/acMetadata")),
            ("/0123", Some("")),
            ("/0124/acMetadata", None),
            ("/012/acMetadata", None),
            ("/01€/a", None),
            ("/acMetadata", None),
            ("0123/acMetadata", None),
            ("//0123/acMetadata", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(server.below_token(path), expected, "{path}");
        }
    }
}
