//! What no client should send: it is refused in time, and nothing is left.

use std::fs;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fixture::for_everyone;

#[test]
fn ten_thousand_arguments() {
    for_everyone(|f| {
        let many = vec!["x"; 10_000];
        let ran = f.run(&[], &[&["sh", "-c", "echo $#", "sh"], &many[..]].concat());
        ran.prints("10000\n");
        let options = vec!["--unshare-net"; 10_000];
        f.run(&options, &["true"]).fails("Too many mounts (maximum of 1024)");
        f.run(&many, &["true"]).fails("chdir: No such file or directory");
    });
}

#[test]
fn a_fifo_does_not_block_and_a_socket_is_refused() {
    for_everyone(|f| {
        let fifo = f.host("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _listener = UnixListener::bind(f.host("socket")).unwrap();
        f.seal();
        let at = "/data/one/own";
        let bind = |name: &str| ["--mount-bind".to_owned(), f.text(name), at.to_owned()];
        let [fifo, socket] = ["fifo", "socket"].map(bind);
        let words = |bind: &[String; 3]| bind.clone();
        let fifo = words(&fifo);
        let fifo: Vec<_> = fifo.iter().map(String::as_str).collect();
        f.run(&fifo, &["stat", "-c", "%F", at]).prints("fifo\n");
        let socket: Vec<_> = socket.iter().map(String::as_str).collect();
        f.run(&socket, &["true"]).fails("Couldn't open bind mount source");
    });
}

#[test]
fn a_proc_on_the_root_is_refused() {
    for_everyone(|f| {
        let ran = f.run(&["--mount-proc", "/"], &["true"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.starts_with("linux-user-chroot: "), "{ran:?}");
    });
}

#[test]
fn a_path_that_is_too_long() {
    for_everyone(|f| {
        let long = format!("/{}", "x".repeat(5000));
        let too_long = "File name too long";
        f.with(&[&long, "true"]).fails(&format!("chdir: {too_long}"));
        let bind = ["--mount-bind", &f.text("source"), &long];
        f.run(&bind, &["true"]).fails(&format!("mount (MS_BIND): {too_long}"));
        f.run(&["--chdir", &long], &["true"]).fails(&format!("chdir: {too_long}"));
        f.run(&[], &[&long]).fails(&format!("execv: {too_long}"));
    });
}

/// It is there or it is not, but it is never another error, and nothing is left.
#[test]
fn a_source_that_comes_and_goes() {
    for_everyone(|f| {
        fs::create_dir(f.host("vanishing")).unwrap();
        f.seal();
        let (here, there) = (f.host("vanishing"), f.host("vanished"));
        // Of `..` the kernel is not sure while something is renamed.
        let bind = ["--mount-bind", &f.text("vanishing"), "/data/two/../one"];
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mover = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::rename(&here, &there).unwrap();
                    std::thread::yield_now();
                    fs::rename(&there, &here).unwrap();
                }
            });
            for _ in 0..40 {
                let ran = f.run(&bind, &["ls", "/data/one"]);
                match ran.code {
                    Some(0) => ran.prints(""),
                    _ if ran.err.starts_with("Couldn't") => {
                        ran.fails("Couldn't open bind mount source");
                    }
                    _ => ran.fails("mount (MS_BIND): No such file or directory"),
                }
            }
            done.store(true, Ordering::Relaxed);
            mover.join().unwrap();
        });
    });
}

#[test]
fn words_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use crate::fixture::Ran;
    for_everyone(|f| {
        let word = OsStr::from_bytes(b"\xff\xfe");
        let mut command = f.command(&[&f.text("tree"), "sh", "-c", "test $# = 1", "sh"]);
        Ran::of(command.arg(word)).prints("");
        let mut command = f.command(&[]);
        Ran::of(command.arg(word).arg("true")).fails("chdir: No such file or directory");
    });
}
