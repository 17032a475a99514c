//! The options that read, write, wait for and pass on descriptors.

use std::fs;

use crate::fixture::{Fixture, Ran};

/// `SECCOMP_RET_ALLOW`
const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_ERRNO` with `EXDEV`, which mkdir(2) does not have.
const EXDEV: u32 = 0x0005_0012;

/// `struct sock_filter` of a program that lets everything pass, or one that refuses a system call.
fn filter(refused: Option<u32>) -> Vec<u8> {
    let instruction = |code: u16, jt: u8, jf: u8, k: u32| {
        [&code.to_ne_bytes()[..], &[jt, jf], &k.to_ne_bytes()].concat()
    };
    match refused {
        None => instruction(0x06, 0, 0, ALLOW),
        Some(number) => [
            instruction(0x20, 0, 0, 0),
            instruction(0x15, 0, 1, number),
            instruction(0x06, 0, 0, EXDEV),
            instruction(0x06, 0, 0, ALLOW),
        ]
        .concat(),
    }
}

/// Runs with filters in the descriptors 6 to 9: of sendmsg, mkdir and mkdirat, and of nothing.
fn filtered(f: &Fixture, options: &[&str], script: &str) -> Ran {
    let write =
        |name: &str, bytes: Vec<u8>| fs::write(f.host("tree/tmp").join(name), bytes).unwrap();
    write("sendmsg", filter(Some(46)));
    write("mkdir", filter(Some(83)));
    write("mkdirat", filter(Some(258)));
    write("all", filter(None));
    let redirections = "6<tree/tmp/sendmsg 7<tree/tmp/mkdir 8<tree/tmp/mkdirat 9<tree/tmp/all";
    let ran = f.redirected(redirections, options, &["sh", "-c", script]);
    for name in ["sendmsg", "mkdir", "mkdirat", "all"] {
        fs::remove_file(f.host("tree/tmp").join(name)).unwrap();
    }
    ran
}

const MKDIR: &str = "mkdir /data/a 2>&1 | grep -c cross-device";

super::options! {
    "--args" args = |f| {
        let echo = |words: &str, rest: &[&str]| {
            let shell = format!("printf %b '{words}' | exec \"$@\"");
            let mut command = f.program("sh", "");
            let words = ["-c", &shell, "sh", &f.text("bwrap")];
            Ran::of(command.args(words).args(["--bind", &f.text("tree"), "/", "--args", "0"]).args(rest))
        };
        echo("--setenv\\0A\\0b c\\0", &["sh", "-c", "echo \"$A\""]).prints("b c\n");
        echo("--version", &[]).prints("bubblewrap 0.11.0\n");
        echo("", &["true"]).prints("");
        echo("--dir\\0", &["true"]).refused(&["--dir takes DEST"]);
        f.run(&["--args", "9", "true"]).refused(&["--args 9: Bad file descriptor"]);
    };
    "--sync-fd" sync_fd = |f| {
        f.redirected("9<words", &["--sync-fd", "9"], &["true"]).prints("");
        f.inside(&["--sync-fd", "9"], &["true"]).refused(&["--sync-fd 9: Bad file descriptor"]);
    };
    "--pass-fd" pass_fd = |f| {
        let script = "cat <&9";
        f.redirected("9<words", &["--pass-fd", "9"], &["sh", "-c", script]).prints("some words\n");
        assert_eq!(f.redirected("9<words", &[], &["sh", "-c", script]).code, Some(1), "others are closed");
        f.inside(&["--pass-fd", "9"], &["true"]).refused(&["--pass-fd 9: Bad file descriptor"]);
    };
    "--seccomp" seccomp = |f| {
        let options = ["--tmpfs", "/data", "--seccomp", "7"];
        if cfg!(target_arch = "x86_64") {
            assert_eq!(filtered(f, &options, MKDIR).out, "1\n");
            // What we say to each other is said before.
            filtered(f, &["--unshare-pid", "--as-pid-1", "--seccomp", "6"], "echo up").prints("up\n");
            let last = ["--tmpfs", "/data", "--seccomp", "7", "--seccomp", "9"];
            let ran = filtered(f, &last, MKDIR);
            assert_eq!(ran.out, "0\n");
            assert!(ran.err.contains("--seccomp is given more than once"), "{ran:?}");
        }
        f.redirected("9<words", &["--seccomp", "9"], &["true"]).refused(&["seccomp", "11 bytes"]);
        f.inside(&["--seccomp", "9"], &["true"]).refused(&["--seccomp 9: Bad file descriptor"]);
    };
    "--add-seccomp-fd" add_seccomp_fd = |f| {
        if cfg!(target_arch = "x86_64") {
            let options = ["--tmpfs", "/data", "--add-seccomp-fd", "9", "--add-seccomp-fd", "7", "--add-seccomp-fd", "8"];
            assert_eq!(filtered(f, &options, MKDIR).out, "1\n");
        }
        f.inside(&["--seccomp", "9", "--add-seccomp-fd", "8"], &["true"])
            .refused(&["--add-seccomp-fd cannot be combined with --seccomp"]);
    };
    "--block-fd" block_fd = |f| {
        f.redirected("9<words", &["--block-fd", "9"], &["echo", "started"]).prints("started\n");
        f.redirected("9</dev/null", &["--block-fd", "9"], &["echo", "started"]).prints("started\n");
        f.inside(&["--block-fd", "9"], &["true"]).refused(&["--block-fd 9: Bad file descriptor"]);
    };
    "--userns-block-fd" userns_block_fd = |f| {
        f.inside(&["--userns-block-fd", "9"], &["true"]).refused(&["--userns-block-fd needs --unshare-user"]);
        f.inside(&["--unshare-user", "--userns-block-fd", "9"], &["true"])
            .refused(&["--userns-block-fd needs --info-fd"]);
    };
    "--info-fd" info_fd = |f| {
        let ran = f.inside(&["--unshare-net", "--info-fd", "1"], &["true"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let lines: Vec<_> = ran.out.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[4]), (5, "{", "}"), "{ran:?}");
        let members = ["\"child-pid\": ", "\"mnt-namespace\": ", "\"net-namespace\": "];
        for (line, member) in lines[1..4].iter().zip(members) {
            let number = line.trim_start().strip_prefix(member).unwrap().trim_end_matches(',');
            assert!(number.parse::<u32>().unwrap() > 1, "{ran:?}");
        }
        f.inside(&["--info-fd", "9"], &["true"]).refused(&["--info-fd 9: Bad file descriptor"]);
    };
    "--json-status-fd" json_status_fd = |f| {
        let ran = f.shell(&["--json-status-fd", "1"], "exit 3");
        assert_eq!((ran.code, ran.err.as_str()), (Some(3), ""));
        let lines: Vec<_> = ran.out.lines().collect();
        assert!(lines[0].starts_with("{ \"child-pid\": ") && lines[0].ends_with(" }"), "{ran:?}");
        assert_eq!(lines[1..], ["{ \"exit-code\": 3 }"]);
        let killed = f.shell(&["--json-status-fd", "1"], "kill -9 $$");
        assert_eq!(killed.code, Some(137));
        assert!(killed.out.ends_with("{ \"exit-code\": 137 }\n"), "{killed:?}");
        f.inside(&["--json-status-fd", "9"], &["true"]).refused(&["--json-status-fd 9"]);
    };
    "--userns" userns = |f| {
        f.inside(&["--userns", "9"], &["true"]).refused(&["--userns 9: cannot enter", "Bad file descriptor"]);
        f.redirected("9<words", &["--userns", "9"], &["true"]).refused(&["--userns 9", "Invalid argument"]);
        f.inside(&["--userns", "9", "--unshare-user"], &["true"])
            .refused(&["--userns cannot be combined with --unshare-user"]);
    };
    "--userns2" userns2 = |f| {
        f.inside(&["--userns2", "9"], &["true"]).refused(&["--userns2 9: cannot enter"]);
    };
    "--pidns" pidns = |f| {
        f.inside(&["--pidns", "9"], &["true"]).refused(&["--pidns 9: cannot enter"]);
    };
}
