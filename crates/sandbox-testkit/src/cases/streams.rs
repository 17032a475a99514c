//! The standard streams.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox_core::{CaptureLimit, Feature, Input, Isolation, Output, Status};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("streams/stdin-is-no-directory", &[], stdin_directory),
    Case::new("streams/outputs-are-no-directories", &[], output_directory),
    Case::new("streams/captured-apart", &[], captured_apart),
    Case::new("streams/capture-100-mb-on-both", &[], capture_much),
    Case::new("streams/capture-limit", &[], capture_limit),
    Case::new("streams/not-utf-8", &[], not_utf8),
    Case::new("streams/stderr-to-stdout", &[], merged),
    Case::new("streams/null", &[], null).control(captured_apart),
    Case::new("streams/file-is-appended-to", &[], file),
    Case::new("streams/merged-into-file", &[], merged_into_file),
    Case::new("streams/file-cannot-be-opened", &[], no_such_directory),
    Case::new("streams/stdin-null", &[], stdin_null),
    Case::new("streams/stdin-piped", &[], stdin_piped),
    Case::new("streams/stdin-file", &[], stdin_file),
    Case::new("streams/stdin-file-missing", &[], stdin_missing),
    Case::new("streams/inherited-and-live", &[], inherited),
    Case::new("streams/caller-has-none", &[], closed),
    Case::new(
        "streams/orphan-does-not-hold-the-end",
        &[Need::Has(Feature::ProcessesIsolated)],
        orphan_holds,
    )
    .control(orphan_would_hold),
];

pub(super) const ROLES: &[Role] =
    &[Role { name: "inherit", run: inherit_role }, Role { name: "closed", run: closed_role }];

const BOTH: &str = "say 1 out , say 2 err";

fn captured_apart(w: &World<'_>) -> Check {
    let outcome = w.run(w.probe(BOTH))?;
    same("stdout", outcome.stdout.bytes, b"out".to_vec())?;
    same("stderr", outcome.stderr.bytes, b"err".to_vec())
}

fn capture_much(w: &World<'_>) -> Check {
    const MUCH: usize = 100_000_000;
    let outcome = w.run(w.probe(&format!("flood {MUCH} {MUCH}")))?;
    same("status", outcome.status, Status::Exited(0))?;
    for (name, captured) in [("stdout", outcome.stdout), ("stderr", outcome.stderr)] {
        same(name, (captured.bytes.len(), captured.dropped), (MUCH, 0))?;
        ensure!(captured.bytes.iter().all(|byte| *byte == b'x'), "{name}: other bytes");
    }
    Ok(())
}

fn capture_limit(w: &World<'_>) -> Check {
    let limit = Output::Capture(CaptureLimit::Bytes(1000));
    let outcome = w.run(w.probe("flood 3000000 10").stdout(limit.clone()).stderr(limit))?;
    same("status", outcome.status, Status::Exited(0))?;
    same("stdout", (outcome.stdout.bytes.len(), outcome.stdout.dropped), (1000, 2_999_000))?;
    same("stderr", (outcome.stderr.bytes.len(), outcome.stderr.dropped), (10, 0))
}

fn not_utf8(w: &World<'_>) -> Check {
    same("stdout", w.run(w.probe("bytes"))?.stdout.bytes, b"\xff\xfe\0\x80z".to_vec())
}

fn merged(w: &World<'_>) -> Check {
    let outcome = w.run(w.probe("say 1 a , say 2 b , say 1 c").stderr(Output::ToStdout))?;
    same("stdout", outcome.stdout.bytes, b"abc".to_vec())?;
    same("stderr", outcome.stderr.bytes, Vec::new())
}

fn null(w: &World<'_>) -> Check {
    let outcome = w.run(w.probe(BOTH).stdout(Output::Null).stderr(Output::Null))?;
    same("status", outcome.status, Status::Exited(0))?;
    same("stdout", outcome.stdout.bytes, Vec::new())?;
    same("stderr", outcome.stderr.bytes, Vec::new())
}

fn file(w: &World<'_>) -> Check {
    let (out, err) = (w.shared().join("out"), w.shared().join("err"));
    fs::write(&out, "before ")?;
    let config = w.probe(BOTH).stdout(Output::File(out.clone())).stderr(Output::File(err.clone()));
    let outcome = w.run(config)?;
    same("captured", outcome.stdout.bytes, Vec::new())?;
    same("stdout", fs::read_to_string(out)?, "before out")?;
    same("stderr", fs::read_to_string(err)?, "err")
}

fn merged_into_file(w: &World<'_>) -> Check {
    let log = w.shared().join("log");
    let config = w.probe("say 1 a , say 2 b , say 1 c");
    w.run(config.stdout(Output::File(log.clone())).stderr(Output::ToStdout))?;
    same("log", fs::read_to_string(log)?, "abc")
}

fn no_such_directory(w: &World<'_>) -> Check {
    let config = w.probe(BOTH).stdout(Output::File(w.shared().join("absent/log")));
    w.refuses_naming(config, &["absent/log", "No such file or directory"])
}

