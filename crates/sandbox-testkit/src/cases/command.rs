//! The command: how its end is told, and that it gets its words as they were given.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;

use sandbox_core::{Environment, SandboxConfig, SandboxConfigBuilder, Status};
use sandbox_sys::{RunError, SpawnError};

use crate::case::Case;
use crate::check::{Check, Failure, ensure, names, same};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("command/exit-status", &[], exit_status),
    Case::new("command/signal", &[], signal),
    Case::new("command/not-found", &[], not_found),
    Case::new("command/not-found-on-path", &[], not_found_on_path),
    Case::new("command/not-executable", &[], not_executable),
    Case::new("command/directory", &[], directory),
    Case::new("command/no-program-format", &[], no_program_format),
    Case::new("command/looked-up-on-its-own-path", &[], own_path),
    Case::new("command/relative-to-cwd", &[], relative_to_cwd),
    Case::new("command/words-exact", &[], words_exact),
    Case::new("command/megabyte-of-words", &[], megabyte_of_words),
    Case::new("command/word-too-long", &[], word_too_long),
    Case::new("command/signals-at-default", &[], signals_at_default),
];

fn exit_status(w: &World<'_>) -> Check {
    // 125 to 127 and 137 mean something else to a shell; here they are the command's own.
    for status in [0, 1, 42, 125, 126, 127, 137, 255] {
        let outcome = w.run(w.probe(&format!("exit {status}")))?;
        same("status", outcome.status, Status::Exited(status))?;
    }
    Ok(())
}

fn signal(w: &World<'_>) -> Check {
    for signal in [1, 2, 6, 9, 11, 15] {
        let outcome = w.run(w.probe(&format!("kill-self {signal}")))?;
        same("status", outcome.status, Status::Signaled(signal))?;
        same("shell code", i32::from(outcome.status.shell_code()), 128 + signal)?;
    }
    Ok(())
}

fn program(w: &World<'_>, program: &str) -> SandboxConfigBuilder {
    SandboxConfig::builder([program]).root(w.tree())
}

/// The command is not executed, for this reason, and the error names it.
fn not_executed(w: &World<'_>, name: &str, config: SandboxConfigBuilder) -> Check<ErrorKind> {
    let error = w.refuses(config)?;
    names(&error, &[name])?;
    match error {
        RunError::Spawn(SpawnError::Exec { program, source, .. }) => {
            same("program", program, name)?;
            Ok(source.kind())
        }
        other => Err(Failure::wrong(format!("not an Exec error: {other:?}"))),
    }
}

fn not_found(w: &World<'_>) -> Check {
    let kind = not_executed(w, "/bin/absent", program(w, "/bin/absent"))?;
    same("kind", kind, ErrorKind::NotFound)
}

fn not_found_on_path(w: &World<'_>) -> Check {
    // `sh` is on the host's path, and not in the tree.
    let config = program(w, "sh").env(Environment::exactly([("PATH", "/bin:/usr/bin")]));
    same("kind", not_executed(w, "sh", config)?, ErrorKind::NotFound)
}

fn not_executable(w: &World<'_>) -> Check {
    let kind = not_executed(w, "/etc/marker", program(w, "/etc/marker"))?;
    same("kind", kind, ErrorKind::PermissionDenied)
}

fn directory(w: &World<'_>) -> Check {
    let kind = not_executed(w, "/etc", program(w, "/etc"))?;
    ensure!(
        matches!(kind, ErrorKind::PermissionDenied | ErrorKind::IsADirectory),
        "kind: {kind:?}"
    );
    Ok(())
}

fn no_program_format(w: &World<'_>) -> Check {
    w.file("/bin/text", "neither a program nor a script\n", 0o755)?;
    let error = w.refuses(program(w, "/bin/text"))?;
    // execvp(3) would hand such a file to a shell; nobody asked for one.
    match error {
        RunError::Spawn(SpawnError::Exec { source, .. }) => {
            same("errno", source.raw_os_error(), Some(nix::errno::Errno::ENOEXEC as i32))
        }
        other => Err(Failure::wrong(format!("not an Exec error: {other:?}"))),
    }
}

fn own_path(w: &World<'_>) -> Check {
    let config = SandboxConfig::builder(["probe", "args", "found"]).root(w.tree());
    let config = config.env(Environment::exactly([("PATH", "/nowhere:/bin")]));
    same("stdout", w.says(config)?, "5:found")
}

fn relative_to_cwd(w: &World<'_>) -> Check {
    let config = SandboxConfig::builder(["./probe", "cwd"]).root(w.tree()).cwd("/bin");
    same("stdout", w.says(config)?, "/bin")
}

fn words_exact(w: &World<'_>) -> Check {
    let odd: &[&[u8]] =
        &[b"a b", b"", b"$HOME", b"*", b"\"'\\", b"line\nline", b"\xff\xfe", b",", b"--", b"-x"];
    let words = [&b"/bin/probe"[..], b"args"].into_iter().chain(odd.iter().copied());
    let config = SandboxConfig::builder(words.map(|word| OsString::from_vec(word.to_vec())));
    let outcome = w.run(config.root(w.tree()))?;
    let mut expected = Vec::new();
    for word in odd {
        expected.extend_from_slice(format!("{}:", word.len()).as_bytes());
        expected.extend_from_slice(word);
        expected.push(b'\n');
    }
    same("stdout", outcome.stdout.bytes, expected)
}

fn megabyte_of_words(w: &World<'_>) -> Check {
    let long = std::iter::repeat_n("x".repeat(100_000), 10);
    let short = std::iter::repeat_n("y".to_owned(), 5_000);
    let words = ["/bin/probe", "count-args"].map(str::to_owned);
    let config = SandboxConfig::builder(words.into_iter().chain(long).chain(short));
    same("stdout", w.says(config.root(w.tree()))?, "5010 1005000")
}

fn word_too_long(w: &World<'_>) -> Check {
    // Linux takes no single word of 128 KiB or more, wherever the rest ends.
    let words = ["/bin/probe".to_owned(), "args".to_owned(), "x".repeat(200_000)];
    let error = w.refuses(SandboxConfig::builder(words).root(w.tree()))?;
    match error {
        RunError::Spawn(SpawnError::Exec { source, .. }) => {
            same("kind", source.kind(), ErrorKind::ArgumentListTooLong)
        }
        other => Err(Failure::wrong(format!("not an Exec error: {other:?}"))),
    }
}

fn signals_at_default(w: &World<'_>) -> Check {
    // Rust programs ignore SIGPIPE; a command that inherited that would not end when its reader does.
    same("signals", w.says(w.probe("signals"))?, "default")
}
