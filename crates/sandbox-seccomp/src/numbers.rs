//! The machines, their ABIs, and the numbers that a call has in each.

use std::str::FromStr;

/// Machines that filters can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Machine {
    /// With x32 and i386.
    X86_64,
    /// With 32-bit ARM.
    Aarch64,
    /// With riscv32.
    Riscv64,
}

impl Machine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Riscv64];

    /// By its name in Rust; `None` for one that is not known here.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            "riscv64" => Some(Self::Riscv64),
            _ => None,
        }
    }

    /// The one that this is; `None` where it is not known here.
    pub fn this() -> Option<Self> {
        Self::named(std::env::consts::ARCH)
    }

    /// Its ABIs, the usual one first.
    pub fn abis(self) -> [Abi; 2] {
        match self {
            Self::X86_64 => [Abi::X86_64, Abi::I386],
            Self::Aarch64 => [Abi::Aarch64, Abi::Arm],
            Self::Riscv64 => [Abi::Riscv64, Abi::Riscv32],
        }
    }
}

/// An interface of the kernel for system calls, as a filter can tell it apart: by its `AUDIT_ARCH_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Abi {
    /// With x32, which a bit of the number tells apart.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
    /// 64-bit RISC-V.
    Riscv64,
    /// 32-bit RISC-V.
    Riscv32,
}

/// `__X32_SYSCALL_BIT`
pub const X32_BIT: u32 = 0x4000_0000;

/// The calls that x32 has numbers of its own for, from 512 on (`arch/x86/entry/syscalls/syscall_64.tbl`).
/// The others have those of x86_64.
const X32: [(&str, u32); 36] = [
    ("rt_sigaction", 512),
    ("rt_sigreturn", 513),
    ("ioctl", 514),
    ("readv", 515),
    ("writev", 516),
    ("recvfrom", 517),
    ("sendmsg", 518),
    ("recvmsg", 519),
    ("execve", 520),
    ("ptrace", 521),
    ("rt_sigpending", 522),
    ("rt_sigtimedwait", 523),
    ("rt_sigqueueinfo", 524),
    ("sigaltstack", 525),
    ("timer_create", 526),
    ("mq_notify", 527),
    ("kexec_load", 528),
    ("waitid", 529),
    ("set_robust_list", 530),
    ("get_robust_list", 531),
    ("vmsplice", 532),
    ("move_pages", 533),
    ("preadv", 534),
    ("pwritev", 535),
    ("rt_tgsigqueueinfo", 536),
    ("recvmmsg", 537),
    ("sendmmsg", 538),
    ("process_vm_readv", 539),
    ("process_vm_writev", 540),
    ("setsockopt", 541),
    ("getsockopt", 542),
    ("io_setup", 543),
    ("io_submit", 544),
    ("execveat", 545),
    ("preadv2", 546),
    ("pwritev2", 547),
];

impl Abi {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::X86_64, Self::I386, Self::Aarch64, Self::Arm, Self::Riscv64, Self::Riscv32];

    /// `AUDIT_ARCH_*` (linux/audit.h)
    pub fn architecture(self) -> u32 {
        match self {
            Self::X86_64 => 0xC000_003E,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xC000_00B7,
            Self::Arm => 0x4000_0028,
            Self::Riscv64 => 0xC000_00F3,
            Self::Riscv32 => 0x4000_00F3,
        }
    }

    /// The bits of a number that count. Kernels have answered to the numbers of x32 and of x86_64 alike
    /// with and without [`X32_BIT`].
    pub fn mask(self) -> u32 {
        match self {
            Self::X86_64 => !X32_BIT,
            _ => u32::MAX,
        }
    }

    /// The numbers of a call, under the mask. None where the ABI has no such call.
    pub fn numbers(self, call: &str) -> impl Iterator<Item = u32> {
        fn number<S: FromStr>(call: &str, id: impl Fn(&S) -> i32) -> Option<u32> {
            call.parse().ok().and_then(|call: S| u32::try_from(id(&call)).ok())
        }
        let own = match self {
            Self::X86_64 => number(call, syscalls::x86_64::Sysno::id),
            Self::I386 => number(call, syscalls::x86::Sysno::id),
            Self::Aarch64 => number(call, syscalls::aarch64::Sysno::id),
            Self::Arm => number(call, syscalls::arm::Sysno::id),
            Self::Riscv64 => number(call, syscalls::riscv64::Sysno::id),
            Self::Riscv32 => number(call, syscalls::riscv32::Sysno::id),
        };
        let x32 = X32.iter().find(|(name, _)| self == Self::X86_64 && *name == call);
        own.into_iter().chain(x32.map(|(_, number)| *number))
    }
}

/// Whether any ABI has a call of this name.
pub(crate) fn is_call(name: &str) -> bool {
    Abi::ALL.iter().any(|abi| abi.numbers(name).next().is_some())
}

/// The number of an error by its name in errno(3), as all these machines have it.
pub(crate) fn errno(name: &str) -> Option<u16> {
    const LAST: i32 = 133;
    let number = (1..=LAST).find(|number| syscalls::Errno::new(*number).name() == Some(name))?;
    u16::try_from(number).ok()
}
