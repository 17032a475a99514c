//! The child's stack.
//!
//! # Safety
//!
//! A private mapping with a guard page below it, unmapped on drop. Its owner must not drop it while a
//! child runs on it.
#![allow(unsafe_code, reason = "mmap(2)")]

use std::ffi::c_void;
use std::io;
use std::ptr;

/// Plenty: the child's frames are small, and it does not recurse.
const SIZE: usize = 64 * 1024;
/// At least a page, on every machine.
const GUARD: usize = 64 * 1024;

pub(super) struct Stack {
    base: *mut c_void,
}

impl Stack {
    pub(super) fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping, wherever the kernel puts it, touches nothing else.
        let base =
            unsafe { libc::mmap(ptr::null_mut(), GUARD + SIZE, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self { base };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the upper part of the mapping that was just made.
        if unsafe { libc::mprotect(base.byte_add(GUARD), SIZE, access) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    /// The highest address, where a stack begins; aligned as every ABI wants it, being a page's.
    pub(super) fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping, which is not read.
        unsafe { self.base.byte_add(GUARD + SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; nobody runs on it any more.
        unsafe { libc::munmap(self.base, GUARD + SIZE) };
    }
}
