//! The entry point, in place of the C runtime's.

use core::arch::global_asm;
use core::ffi::{CStr, c_char};

// The kernel enters with argc, argv and envp on the stack: hand `main` a pointer to them.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym main,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {main}",
    "brk #1",
    main = sym main,
);
// The linker may shorten addresses to offsets from gp, except in the line that sets gp.
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start",
    "_start:",
    ".option push",
    ".option norelax",
    "la gp, __global_pointer$",
    ".option pop",
    "mv a0, sp",
    "call {main}",
    "unimp",
    main = sym main,
);

extern "C" fn main(stack: *mut usize) -> ! {
    // SAFETY: `stack` is where execve(2) put argc, argv and its NULL, envp and its NULL. Nothing
    // writes to argv, and all of it lasts as long as the process.
    let (argv, envp) = unsafe {
        let argv = stack.add(1).cast::<*const c_char>();
        (core::slice::from_raw_parts(argv, *stack + 1), argv.add(*stack + 1))
    };
    crate::run(argv, envp)
}

/// The bytes of a C string.
///
/// # Safety
///
/// `start` must be an element of argv or envp, but not a NULL.
pub(crate) unsafe fn bytes<'a>(start: *const c_char) -> &'a [u8] {
    // SAFETY: a NUL-terminated string, says the caller.
    unsafe { CStr::from_ptr(start) }.to_bytes()
}
