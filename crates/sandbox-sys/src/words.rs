//! The command as execve(2) takes it: the programs to try, its words, and its environment.

use std::env;
use std::ffi::{CString, NulError, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use sandbox_core::Exec;

use crate::error::SpawnError;

/// Where programs are looked for when the command's environment has no `PATH`, as execvp(3) does.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// The strings of an exec.
pub(crate) struct Words {
    /// The paths to try as the program, in order; never empty.
    pub(crate) candidates: Vec<CString>,
    /// The program as it was given, and its arguments.
    pub(crate) arguments: Vec<CString>,
    /// `NAME=value`, each.
    pub(crate) variables: Vec<CString>,
}

impl Words {
    /// With the environment of this process for what the command's takes over.
    pub(crate) fn of(exec: &Exec) -> Result<Self, SpawnError> {
        Self::with(exec).map_err(|source| SpawnError::Exec {
            program: exec.command.program().to_owned(),
            hint: None,
            source: source.into(),
        })
    }

    fn with(exec: &Exec) -> Result<Self, NulError> {
        let env = exec.env.resolve(env::vars_os());
        let candidates = candidates(exec.command.program(), env.get(OsStr::new("PATH")));
        let words = exec.command.words();
        let name = exec.argv0.as_ref().or(words.first());
        let arguments = name.into_iter().chain(words.iter().skip(1));
        let variables = env
            .iter()
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .map(CString::new);
        Ok(Self {
            candidates: candidates.into_iter().map(c_string).collect::<Result<_, _>>()?,
            arguments: arguments.map(c_string).collect::<Result<_, _>>()?,
            variables: variables.collect::<Result<_, _>>()?,
        })
    }
}

/// A string as the kernel takes it.
pub(crate) fn c_string(text: impl AsRef<OsStr>) -> Result<CString, NulError> {
    CString::new(text.as_ref().as_bytes())
}

/// The paths to try, as execvp(3) does.
fn candidates(program: &OsStr, path: Option<&OsString>) -> Vec<OsString> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = path.map_or(DEFAULT_PATH.as_ref(), OsString::as_os_str);
    let directories = path.as_bytes().split(|byte| *byte == b':');
    let full = directories.map(|directory| {
        let directory = if directory.is_empty() { b"." } else { directory };
        OsString::from_vec([directory, b"/", program.as_bytes()].concat())
    });
    full.collect()
}

/// What the error number of an exec means here.
pub(crate) fn exec_hint(errno: i32) -> Option<String> {
    let hint = match errno {
        libc::ENOENT => {
            "there is no such program in the sandbox, or the interpreter that it names \
             (#! line, dynamic loader) is missing there"
        }
        libc::EACCES => "it is not an executable file, or is on a noexec mount",
        libc::ENOEXEC => "it is neither a program of this machine nor a script with a #! line",
        libc::E2BIG => {
            "the arguments and the environment are longer than the kernel takes, execve(2)"
        }
        libc::EAGAIN => {
            "the limit of processes is reached: raise `ulimit -u`, or the pids limit of the cgroup"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_as_execvp_does() {
        let path = OsString::from("/a::b");
        let of = |program: &str| candidates(program.as_ref(), Some(&path));
        assert_eq!(of("make"), ["/a/make", "./make", "b/make"]);
        assert_eq!(of("./make"), ["./make"]);
        assert_eq!(candidates("sh".as_ref(), None)[2], "/bin/sh");
    }
}
