//! What the child executes: init's words, the programs to try, the command's words and its variables.

use std::ffi::CString;
use std::fmt::Write;
use std::sync::atomic::AtomicPtr;

use sandbox_core::{Exec, FIRST_LISTEN_FD, ListenPid, SeccompProgram};

use super::program::Image;
use super::protocol::{INIT_NAME, LISTEN_PID};
use crate::descriptors::copy_at_least;
use crate::error::SpawnError;
use crate::words::Words;

/// The variable that names the working directory, as far as it is known.
pub(super) const PWD: &[u8] = b"PWD=";

/// Compiles an exec. `limits` are words for the init.
pub(super) fn image(exec: &Exec, limits: Vec<CString>) -> Result<Image, SpawnError> {
    let Words { candidates, arguments, mut variables } = Words::of(exec)?;
    let (programs, filters) = (count(candidates.len()), count(exec.seccomp.len()));
    let limit_words = count(limits.len());
    // The second word has init's parameters, which the child puts in.
    let mut strings = vec![INIT_NAME.to_owned(), CString::default()];
    strings.extend(candidates);
    strings.extend(exec.seccomp.iter().map(hexadecimal));
    strings.extend(limits);
    strings.extend(arguments);
    let words = strings.len();
    let tells_pid = exec.listen_pid == ListenPid::Own;
    if tells_pid {
        // The number is known once there is the process.
        variables.retain(|variable| !variable.to_bytes().starts_with(LISTEN_PID));
        variables.push(CString::new(LISTEN_PID).unwrap_or_default());
    }
    let listen_pid = tells_pid.then(|| variables.len() - 1);
    let pwd = variables.iter().position(|variable| variable.to_bytes().starts_with(PWD));
    strings.extend(variables);
    let pointers = |strings: &[CString]| {
        let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
        pointers.chain([std::ptr::null_mut()]).map(AtomicPtr::new).collect()
    };
    let own_from = own_from(exec);
    let copies = exec.listen_fds.iter().map(|number| {
        copy_at_least(own_from, *number).map_err(|source| {
            SpawnError::host(
                format!("give the command descriptor {number} of the caller's"),
                source,
            )
        })
    });
    Ok(Image {
        listen_fds: copies.collect::<Result<_, _>>()?,
        own_from,
        first: exec.first,
        argv: pointers(&strings[..words]),
        envp: pointers(&strings[words..]),
        pwd,
        listen_pid,
        candidates: programs,
        filters,
        limits: limit_words,
        programs: exec.seccomp.iter().map(instructions).collect(),
        descriptors: exec.descriptors.clone(),
        _strings: strings,
    })
}

/// The first number that a descriptor of the sandbox's own can have: those below are the command's.
pub(super) fn own_from(exec: &Exec) -> i32 {
    FIRST_LISTEN_FD.saturating_add(count(exec.listen_fds.len()))
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A word of init's can hold no NUL.
fn hexadecimal(program: &SeccompProgram) -> CString {
    let mut text = String::with_capacity(program.bytes().len() * 2);
    for byte in program.bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    CString::new(text).unwrap_or_default()
}

fn instructions(program: &SeccompProgram) -> Vec<libc::sock_filter> {
    let (instructions, _) = program.bytes().as_chunks::<8>();
    let instruction = |&[a, b, jt, jf, k @ ..]: &[u8; 8]| libc::sock_filter {
        code: u16::from_ne_bytes([a, b]),
        jt,
        jf,
        k: u32::from_ne_bytes(k),
    };
    instructions.iter().map(instruction).collect()
}
