//! Strings of the child's own, on its stack.

use core::ffi::CStr;

use super::kernel::Errno;

/// What the kernel takes of a path, with its NUL (`PATH_MAX`).
const SIZE: usize = 4096;

/// A piece of a path, with a NUL at its end.
pub(super) struct Word([u8; SIZE]);

impl Word {
    /// A piece without a NUL.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Errno> {
        let mut word = [0; SIZE];
        match word.get_mut(..bytes.len()) {
            Some(room) if bytes.len() < SIZE => room.copy_from_slice(bytes),
            _ => return Err(libc::ENAMETOOLONG),
        }
        Ok(Self(word))
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}
