//! What `run-sandbox` of the Python original promises, and what it gets wrong; the rest of either is in
//! the tests of the crate sandboxlib, with a table of all of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::fixture::{Ran, Who, for_everyone};

#[test]
fn row_run_sandbox_takes_a_directory_and_an_executor() {
    for_everyone(|f| {
        for name in ["linux-user-chroot", "linux_user_chroot", "chroot"] {
            if name != "chroot" || f.who == Who::Root {
                f.run(&["--cwd", "/data/one", "-e", name], &["pwd"]).prints("/data/one\n");
            }
        }
        // Relative to the root of the sandbox, as in the library.
        f.run(&["--cwd", "data/one"], &["pwd"]).prints("/data/one\n");
    });
}

#[test]
fn bug_03_directory_trees_are_taken() {
    for_everyone(|f| {
        let host = f.run(&[], &["cat", "/etc/passwd"]);
        assert!(host.code == Some(1) && host.err.contains("No such file"), "{host:?}");
        f.run(&[], &["ls", "/"]).prints("bin\ndata\ndev\nproc\ntmp\n");
    });
}

#[test]
fn bug_03_the_commands_status_is_passed_on() {
    for_everyone(|f| {
        for code in [0, 1, 42, 255] {
            assert_eq!(f.shell(&[], &format!("exit {code}")).code, Some(code));
        }
    });
}

#[test]
fn bug_03_errors_go_to_standard_error_with_a_status_of_their_own() {
    for_everyone(|f| {
        // Nothing on standard output, and not 0.
        f.run_in("/no/such/tree", &[], &["true"]).refused(&["/no/such/tree", "No such file"]);
        f.run_in(&f.text("source/file"), &[], &["true"]).refused(&["source/file"]);
        f.run(&["-e", "nonsense"], &["true"]).refused(&["\"nonsense\""]);
    });
}

/// Images are not taken: nothing of one is unpacked, with or without privilege, and nothing is run.
#[test]
fn bug_01_02_15_an_image_is_a_clear_error() {
    for_everyone(|f| {
        let image = f.text("x.aci");
        fs::write(&image, "an archive").unwrap();
        for words in [&["true"][..], &["sh", "-c", "echo ran"]] {
            let ran = f.run_in(&image, &[], words);
            ran.refused(&[&image, "Not a directory"]);
        }
        f.run_in(&image, &[], &[]).refused(&[&image, "is not a directory: give a directory tree"]);
        fs::remove_file(&image).unwrap();
    });
}

#[test]
fn bug_04_the_command_takes_arguments() {
    for_everyone(|f| {
        f.run(&[], &["echo", "a b", "--cwd", "/", "-e", "c"]).prints("a b --cwd / -e c\n");
        f.run(&[], &["sh", "-c", "echo $# $1 $2", "sh", "-x", "--y"]).prints("2 -x --y\n");
    });
}

#[test]
fn bug_04_output_comes_while_the_command_runs() {
    for_everyone(|f| {
        let mut command = f.command();
        command.arg(f.tree()).args(["sh", "-c", "echo early; read line; echo $line"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // It waits for what it is sent only now.
        assert_eq!(lines.next().unwrap().unwrap(), "early");
        child.stdin.take().unwrap().write_all(b"late\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "late");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn bug_04_output_is_passed_on_byte_by_byte() {
    for_everyone(|f| {
        let script = r"printf 'no end of line, no text: \377\000'; printf '\376' >&2";
        let output = f.command().arg(f.tree()).args(["sh", "-c", script]).output().unwrap();
        assert_eq!(output.stdout, b"no end of line, no text: \xff\0");
        assert_eq!(output.stderr, b"\xfe");
        let nothing = Ran::of(f.command().arg(f.tree()).arg("true"));
        nothing.prints("");
    });
}
