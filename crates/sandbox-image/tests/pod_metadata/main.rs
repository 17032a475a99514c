//! The metadata service over a real socket: what it answers, and that no client keeps another from it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod client;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use client::{Answer, Client};
use sandbox_image::aci::types::Annotation;
use sandbox_image::pod::metadata::{AppFacts, MetadataService, PodFacts};
use sandbox_image::pod::new_uuid;

/// What a client of the specification waits at most.
const PROMPT: Duration = Duration::from_millis(100);

fn facts() -> PodFacts {
    let annotations = vec![Annotation { name: "lorem".parse().unwrap(), value: "ipsum".into() }];
    PodFacts {
        uuid: new_uuid().unwrap(),
        manifest: b"{}".to_vec(),
        annotations: annotations.clone(),
        apps: vec![AppFacts {
            name: "main".into(),
            image_id: "sha512-0".into(),
            // More than a socket takes at once.
            image_manifest: vec![b' '; 8 << 20],
            annotations,
        }],
    }
}

fn service() -> MetadataService {
    MetadataService::bind("127.0.0.1:0".parse().unwrap(), facts()).unwrap()
}

fn path(service: &MetadataService, entry: &str) -> String {
    let url = service.url();
    let token = url.strip_prefix(&format!("http://{}", service.address())).unwrap();
    format!("{token}/acMetadata/v1/{entry}")
}

fn get(service: &MetadataService, entry: &str) -> String {
    format!(
        "GET {} HTTP/1.1\r\nHost: h\r\nMetadata-Flavor: AppContainer\r\n\r\n",
        path(service, entry)
    )
}

fn post(service: &MetadataService, entry: &str, body: &str) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        path(service, entry),
        body.len()
    )
}

/// The answer to one request of a client of its own.
fn ask(service: &MetadataService, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::new(service.address());
    client.send(request).unwrap();
    client.answer().unwrap()
}

/// Of five answers the fastest tells how fast the service is, the others how busy the machine.
#[track_caller]
fn is_prompt(service: &MetadataService) {
    let timed = |_| {
        let start = Instant::now();
        let answer = ask(service, get(service, "pod/uuid"));
        assert_eq!((answer.status, answer.body.len()), (200, 36));
        start.elapsed()
    };
    let fastest = (0..5).map(timed).min().unwrap();
    assert!(fastest < PROMPT, "{fastest:?}");
}

#[test]
fn a_pod_is_told_of_itself() {
    let service = service();
    is_prompt(&service);
    let uuid = ask(&service, get(&service, "pod/uuid"));
    assert_eq!(uuid.header("content-type"), Some("text/plain; charset=us-ascii"));
    let annotations = ask(&service, get(&service, "apps/main/annotations"));
    assert_eq!(annotations.header("content-type"), Some("application/json"));
    assert_eq!(annotations.text(), r#"[{"name":"lorem","value":"ipsum"}]"#);
    assert_eq!(ask(&service, get(&service, "apps/main/image/manifest")).body.len(), 8 << 20);

    let signature = ask(&service, post(&service, "pod/hmac/sign", "content=Old+Farm"));
    assert_eq!(signature.status, 200);
    let signature = signature.text().replace('+', "%2B");
    let form = format!("content=Old+Farm&uid={}&signature={signature}", uuid.text());
    assert_eq!(ask(&service, post(&service, "pod/hmac/verify", &form)).status, 200);
    let forged = form.replace("Old", "New");
    assert_eq!(ask(&service, post(&service, "pod/hmac/verify", &forged)).status, 403);
    // The keys of two pods differ.
    let other = self::service();
    assert_eq!(ask(&other, post(&other, "pod/hmac/verify", &form)).status, 403);
}

#[test]
fn only_the_pod_is_told() {
    let (service, other) = (service(), service());
    let stranger = get(&other, "pod/uuid");
    assert_eq!(ask(&other, &stranger).status, 200);
    assert_eq!(ask(&service, &stranger).status, 404);
    let without = "GET /acMetadata/v1/pod/uuid HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(ask(&service, without).status, 404);
    assert!(!format!("{service:?}").contains(service.url().rsplit('/').next().unwrap()));
}

#[test]
fn a_thousand_requests_on_one_connection_and_on_many() {
    let service = service();
    let request = get(&service, "pod/uuid");
    let mut kept = Client::new(service.address());
    for _ in 0..500 {
        kept.send(&request).unwrap();
        assert_eq!(kept.answer().unwrap().status, 200);
    }
    let threads = 4;
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..500 / threads {
                    assert_eq!(ask(&service, &request).status, 200);
                }
            });
        }
    });
}

