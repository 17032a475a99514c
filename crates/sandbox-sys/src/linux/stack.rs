//! The child's stack.
//!
//! # Safety
//!
//! A private mapping with a guard below it. Its owner must not drop it while a child runs on it.
#![allow(unsafe_code, reason = "mmap(2)")]

use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// Plenty: the child's frames hold a dozen paths at most, and it does not recurse. Memory is taken as it is
/// used. AddressSanitizer makes frames larger.
const SIZE: usize = 512 * 1024;
/// At least a page, on every machine.
const GUARD: usize = 64 * 1024;
/// How many unused ones are kept. A child never returns from its frames, which AddressSanitizer remembers of
/// their memory: with it (`cargo xtask sanitize`) each child has a new stack.
const KEPT: usize = if cfg!(sanitized) { 0 } else { 16 };

struct Stack {
    base: *mut c_void,
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for Stack {}

/// Stacks that nobody runs on: a caller that starts many sandboxes needs no new ones.
static UNUSED: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

/// A stack for one child, given back when this is dropped.
pub(super) struct Borrowed(Option<Stack>);

impl Borrowed {
    pub(super) fn new() -> io::Result<Self> {
        let unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).pop();
        unused.map_or_else(Stack::new, Ok).map(|stack| Self(Some(stack)))
    }

    /// The highest address, where a stack begins.
    pub(super) fn top(&self) -> *mut c_void {
        self.0.as_ref().map_or(ptr::null_mut(), Stack::top)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        if unused.len() < KEPT {
            unused.extend(self.0.take());
        }
    }
}

impl Stack {
    fn new() -> io::Result<Self> {
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
    fn top(&self) -> *mut c_void {
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
