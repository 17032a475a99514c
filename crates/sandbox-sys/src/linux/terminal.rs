//! The seccomp filter that keeps a sandbox from typing into the caller's terminal.
//!
//! `TIOCSTI` and `TIOCLINUX` (ioctl_tty(2)) push input into a terminal, where the caller's shell
//! reads it once the sandbox has ended. They are refused with EPERM, in every ABI of the machine. A
//! session of its own would help too, but would cost the command its job control.
//!
//! The kernel uses the low 32 bits of the request only, and so does the filter. It is written by hand
//! because filter libraries answer one ABI and kill the others, and a build may well run 32-bit code.

#![allow(clippy::cast_possible_truncation, reason = "BPF codes have 16 bits")]

use libc::sock_filter;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const SECOND_ARGUMENT: u32 = 24;

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

const fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn equal(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt, jf, k }
}

const fn answer(value: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, value)
}

/// The number of ioctl in the machine's own ABI, and in each other one, with its `AUDIT_ARCH_*`.
#[cfg(target_arch = "x86_64")]
mod abi {
    pub(super) const NATIVE: (u32, u32) = (0xC000_003E, 16);
    /// i386.
    pub(super) const OTHER: (u32, u32) = (0x4000_0003, 54);
    /// x32 has the native architecture, and numbers of its own: 514 with bit 30 set.
    pub(super) const NATIVE_TOO: u32 = 0x4000_0202;
}

#[cfg(target_arch = "aarch64")]
mod abi {
    pub(super) const NATIVE: (u32, u32) = (0xC000_00B7, 29);
    /// 32-bit ARM.
    pub(super) const OTHER: (u32, u32) = (0x4000_0028, 54);
    pub(super) const NATIVE_TOO: u32 = 29;
}

#[cfg(target_arch = "riscv64")]
mod abi {
    pub(super) const NATIVE: (u32, u32) = (0xC000_00F3, 29);
    /// riscv32.
    pub(super) const OTHER: (u32, u32) = (0x4000_00F3, 29);
    pub(super) const NATIVE_TOO: u32 = 29;
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// Jumps are relative to the next instruction.
pub(super) const FILTER: &[sock_filter] = &[
    load(ARCHITECTURE),
    equal(abi::NATIVE.0, 0, 3),
    // 2: the machine's own ABI.
    load(NUMBER),
    equal(abi::NATIVE.1, 4, 0),
    equal(abi::NATIVE_TOO, 3, 6),
    // 5: another ABI.
    equal(abi::OTHER.0, 0, 5),
    load(NUMBER),
    equal(abi::OTHER.1, 0, 3),
    // 8: an ioctl.
    load(SECOND_ARGUMENT),
    equal(TIOCSTI, 2, 0),
    equal(TIOCLINUX, 1, 0),
    // 11, 12
    answer(ALLOW),
    answer(REFUSE),
];

/// Whether the session has a terminal, into which the command, being of that session, could type. A
/// filter costs time, when it is made and at every system call of the command.
///
/// Without one the command could only get a terminal that is no other session's: nobody reads there.
pub(super) fn is_there() -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    !matches!(open("/dev/tty", flags, Mode::empty()), Err(Errno::ENXIO))
}
