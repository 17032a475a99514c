//! For a program that was installed set-user-ID or set-group-ID: it goes on as the user who called it.

use nix::errno::Errno;
use nix::sys::prctl::set_dumpable;
use nix::unistd::{getresgid, getresuid, setresgid, setresuid};

/// Becomes the real user and group, for good, with which the kernel takes the capabilities away, too.
/// Nothing happens where those are the effective ones already.
///
/// # Errors
/// The kernel refuses: the program must not go on then.
pub(crate) fn give_up_privileges() -> Result<(), Errno> {
    let (user, group) = (getresuid()?, getresgid()?);
    let is_plain = [user.effective, user.saved] == [user.real; 2]
        && [group.effective, group.saved] == [group.real; 2];
    if is_plain {
        return Ok(());
    }
    setresgid(group.real, group.real, group.real)?;
    setresuid(user.real, user.real, user.real)?;
    // Else the files of this process in /proc stay root's, and with them the maps of its ids.
    set_dumpable(true)
}