fn stdin_null(w: &World<'_>) -> Check {
    same("stdout", w.says(w.probe("cat"))?, "")
}

fn stdin_piped(w: &World<'_>) -> Check {
    let mut child = w.start(w.probe("cat").stdin(Input::Piped))?;
    let mut stdin = child.stdin.take().ok_or(Failure::wrong("there is no pipe"))?;
    stdin.write_all(b"piped\xff")?;
    drop(stdin);
    same("stdout", child.wait()?.stdout.bytes, b"piped\xff".to_vec())
}

fn stdin_file(w: &World<'_>) -> Check {
    let config = w.probe("cat").stdin(Input::File(w.shared().join("marker")));
    same("stdout", w.says(config)?, "shared")
}

fn stdin_missing(w: &World<'_>) -> Check {
    let config = w.probe("cat").stdin(Input::File(w.shared().join("absent")));
    w.refuses_naming(config, &["shared/absent", "No such file or directory"])
}

fn inherited(w: &World<'_>) -> Check {
    let streams = || (Stdio::piped(), Stdio::piped(), Stdio::piped());
    let (stdin, stdout, stderr) = streams();
    let mut caller = w.role("", "inherit")?.stdin(stdin).stdout(stdout).stderr(stderr).spawn()?;
    let missing = || Failure::wrong("a pipe is missing");
    let mut stdin = caller.stdin.take().ok_or_else(missing)?;
    let mut stdout = BufReader::new(caller.stdout.take().ok_or_else(missing)?);
    let mut stderr = caller.stderr.take().ok_or_else(missing)?;
    // Line by line: an answer comes back while the command still runs, and waits for the next.
    for line in ["one\n", "two\n"] {
        stdin.write_all(line.as_bytes())?;
        let mut answer = String::new();
        stdout.read_line(&mut answer)?;
        same("answer", answer.as_str(), line)?;
    }
    drop(stdin);
    let mut said = String::new();
    stderr.read_to_string(&mut said)?;
    same("stderr", said.as_str(), "err")?;
    ensure!(caller.wait()?.success(), "the caller failed");
    Ok(())
}

fn inherit_role(w: &World<'_>) -> Check {
    let config = w.probe("cat , say 2 err").stdin(Input::Inherit);
    let outcome = w.run(config.stdout(Output::Inherit).stderr(Output::Inherit))?;
    same("status", outcome.status, Status::Exited(0))
}

fn closed(w: &World<'_>) -> Check {
    w.play("", "closed")
}

/// A caller without standard streams: the numbers 0 to 2 are free, and pipes will get them.
fn closed_role(w: &World<'_>) -> Check {
    for fd in 0..3 {
        nix::unistd::close(fd)?;
    }
    let outcome = w.run(w.probe(BOTH))?;
    same("stdout", outcome.stdout.bytes, b"out".to_vec())?;
    same("stderr", outcome.stderr.bytes, b"err".to_vec())?;
    let config = w.probe("cat , say 1 out").stdin(Input::Inherit).stdout(Output::Inherit);
    let outcome = w.run(config.stderr(Output::Inherit))?;
    same("status with nothing to inherit", outcome.status, Status::Exited(0))?;
    same("descriptors", w.says(w.probe("fds"))?, "0 1 2")
}

fn orphan_holds(w: &World<'_>) -> Check {
    let start = Instant::now();
    let config = w.probe("orphan /work/beat").processes(Isolation::Isolated);
    let outcome = w.run(config)?;
    same("status", outcome.status, Status::Exited(0))?;
    ensure!(start.elapsed() < Duration::from_secs(5), "waited for an orphan that holds stdout");
    Ok(())
}

/// A plain child's orphan keeps the pipe open: nothing comes to its end while it lives.
fn orphan_would_hold(w: &World<'_>) -> Check {
    let beat = w.path("/work/control").display().to_string();
    let mut child = w.host(&format!("orphan {beat}")).stdout(Stdio::piped()).spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or(Failure::wrong("no pipe"))?);
    let mut pid = String::new();
    stdout.read_line(&mut pid)?;
    child.wait()?;
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let end = stdout.read_to_end(&mut Vec::new());
        // Nobody listens any more where the end came late, as it should.
        let _ = tell.send(end.is_ok());
    });
    let early = told.recv_timeout(Duration::from_millis(300)).is_ok();
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse()?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
    ensure!(reader.join().is_ok(), "the reader panicked");
    ensure!(!early, "the orphan did not hold the pipe");
    Ok(())
}

/// It would lead out: a working directory of the host.
fn stdin_directory(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").stdin(Input::File(w.outside()));
    w.refuses_naming(config, &["directory", "stdin"])
}

fn output_directory(w: &World<'_>) -> Check {
    let outside = std::fs::File::open(w.outside())?;
    let directory = || Output::Descriptor(outside.as_raw_fd());
    w.refuses_naming(w.probe("exit 0").stdout(directory()), &["directory", "stdout"])?;
    w.refuses_naming(w.probe("exit 0").stderr(directory()), &["directory", "stderr"])
}
