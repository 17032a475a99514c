//! System calls without libc.
//!
//! libc's wrappers write `errno`, which is thread-local. A child that shares its parent's memory
//! (`CLONE_VM`) also shares that variable, and the sandbox's init has no libc at all. Here the
//! result is returned as the kernel gives it: a negative errno on failure.
//!
//! This file uses `core` only: the library and the init program both compile it.
#![allow(dead_code, reason = "each of the two programs needs only some of it")]
#![allow(clippy::many_single_char_names, reason = "the kernel's arguments have no better names")]

use core::arch::asm;
use core::ffi::c_long;

/// Splits a raw return value into a result and an errno.
#[inline]
pub(crate) fn result(value: isize) -> Result<usize, i32> {
    usize::try_from(value).map_err(|_| i32::try_from(value.unsigned_abs()).unwrap_or(i32::MAX))
}

/// # Safety
///
/// The arguments must be what the system call `number` asks for.
#[inline]
pub(crate) unsafe fn syscall0(number: c_long) -> isize {
    // SAFETY: promised by the caller; the kernel reads only the arguments that the call has.
    unsafe { syscall6(number, 0, 0, 0, 0, 0, 0) }
}

/// # Safety
///
/// See [`syscall0`].
#[inline]
pub(crate) unsafe fn syscall1(number: c_long, a: usize) -> isize {
    // SAFETY: see `syscall0`.
    unsafe { syscall6(number, a, 0, 0, 0, 0, 0) }
}

/// # Safety
///
/// See [`syscall0`].
#[inline]
pub(crate) unsafe fn syscall2(number: c_long, a: usize, b: usize) -> isize {
    // SAFETY: see `syscall0`.
    unsafe { syscall6(number, a, b, 0, 0, 0, 0) }
}

/// # Safety
///
/// See [`syscall0`].
#[inline]
pub(crate) unsafe fn syscall3(number: c_long, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: see `syscall0`.
    unsafe { syscall6(number, a, b, c, 0, 0, 0) }
}

/// # Safety
///
/// See [`syscall0`].
#[inline]
pub(crate) unsafe fn syscall4(number: c_long, a: usize, b: usize, c: usize, d: usize) -> isize {
    // SAFETY: see `syscall0`.
    unsafe { syscall6(number, a, b, c, d, 0, 0) }
}

/// # Safety
///
/// See [`syscall0`].
#[inline]
#[rustfmt::skip]
pub(crate) unsafe fn syscall5(
    number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize,
) -> isize {
    // SAFETY: see `syscall0`.
    unsafe { syscall6(number, a, b, c, d, e, 0) }
}

/// # Safety
///
/// See [`syscall0`].
#[inline]
#[rustfmt::skip]
pub(crate) unsafe fn syscall6(
    number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize,
) -> isize {
    let value: isize;
    // SAFETY: the caller promises that the call is right; the registers are those of syscall(2),
    // and those that the kernel overwrites are declared.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => value,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => value,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    // SAFETY: as above. The kernel may discard the vector registers, hence the clobber_abi.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") a => value,
            in("a1") b, in("a2") c, in("a3") d, in("a4") e, in("a5") f,
            clobber_abi("C"),
            options(nostack),
        );
    }
    value
}
