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

    /// The path of a descriptor in the host's /proc.
    pub(super) fn of_descriptor(fd: i32) -> Self {
        const PREFIX: &[u8] = b"/proc/self/fd/";
        let mut digits = [0; 10];
        let mut start = digits.len();
        let mut rest = fd.unsigned_abs();
        while start > 0 && (rest > 0 || start == digits.len()) {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let mut word = [0; SIZE];
        let bytes = PREFIX.iter().chain(digits.get(start..).unwrap_or_default());
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(word)
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_have_paths() {
        for (fd, path) in [(0, c"/proc/self/fd/0"), (1024, c"/proc/self/fd/1024")] {
            assert_eq!(Word::of_descriptor(fd).as_c_str(), path);
        }
    }
}
