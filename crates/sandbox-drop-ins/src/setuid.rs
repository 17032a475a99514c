//! Privileges that come from the file of the program, not from its caller: they are given up at once.
//!
//! None of these programs needs them: what a plain user cannot do without a user namespace, it does in
//! one. So a set-user-ID copy is as safe as one without that bit.

use std::fs;
use std::io;

use nix::sys::prctl::set_dumpable;
use nix::unistd::{getegid, geteuid, getgid, getuid, setresgid, setresuid};

/// Why the program must not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    /// The kernel did not let this process become its caller.
    #[error("cannot give up the privileges of a set-user-ID program: {0}")]
    Kept(io::Error),
    /// The file has capabilities of its own, as setcap(8) gives them.
    #[error(
        "this program has file capabilities, which it needs not and must not use: take them away \
         (setcap -r FILE)"
    )]
    FileCapabilities,
}

/// Becomes the caller for good, where the program's file is set-user-ID or set-group-ID, and can be
/// looked into as the caller's other processes can (`PR_SET_DUMPABLE`, prctl(2)): otherwise its own
/// `/proc` would be closed to it.
///
/// Call it first, before anything is read or opened.
pub(crate) fn give_up_privileges() -> Result<(), PrivilegeError> {
    let (uid, gid) = (getuid(), getgid());
    if geteuid() != uid || getegid() != gid {
        let kept = |errno: nix::errno::Errno| PrivilegeError::Kept(errno.into());
        setresgid(gid, gid, gid).map_err(kept)?;
        setresuid(uid, uid, uid).map_err(kept)?;
        set_dumpable(true).map_err(kept)?;
    }
    if uid.is_root() {
        return Ok(());
    }
    let status = fs::read_to_string("/proc/self/status").map_err(PrivilegeError::Kept)?;
    if from_the_file(&status) { Err(PrivilegeError::FileCapabilities) } else { Ok(()) }
}

/// Whether a user's process has capabilities that are not ambient: those came with the file.
fn from_the_file(status: &str) -> bool {
    let [permitted, ambient] = ["CapPrm:", "CapAmb:"].map(|name| capabilities(status, name));
    permitted & !ambient != 0
}

/// A set of capabilities in the text of `/proc/PID/status`; empty where there is none of that name.
pub(crate) fn capabilities(status: &str, name: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix(name));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambient_capabilities_are_the_callers_own() {
        let status = |permitted: &str, ambient: &str| {
            format!("Name:\tx\nCapInh:\t0\nCapPrm:\t{permitted}\nCapEff:\t0\nCapAmb:\t{ambient}\n")
        };
        assert!(!from_the_file(&status("0000000000000000", "0000000000000000")));
        assert!(!from_the_file(&status("0000000000200000", "0000000000200000")));
        assert!(from_the_file(&status("0000000000200000", "0000000000000000")));
        assert!(from_the_file(&status("000001ffffffffff", "0000000000200000")));
        assert!(!from_the_file("no such lines"));
    }

    #[test]
    fn a_program_without_privileges_of_its_own_goes_on() {
        assert!(give_up_privileges().is_ok());
    }
}
