//! What kind of process PROGRAM is: its directory, its environment, its streams.

use std::process::Stdio;

use crate::fixture::{Ran, for_everyone};

#[test]
fn chdir_the_last_wins() {
    for_everyone(|f| {
        f.run(&[], &["pwd"]).prints("/\n");
        f.run(&["--chdir", "/data/one"], &["pwd"]).prints("/data/one\n");
        f.run(&["--chdir", "/no/such", "--chdir", "data/two"], &["pwd"]).prints("/data/two\n");
        f.run(&["--chdir", "../../data"], &["pwd"]).prints("/data\n");
    });
}

#[test]
fn chdir_comes_after_the_mounts() {
    for_everyone(|f| {
        let bind = ["--chdir", "/data/one/below", "--mount-bind", &f.text("source"), "/data/one"];
        f.run(&bind, &["pwd"]).prints("/data/one/below\n");
    });
}

#[test]
fn the_callers_directory_does_not_matter() {
    for_everyone(|f| {
        let tree = f.text("tree");
        for root in [&*tree, "/"] {
            Ran::of(f.command(&[root, "pwd"]).current_dir(f.host("source"))).prints("/\n");
        }
    });
}

#[test]
fn the_environment_is_the_callers() {
    for_everyone(|f| {
        let mut command = f.command(&[&f.text("tree"), "/bin/env"]);
        Ran::of(command.env_clear().env("foo", "bar").env("empty", "")).prints("empty=\nfoo=bar\n");
        let mut none = f.command(&[&f.text("tree"), "/bin/env"]);
        Ran::of(none.env_clear()).prints("");
    });
}

#[test]
fn the_program_is_looked_for_inside_by_the_callers_path() {
    for_everyone(|f| {
        let (program, tree) = (f.text("linux-user-chroot"), f.text("tree"));
        let find = |path: &str| {
            let path = format!("PATH={path}");
            Ran::of(&mut f.as_user(&["env", &path, &program, &tree, "echo", "x"]))
        };
        find("/nowhere:/bin").prints("x\n");
        find("/data").fails("execv: No such file or directory");
    });
}

#[test]
fn the_environment_of_a_backend_does_not_matter() {
    for_everyone(|f| {
        let mut command = f.command(&[&f.text("tree"), "true"]);
        Ran::of(command.env("SANDBOXLIB_BACKEND", "chroot")).prints("");
    });
}

#[test]
fn the_streams_are_the_callers() {
    for_everyone(|f| {
        let file = std::fs::File::open(f.host("source/file")).unwrap();
        let mut command = f.command(&[&f.text("tree"), "sh", "-c", "cat; echo wrong >&2"]);
        let ran = Ran::of(command.stdin(Stdio::from(file)));
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("of source\n", "wrong\n"));
    });
}

/// Unlike with the C program: a descriptor of the host's is a way out.
#[test]
fn other_descriptors_are_not_passed_on() {
    for_everyone(|f| {
        let (program, tree) = (f.text("linux-user-chroot"), f.text("tree"));
        let run = |words: &[&str]| {
            let script = ["sh", "-c", "exec 7</dev/null; exec \"$@\"", "sh"];
            Ran::of(&mut f.as_user(&[&script, words].concat()))
        };
        let is_open = ["sh", "-c", "test -e /proc/self/fd/7 && echo open || echo closed"];
        run(&is_open).prints("open\n");
        let words = [&program, "--mount-proc", "/proc", &tree];
        run(&[&words[..], &is_open].concat()).prints("closed\n");
    });
}

#[test]
fn words_of_the_program_are_its_own() {
    for_everyone(|f| {
        let words = ["echo", "--help", "--", "", "--mount-proc"];
        f.run(&["--unshare-net"], &words).prints("--help --  --mount-proc\n");
    });
}
