//! Apps that are given listening sockets.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use sandbox_image::aci::build::{Compression, build};

use crate::fixture::{Fixture, Ran, for_everyone};

const PATIENCE: Duration = Duration::from_secs(20);

/// An image that has the probe only, and is given a socket for `web`.
fn image(f: &Fixture, exec: &str, handler: &str, port: u16) -> String {
    let dir = f.host("image");
    let root = dir.join("root");
    fs::create_dir_all(&root).unwrap();
    let probe = sandbox_testkit::fixture::probe(&dir).unwrap();
    sandbox_testkit::fixture::copy(probe, root.join("probe")).unwrap();
    let words = |text: &str| serde_json::json!(text.split(' ').collect::<Vec<_>>());
    let manifest = serde_json::json!({
        "acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/sockets",
        "app": {
            "exec": words(exec), "user": "0", "group": "0",
            "eventHandlers": [{"name": "pre-start", "exec": words(handler)}],
            "ports": [
                {"name": "web", "protocol": "tcp", "port": port, "socketActivated": true},
                {"name": "other", "protocol": "tcp", "port": 1}
            ]
        }
    });
    let path = dir.join("sockets.aci");
    let to = File::create(&path).unwrap();
    build(manifest.to_string().as_bytes(), &root, to, Compression::None).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Numbers that were free just now.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Speaks to who listens there, once somebody does.
fn talk(address: SocketAddr) -> String {
    let start = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => assert!(start.elapsed() < PATIENCE, "nobody listens: {error}"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"ping").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn served(f: &Fixture, options: &[&str], image: &str, address: SocketAddr) {
    let mut command = f.command();
    command.args(options).arg(image).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    assert_eq!(talk(address), "pong");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), "0 1 2\n0 1 2 3\nping\n"));
}

#[test]
fn an_app_accepts_on_what_it_is_given() {
    for_everyone(|f| {
        let port = free();
        let image = image(f, "/probe fds , accept 3", "/probe fds", port);
        served(f, &[], &image, ([127, 0, 0, 1], port).into());
        // The network of the app is no matter: the socket is of the host's.
        let elsewhere = free();
        let option = format!("web=127.0.0.1:{elsewhere}");
        let options = ["--network", "isolated", "--port", &option];
        served(f, &options, &image, ([127, 0, 0, 1], elsewhere).into());
        fs::remove_dir_all(f.host("image")).unwrap();
    });
}

#[test]
fn an_app_is_told_of_them() {
    for_everyone(|f| {
        let option = format!("web={}", free());
        let image = image(f, "/probe pid , env", "/probe env", 1);
        let ran = Ran::of(f.command().args(["--port", &option]).arg(&image));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let count = |text: &str| ran.out.lines().filter(|line| line.starts_with(text)).count();
        // The handler is not.
        assert_eq!((count("LISTEN_FDS=1"), count("LISTEN_FDNAMES=web")), (1, 1), "{ran:?}");
        let pid = ran.out.lines().find(|line| line.parse::<u32>().is_ok()).unwrap();
        assert_eq!(count(&format!("LISTEN_PID={pid}")), 1, "{ran:?}");
        fs::remove_dir_all(f.host("image")).unwrap();
    });
}

#[test]
fn a_place_that_cannot_be_had_is_named() {
    for_everyone(|f| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = taken.local_addr().unwrap().to_string();
        let image = image(f, "/probe exit 0", "/probe exit 0", 1);
        let option = format!("web={place}");
        f.run_in(&image, &["--port", &option], &[]).refused(&["\"web\"", &place, "--port web="]);
        let none = f.run_in(&image, &["--port", "other=80"], &[]);
        none.refused(&["--port \"other\"", "socketActivated are web"]);
        let pod = Ran::of(f.command().args(["pod", &image]));
        pod.refused(&["\"web\"", "socketActivated"]);
        // What was refused did not keep it from running.
        let option = format!("web={}", free());
        assert_eq!(f.run_in(&image, &["--port", &option], &[]).code, Some(0));
        fs::remove_dir_all(f.host("image")).unwrap();
    });
}
