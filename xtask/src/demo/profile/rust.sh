# A crate with a build script, tests, and an example that starts threads and processes.
command -v cargo >/dev/null || { echo "there is no cargo"; exit 77; }
mkdir -p hello/src hello/tests && cd hello
cat > Cargo.toml <<'END'
[package]
name = "hello"
version = "0.1.0"
edition = "2021"
[profile.dev]
debug = false
END
cat > build.rs <<'END'
fn main() {
    let out = std::process::Command::new("uname").arg("-m").output().expect("uname");
    println!("cargo:rustc-env=MACHINE={}", String::from_utf8_lossy(&out.stdout).trim());
}
END
cat > src/lib.rs <<'END'
pub fn greeting() -> String { format!("hello from {}", env!("MACHINE")) }
END
cat > tests/all.rs <<'END'
use std::io::{Read, Write};
#[test]
fn greets() { assert!(hello::greeting().starts_with("hello from ")); }
#[test]
fn threads_and_processes() {
    let all: Vec<_> = (0..8).map(|n| std::thread::spawn(move || n)).collect();
    assert_eq!(all.into_iter().map(|t| t.join().unwrap()).sum::<i32>(), 28);
    assert!(std::process::Command::new("true").status().unwrap().success());
}
#[test]
fn sockets() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut there = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    there.write_all(b"x").unwrap();
    let mut got = [0];
    listener.accept().unwrap().0.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"x");
}
END
cargo test --offline --quiet
