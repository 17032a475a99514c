//! The metadata service, through its socket: whatever it is sent, it answers the next one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use sandbox_image::pod::metadata::{AppFacts, MetadataService, PodFacts};
use uuid::Uuid;

static SERVICE: LazyLock<MetadataService> = LazyLock::new(|| {
    let app = AppFacts {
        name: "main".to_owned(),
        image_id: "sha512-00".to_owned(),
        image_manifest: b"{}".to_vec(),
        annotations: Vec::new(),
    };
    let facts = PodFacts {
        uuid: Uuid::nil(),
        manifest: b"{}".to_vec(),
        annotations: Vec::new(),
        apps: vec![app],
    };
    let any = ([127, 0, 0, 1], 0).into();
    MetadataService::bind(any, facts).expect("the service is started")
});

/// What a client sends. `%T` in it is the path that cannot be guessed.
pub fn metadata_request(bytes: &[u8]) {
    let url = SERVICE.url();
    let token = url.rsplit_once('/').map(|(_, token)| token).unwrap_or_default();
    let mut request = Vec::new();
    for (index, part) in bytes.split(|byte| *byte == b'%').enumerate() {
        match part.strip_prefix(b"T") {
            Some(rest) if index > 0 => request.extend([token.as_bytes(), rest].concat()),
            _ if index > 0 => request.extend([b"%", part].concat()),
            _ => request.extend(part),
        }
    }
    let answer = ask(&request);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{}", answer.escape_ascii());

    let alive = format!("GET /{token}/acMetadata/v1/pod/uuid HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = ask(alive.as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", answer.escape_ascii());
}

fn ask(request: &[u8]) -> Vec<u8> {
    let mut client = TcpStream::connect(SERVICE.address()).expect("the service takes clients");
    client.set_read_timeout(Some(Duration::from_secs(8))).expect("a time is set");
    // It may close before all is read.
    let _ = client.write_all(request).and_then(|()| client.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    answer
}
