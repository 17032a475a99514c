//! What a sandbox has as its console: the command's terminal.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use sandbox_core::{Exec, Input, Output};

/// What is bound where the command has no terminal.
const NOTHING: &str = "/dev/null";
/// The kernel's console, whichever terminal that is (console(4)).
const HOSTS: (u32, u32) = (5, 1);

/// The path, on the host, of the terminal that is the first of the command's streams to be one; else of
/// what is like none.
pub(super) fn source(exec: Option<&Exec>) -> PathBuf {
    let streams = exec.into_iter().flat_map(|exec| {
        let output = |output: &Output, callers| match output {
            Output::Inherit => Some(callers),
            Output::Descriptor(number) => Some(*number),
            _ => None,
        };
        let input = match exec.stdin {
            Input::Inherit => Some(0),
            Input::Descriptor(number) => Some(number),
            _ => None,
        };
        [input, output(&exec.stdout, 1), output(&exec.stderr, 2)]
    });
    streams.flatten().find_map(terminal).unwrap_or_else(|| NOTHING.into())
}

/// The path of a terminal that is open, where it leads to the same one here: it may have been opened in
/// another mount namespace.
fn terminal(number: i32) -> Option<PathBuf> {
    let descriptor = format!("/proc/self/fd/{number}");
    let open = fs::metadata(&descriptor).ok().filter(|file| file.file_type().is_char_device())?;
    let hosts = libc::makedev(HOSTS.0, HOSTS.1);
    if open.rdev() == hosts || !is_terminal(number) {
        return None;
    }
    let path = fs::read_link(descriptor).ok()?;
    let there = fs::metadata(&path).ok()?;
    let same = (there.dev(), there.ino(), there.rdev()) == (open.dev(), open.ino(), open.rdev());
    same.then_some(path)
}

#[allow(unsafe_code, reason = "asks about a descriptor by its number")]
fn is_terminal(number: i32) -> bool {
    // SAFETY: takes no pointer; a number that is not open is none.
    unsafe { libc::isatty(number) == 1 }
}
