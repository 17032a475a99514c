//! What `run-sandbox` of the Python original promises, and what it gets wrong; the rest of either is in
//! the tests of the crate sandboxlib, with a table of all of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use sandbox_testkit::fixture::{BUSYBOX, copy};

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

/// An image runs its own command or another, with or without privilege, and a file that is none is
/// refused. What hostile ones try is in the tests of images.
#[test]
fn bug_01_02_15_an_image_is_run() {
    for_everyone(|f| {
        let dir = f.host("image");
        fs::create_dir_all(dir.join("rootfs/bin")).unwrap();
        copy(BUSYBOX, dir.join("rootfs/bin/busybox")).unwrap();
        let manifest = r#"{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/box",
            "app": {"exec": ["/bin/busybox", "echo", "own"], "user": "0", "group": "0"}}"#;
        fs::write(dir.join("manifest"), manifest).unwrap();
        let image = f.text("x.aci");
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&image).arg("-C").arg(&dir).args(["manifest", "rootfs"]);
        assert!(tar.status().unwrap().success());
        let ran = f.run_in(&image, &[], &[]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "own\n"), "{ran:?}");
        let ran = f.run_in(&image, &[], &["/bin/busybox", "sh", "-c", "echo $0; exit 3", "a b"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(3), "a b\n"), "{ran:?}");
        fs::remove_dir_all(&dir).unwrap();
        fs::write(&image, "an archive").unwrap();
        f.run_in(&image, &[], &["true"]).refused(&[&image, "not a tar archive"]);
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
