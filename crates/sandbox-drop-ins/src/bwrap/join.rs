//! Namespaces that exist already, and are entered before the sandbox is made.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use sandbox_sys::inherited;

use super::error::BwrapError;
use super::request::Join;

/// Enters them: the user namespaces first, as they give the rights to the rest.
///
/// What is made afterwards is the second user namespace's, where there is one.
pub(super) fn enter(join: Join) -> Result<(), BwrapError> {
    let each = [
        ("--userns", join.user, CloneFlags::CLONE_NEWUSER),
        ("--userns2", join.user_after, CloneFlags::CLONE_NEWUSER),
        ("--pidns", join.processes, CloneFlags::CLONE_NEWPID),
    ];
    for (option, number, kind) in each {
        if let Some(number) = number {
            enter_one(number, kind).map_err(|source| BwrapError::Join {
                option,
                number,
                source,
            })?;
        }
    }
    Ok(())
}

fn enter_one(number: RawFd, kind: CloneFlags) -> std::io::Result<()> {
    Ok(setns(inherited(number)?, kind)?)
}

/// Whether no user namespace can be made from here on. Found by trying: if that works, this process is
/// in one, and good for nothing but an error message.
pub(super) fn assert_last() -> Result<(), BwrapError> {
    match unshare(CloneFlags::CLONE_NEWUSER) {
        Err(Errno::ENOSPC) => Ok(()),
        _ => Err(BwrapError::UserNamespacesLeft),
    }
}
