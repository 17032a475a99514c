//! Descriptors that the caller has left open for this program, by their numbers.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::RawFd;

use sandbox_sys::inherited;

/// All that can be read from it. It is closed then, as what was read cannot be read again; the three
/// streams are left open, so that nothing else gets their numbers.
pub(super) fn read_all(number: RawFd) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::from(inherited(number)?).read_to_end(&mut content)?;
    if number > 2 {
        nix::unistd::close(number)?;
    }
    Ok(content)
}
