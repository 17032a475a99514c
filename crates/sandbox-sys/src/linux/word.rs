//! Strings of the child's own, on its stack.

use core::ffi::CStr;

use super::kernel::Errno;

/// What the kernel takes of a path, with its NUL (`PATH_MAX`).
const SIZE: usize = 4096;

/// A piece of a path, with a NUL at its end.
pub(super) struct Word {
    bytes: [u8; SIZE],
    len: usize,
}

impl Word {
    /// A piece without a NUL.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Errno> {
        let mut word = Self { bytes: [0; SIZE], len: 0 };
        word.push(bytes).map(|()| word)
    }

    /// Adds a piece at the end.
    pub(super) fn push(&mut self, more: &[u8]) -> Result<(), Errno> {
        let end = self.len + more.len();
        match self.bytes.get_mut(self.len..end) {
            Some(room) if end < SIZE => room.copy_from_slice(more),
            _ => return Err(libc::ENAMETOOLONG),
        }
        self.len = end;
        Ok(())
    }

    /// What a function writes, which says how much that is.
    pub(super) fn fill(
        read: impl FnOnce(&mut [u8]) -> Result<usize, Errno>,
    ) -> Result<Self, Errno> {
        let mut word = Self { bytes: [0; SIZE], len: 0 };
        word.len = read(&mut word.bytes)?;
        if word.len < SIZE { Ok(word) } else { Err(libc::ENAMETOOLONG) }
    }

    /// The path of a descriptor in the host's /proc.
    pub(super) fn of_descriptor(fd: i32) -> Self {
        Self::of_own(b"/proc/self/fd/", fd)
    }

    /// A prefix, and the number of a descriptor.
    pub(super) fn of_own(prefix: &[u8], fd: i32) -> Self {
        let mut digits = [0; 10];
        let mut start = digits.len();
        let mut rest = fd.unsigned_abs();
        while start > 0 && (rest > 0 || start == digits.len()) {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let mut word = Self { bytes: [0; SIZE], len: 0 };
        // Both are short.
        let _ = word.push(prefix);
        let _ = word.push(digits.get(start..).unwrap_or_default());
        word
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
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
