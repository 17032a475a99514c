//! Bundles whose filter of system calls is that of Docker, shortened.

use std::fs;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Ran, for_everyone};

/// What a shell and its like need.
const ALLOWED: &str = "_llseek access arch_prctl brk chdir clone close dup dup2 dup3 execve exit exit_group \
    faccessat faccessat2 fadvise64 fcntl fork fstat futex getcwd getdents64 getegid geteuid getgid getpgrp getpid \
    getppid getrandom getuid ioctl link lseek lstat mkdir mmap mprotect mremap munmap newfstatat \
    open openat pipe pipe2 poll pread64 prlimit64 read readlink readlinkat rseq rt_sigaction \
    rt_sigprocmask rt_sigreturn rt_sigsuspend seccomp set_robust_list set_tid_address stat statx \
    tgkill uname unlink unlinkat vfork wait4 write writev";

fn profile() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": [],
        "syscalls": [
            {"names": ALLOWED.split_whitespace().collect::<Vec<_>>(), "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
            {"names": ["kill"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]},
            {"names": ["kill"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 1, "value": 0xffff_ffff_u32, "valueTwo": 28, "op": "SCMP_CMP_MASKED_EQ"}]}
        ]
    })
}

fn run(f: &Fixture, seccomp: &Value, options: &[&str], script: &str) -> Ran {
    let dir = f.host("bundle");
    fs::create_dir_all(&dir).unwrap();
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {"args": ["sh", "-c", script], "cwd": "/", "env": ["PATH=/bin:/usr/bin"]},
        "root": {"path": f.host("tree")},
        "linux": {"seccomp": seccomp}
    });
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let ran = f.run_in(dir.to_str().unwrap(), options, &[]);
    fs::remove_dir_all(&dir).unwrap();
    ran
}

const SCRIPT: &str = "
    mkdir /data/new || echo no mkdir
    rmdir /data/new 2>&1
    mkfifo /data/fifo 2>&1
    kill -0 $$ && echo may be asked
    kill -28 $$ && echo may be told
    kill -URG $$ 2>&1
    true";

#[test]
fn what_is_not_allowed_gives_its_error() {
    for_everyone(|f| {
        let ran = run(f, &profile(), &[], SCRIPT);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let has = |text: &str| assert!(ran.out.contains(text), "no {text:?} in {ran:?}");
        has("No space left");
        has("Operation not permitted");
        has("may be asked\nmay be told\n");
        assert_eq!(ran.out.matches("Operation not permitted").count(), 2, "{ran:?}");
        assert!(!ran.out.contains("no mkdir"), "{ran:?}");
        fs::remove_dir(f.inside("data/new")).unwrap();
        // Without the profile all of it works.
        let ran = run(f, &Value::Null, &[], SCRIPT);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(0), "may be asked\nmay be told\n"),
            "{ran:?}"
        );
        fs::remove_file(f.inside("data/fifo")).unwrap();
    });
}

#[test]
fn what_cannot_be_done_is_told() {
    for_everyone(|f| {
        let odd = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PPC"],
            "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_NOTIFY"},
                         {"names": ["execve"], "action": "SCMP_ACT_KILL"}]
        });
        let ran = run(f, &odd, &[], "mkdir /data/new; rmdir /data/new 2>&1; true");
        assert!(ran.out.contains("not implemented"), "{ran:?}");
        for text in ["SCMP_ARCH_PPC", "SCMP_ACT_NOTIFY", "execve is allowed"] {
            assert!(ran.err.contains(text), "no {text} in {ran:?}");
        }
        fs::remove_dir(f.inside("data/new")).unwrap();
        run(f, &odd, &["--strict"], "true").refused(&["SCMP_ACT_NOTIFY", "--strict"]);
    });
}
