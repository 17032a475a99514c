//! Descriptors that the caller has left open for this program, by their numbers.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
    recvmsg, socketpair,
};

/// The same open file under a number of our own; an error where there is none.
///
/// A number alone owns nothing. Sent through a socket and received again, it does: no line of unsafe
/// code has to vouch for it.
pub(super) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    let (to, from) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let sent = [ControlMessage::ScmRights(&[number])];
    let byte = [io::IoSlice::new(b".")];
    sendmsg::<()>(to.as_raw_fd(), &byte, &sent, MsgFlags::empty(), None)?;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut received = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&from, &mut [io::IoSliceMut::new(&mut byte)], &mut received, RecvFlags::CMSG_CLOEXEC)?;
    for message in received.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message
            && let Some(descriptor) = descriptors.next()
        {
            return Ok(descriptor);
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound))
}

/// All that can be read from it. It is closed then, as what was read cannot be read again; the three
/// streams are left open, so that nothing else gets their numbers.
pub(super) fn read_all(number: RawFd) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::from(duplicate(number)?).read_to_end(&mut content)?;
    if number > 2 {
        nix::unistd::close(number)?;
    }
    Ok(content)
}
