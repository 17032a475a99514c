//! The options about the command itself: its words, variables, directory, rights and life.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::fixture::{Fixture, Ran, Who};

/// The effective capabilities, with what root has where there is no user namespace.
fn capabilities(f: &Fixture, options: &[&str]) -> u64 {
    let options = [options, &["--unshare-user", "--bind", "/proc", "/proc"]].concat();
    let ran = f.shell(&options, "grep CapEff /proc/self/status");
    u64::from_str_radix(ran.out.trim_start_matches("CapEff:").trim(), 16).unwrap()
}

/// Whether nobody else holds a lock.
fn can_lock(f: &Fixture, name: &str) -> bool {
    let file = OpenOptions::new().write(true).open(f.host(name)).unwrap();
    let lock = libc::flock {
        l_type: libc::F_WRLCK.try_into().unwrap(),
        l_whence: libc::SEEK_SET.try_into().unwrap(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).is_ok()
}

super::options! {
    "--argv0" argv0 = |f| {
        f.inside(&["--argv0", "echo"], &["/bin/busybox", "said"]).prints("said\n");
        f.inside(&["--argv0", "a", "--argv0", "b"], &["true"]).refused(&["--argv0 is given twice"]);
    };
    "--level-prefix" level_prefix = |f| {
        let failed = f.inside(&["--level-prefix", "--bind", "/nonexistent", "/data"], &["true"]);
        assert_eq!(failed.code, Some(1));
        assert!(failed.err.starts_with("<3>bwrap: "), "{failed:?}");
        let warned = f.inside(&["--level-prefix", "--chdir", "/", "--chdir", "/tmp"], &["pwd"]);
        assert_eq!((warned.code, warned.out.as_str()), (Some(0), "/tmp\n"));
        assert!(warned.err.starts_with("<4>bwrap: --chdir is given more than once"), "{warned:?}");
    };
    "--chdir" chdir = |f| {
        f.inside(&["--chdir", "/tmp"], &["pwd"]).prints("/tmp\n");
        f.inside(&["--chdir", "data"], &["pwd"]).prints("/data\n");
        f.inside(&["--chdir", "/nonexistent"], &["true"]).refused(&["/nonexistent"]);
        let stale = f.bwrap().env("PWD", "/stale").args(["--bind", &f.text("tree"), "/", "--chdir", "tmp", "env"]).output().unwrap();
        assert!(String::from_utf8(stale.stdout).unwrap().lines().any(|line| line == "PWD=/tmp"));
    };
    "--clearenv" clearenv = |f| {
        f.inside(&["--setenv", "a", "b", "--clearenv", "--setenv", "foo", "bar"], &["/bin/env"])
            .prints("foo=bar\n");
    };
    "--setenv" setenv = |f| {
        let script = "echo \"$A $B\"";
        f.shell(&["--setenv", "A", "1", "--setenv", "B", "-x y", "--setenv", "A", "2"], script).prints("2 -x y\n");
        f.inside(&["--setenv", "A=B", "c"], &["true"]).refused(&["--setenv \"A=B\""]);
        // The command is looked for in the PATH that it has.
        f.inside(&["--setenv", "PATH", "/nonexistent"], &["true"]).refused(&["\"true\""]);
    };
    "--unsetenv" unsetenv = |f| {
        let unset = ["--bind", &f.text("tree"), "/", "--unsetenv", "A", "--unsetenv", "NEVER_SET", "sh", "-c", "echo ${A-none}"];
        Ran::of(f.bwrap().env("A", "1").args(unset)).prints("none\n");
        f.inside(&["--unsetenv", ""], &["true"]).refused(&["--unsetenv \"\""]);
    };
    "--lock-file" lock_file = |f| {
        let locked = |options: &[&str]| {
            let mut bwrap = f.bwrap();
            bwrap.args(["--bind", &f.text("tree"), "/"]).args(options).args(["sh", "-c", "echo up; read x"]);
            let mut child = bwrap.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut up = [0; 3];
            child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
            let locked = !can_lock(f, "tree/data/lock");
            drop(child.stdin.take());
            child.wait().unwrap();
            locked
        };
        fs::write(f.host("tree/data/lock"), "").unwrap();
        assert!(locked(&["--lock-file", "/data/lock", "--lock-file", "/data"]));
        assert!(!locked(&[]));
        assert!(can_lock(f, "tree/data/lock"), "it is given up at the end");
        fs::remove_file(f.host("tree/data/lock")).unwrap();
        f.inside(&["--lock-file", "/nonexistent"], &["true"]).refused(&["/nonexistent"]);
    };
    "--new-session" new_session = |f| {
        let of = |options: &[&str]| {
            let options = [options, &["--bind", "/proc", "/proc"]].concat();
            let ran = f.shell(&options, "read p c s pp g sid rest < /proc/self/stat; echo $sid");
            ran.out
        };
        let mut own = f.program("cat", "");
        own.arg("/proc/self/stat");
        let own = String::from_utf8(own.output().unwrap().stdout).unwrap();
        let own = own.split(' ').nth(5).unwrap().to_owned();
        assert_eq!(of(&[]).trim(), own);
        assert_ne!(of(&["--new-session"]).trim(), own);
    };
    "--die-with-parent" die_with_parent = |f| {
        f.inside(&["--die-with-parent"], &["echo", "alive"]).prints("alive\n");
    };
    "--as-pid-1" as_pid_1 = |f| {
        f.shell(&["--unshare-pid", "--as-pid-1"], "echo $$").prints("1\n");
        f.inside(&["--as-pid-1"], &["true"]).refused(&["--as-pid-1 needs --unshare-pid"]);
        assert_eq!(f.shell(&["--unshare-pid", "--as-pid-1"], "exit 3").code, Some(3));
    };
    "--cap-add" cap_add = |f| {
        assert_eq!(capabilities(f, &["--cap-drop", "ALL", "--cap-add", "CAP_CHOWN"]), 1);
        assert_eq!(capabilities(f, &["--cap-add", "ALL"]).count_ones(), 41);
        f.inside(&["--cap-add", "CAP_NONE"], &["true"]).refused(&["--cap-add \"CAP_NONE\""]);
    };
    "--cap-drop" cap_drop = |f| {
        let usual = capabilities(f, &[]);
        assert_eq!(usual == 0, f.who == Who::Plain, "{usual:x}");
        assert_eq!(capabilities(f, &["--cap-drop", "ALL"]), 0);
        assert_eq!(capabilities(f, &["--cap-add", "CAP_CHOWN", "--cap-drop", "CAP_CHOWN"]) & 1, 0);
    };
    "--not-a-security-boundary" not_a_security_boundary = |f| {
        f.inside(&["--not-a-security-boundary"], &["true"]).prints("");
    };
}