#[test]
fn requests_in_a_row_are_answered_in_order() {
    let service = service();
    let mut client = Client::new(service.address());
    let round = [
        get(&service, "pod/uuid"),
        get(&service, "nothing"),
        post(&service, "pod/hmac/sign", "content=x"),
        get(&service, "pod/hmac/sign"),
    ];
    client.send(round.concat().repeat(100)).unwrap();
    for turn in 0..100 {
        for expected in [200, 404, 200, 405] {
            assert_eq!(client.answer().unwrap().status, expected, "{turn}");
        }
    }
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(client.answer().unwrap().header("connection"), Some("close"));
    assert!(client.is_at_end());
}

#[test]
fn one_byte_at_a_time_is_slow_but_a_request() {
    let service = service();
    let mut client = Client::new(service.address());
    for byte in get(&service, "pod/uuid").as_bytes().chunks(1) {
        client.send(byte).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn a_client_that_waits_for_a_word_before_its_body_gets_it() {
    let service = service();
    let mut client = Client::new(service.address());
    let request = post(&service, "pod/hmac/sign", "content=x")
        .replace("Host", "Expect: 100-continue\r\nHost");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    client.send(format!("{head}\r\n\r\n")).unwrap();
    assert_eq!(client.answer().unwrap().status, 100);
    client.send(body).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn what_is_no_request_is_refused_and_ends_the_connection() {
    let service = service();
    let head = "POST /x HTTP/1.1\r\nHost: h\r\n";
    let long = "a".repeat(40_000);
    for (bytes, expected) in [
        ("\0\u{1}\u{2}garbage\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400),
        ("SSH-2.0-x\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\n"), 431),
        (format!("{head}{}\r\n", "a: b\r\n".repeat(100)), 431),
        (format!("{head}Content-Length: 1048577\r\n\r\n"), 413),
        (format!("{head}Content-Length: 18446744073709551616\r\n\r\n"), 413),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n"), 411),
    ] {
        let mut client = Client::new(service.address());
        client.send(&bytes).unwrap();
        let start = bytes.get(..20).unwrap_or(&bytes);
        assert_eq!(client.answer().unwrap().status, expected, "{start:?}");
        assert!(client.is_at_end(), "{start:?}");
    }
    is_prompt(&service);
}

#[test]
fn a_body_can_be_a_mebibyte_and_no_more() {
    let service = service();
    let mebibyte = format!("content={}", "a".repeat((1 << 20) - 8));
    assert_eq!(ask(&service, post(&service, "pod/hmac/sign", &mebibyte)).status, 200);
    // The answer comes though the client goes on sending.
    let mut client = Client::new(service.address());
    let huge = post(&service, "pod/hmac/sign", &"a".repeat(4 << 20));
    let _ = client.send(&huge);
    assert_eq!(client.answer().unwrap().status, 413);
}

#[test]
fn nobody_waits_for_a_slow_client() {
    let service = service();
    // More than are kept: each with a part of a request, or an answer that it does not read.
    let part = &get(&service, "pod/uuid")[..30];
    let large = get(&service, "apps/main/image/manifest");
    let mut slow: Vec<Client> = (0..200)
        .map(|number| {
            let client = Client::new(service.address());
            // The oldest have been cut off.
            let _ = client.send(if number % 2 == 0 { part } else { &large });
            client
        })
        .collect();
    is_prompt(&service);
    // The last ones are cut off as well, however busily they send headers.
    let start = Instant::now();
    let drip = Client::new(service.address());
    drip.send(part).unwrap();
    while drip.send("a").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(8), "still there");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(start.elapsed() > Duration::from_secs(4), "cut off early");
    assert!(slow.first_mut().unwrap().is_at_end());
    is_prompt(&service);
}

#[test]
fn clients_that_end_in_the_middle_are_gone() {
    let service = service();
    for length in [0, 1, 10, 60] {
        let client = Client::new(service.address());
        client.send(&get(&service, "pod/uuid")[..length]).unwrap();
    }
    // Half closed, the answer still comes.
    let mut client = Client::new(service.address());
    client.send(get(&service, "pod/uuid")).unwrap();
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(client.is_at_end());
    is_prompt(&service);
}

#[test]
fn it_ends_when_it_is_dropped() {
    let service = service();
    let address = service.address();
    let mut idle = Client::new(address);
    let mut busy = Client::new(address);
    busy.send(get(&service, "apps/main/image/manifest")).unwrap();
    is_prompt(&service);
    let start = Instant::now();
    drop(service);
    // It waits for no client.
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(idle.is_at_end());
    assert!(busy.answer().is_err());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_socket_of_elsewhere_is_of_loopback_too() {
    let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
    is_prompt(&MetadataService::on(loopback, facts()).unwrap());
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let error = MetadataService::on(everywhere, facts()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(MetadataService::bind("0.0.0.0:0".parse().unwrap(), facts()).is_err());
}

/// What people look at it with.
#[test]
fn the_oldest_http_is_understood() {
    let service = service();
    let mut stream = TcpStream::connect(service.address()).unwrap();
    let request = format!("GET {} HTTP/1.0\r\n\r\n", path(&service, "pod/annotations"));
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.ends_with(r#"[{"name":"lorem","value":"ipsum"}]"#), "{text}");
}
