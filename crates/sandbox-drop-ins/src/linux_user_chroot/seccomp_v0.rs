//! The profile of `--seccomp-profile-version 0`: what it refuses, in every ABI of the machine.
//!
//! It allows what it does not name. It has one addition to the C program's: `clone3`, which came later
//! and whose flags no filter can see, is answered as by a kernel that has none, so that programs take
//! `clone`. Otherwise a new user namespace would be one call away again.

use nix::libc::{CLONE_NEWUSER, EAFNOSUPPORT, ENOSYS, EPERM};
use sandbox_core::{ConfigError, SeccompProgram};

use super::bpf::{self, Answer, Field, Instruction, Test, answer, keep_bits, load, when};

/// The numbers of a call, in each of the four tables that there are:
/// x86_64 (with x32's own), i386, 32-bit ARM, and the one that newer machines share.
type Numbers = [&'static [u32]; 4];

/// These fail with EPERM.
const REFUSED: [(&str, Numbers); 16] = [
    ("syslog", [&[103], &[103], &[103], &[116]]),
    ("uselib", [&[134], &[86], &[86], &[]]),
    ("personality", [&[135], &[136], &[136], &[92]]),
    ("acct", [&[163], &[51], &[51], &[89]]),
    ("modify_ldt", [&[154], &[123], &[], &[]]),
    ("quotactl", [&[179], &[131], &[131], &[60]]),
    ("move_pages", [&[279, 533], &[317], &[344], &[239]]),
    ("mbind", [&[237], &[274], &[319], &[235]]),
    ("get_mempolicy", [&[239], &[275], &[320], &[236]]),
    ("set_mempolicy", [&[238], &[276], &[321], &[237]]),
    ("migrate_pages", [&[256], &[294], &[400], &[238]]),
    ("unshare", [&[272], &[310], &[337], &[97]]),
    ("mount", [&[165], &[21], &[21], &[40]]),
    ("pivot_root", [&[155], &[217], &[218], &[41]]),
    ("perf_event_open", [&[298], &[336], &[364], &[241]]),
    ("ptrace", [&[101, 521], &[26], &[26], &[117]]),
];

/// Fails with EPERM where it makes a user namespace.
const CLONE: Numbers = [&[56], &[120], &[120], &[220]];

/// Fails with ENOSYS.
const CLONE3: u32 = 435;

/// Fails with EAFNOSUPPORT for all families but [`FAMILIES`]. (i386 has another way, `socketcall`,
/// whose arguments are in memory, where no filter sees them.)
const SOCKET: Numbers = [&[41], &[359], &[281], &[198]];

/// AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
const FAMILIES: [u32; 5] = [0, 1, 2, 10, 16];

/// An interface of the kernel for system calls.
#[derive(Debug, Clone, Copy)]
struct Abi {
    /// `AUDIT_ARCH_*`
    architecture: u32,
    /// Which of [`Numbers`] it has.
    table: usize,
    /// The bits of a call's number that count.
    number: u32,
}

const ALL_BITS: u32 = u32::MAX;

/// With x32, which is told apart by one bit of the number. Kernels have answered to either's numbers
/// with and without it.
const X86_64: Abi = Abi { architecture: 0xC000_003E, table: 0, number: !0x4000_0000 };
const I386: Abi = Abi { architecture: 0x4000_0003, table: 1, number: ALL_BITS };
const ARM: Abi = Abi { architecture: 0x4000_0028, table: 2, number: ALL_BITS };
const AARCH64: Abi = Abi { architecture: 0xC000_00B7, table: 3, number: ALL_BITS };
const RISCV32: Abi = Abi { architecture: 0x4000_00F3, table: 3, number: ALL_BITS };
const RISCV64: Abi = Abi { architecture: 0xC000_00F3, table: 3, number: ALL_BITS };

/// The ABIs of a machine, by its name in Rust; `None` where they are not known.
fn abis(machine: &str) -> Option<[Abi; 2]> {
    match machine {
        "x86_64" => Some([X86_64, I386]),
        "aarch64" => Some([AARCH64, ARM]),
        "riscv64" => Some([RISCV64, RISCV32]),
        _ => None,
    }
}

/// The filter for this machine.
pub(super) fn program() -> Result<SeccompProgram, ConfigError> {
    let machine = std::env::consts::ARCH;
    let abis = abis(machine).ok_or_else(|| ConfigError::Invalid {
        field: "seccomp".into(),
        value: machine.into(),
        expected: "the profile knows x86_64, aarch64 and riscv64".to_owned(),
    })?;
    SeccompProgram::new(bpf::bytes(&filter(&abis)))
}

fn filter(abis: &[Abi]) -> Vec<Instruction> {
    let mut filter = vec![load(Field::Architecture)];
    for abi in abis {
        filter.extend(when(Test::Equals(abi.architecture), &abi.rules()));
    }
    filter.push(answer(Answer::Allow));
    filter
}

impl Abi {
    fn rules(self) -> Vec<Instruction> {
        let allow = answer(Answer::Allow);
        let error = |errno| vec![answer(Answer::Error(errno))];
        let mut rules = vec![load(Field::Number)];
        if self.number != ALL_BITS {
            rules.push(keep_bits(self.number));
        }
        let mut rule = |numbers: &[u32], body: &[Instruction]| {
            for number in numbers {
                rules.extend(when(Test::Equals(*number), body));
            }
        };
        let new_user = when(Test::HasBits(CLONE_NEWUSER.cast_unsigned()), &error(EPERM));
        let clone = [vec![load(Field::FirstArgument)], new_user, vec![allow]].concat();
        let families = FAMILIES.iter().flat_map(|family| when(Test::Equals(*family), &[allow]));
        let families = families.collect();
        let socket = [vec![load(Field::FirstArgument)], families, error(EAFNOSUPPORT)].concat();
        rule(CLONE[self.table], &clone);
        rule(&[CLONE3], &error(ENOSYS));
        rule(SOCKET[self.table], &socket);
        for (_, numbers) in REFUSED {
            rule(numbers[self.table], &error(EPERM));
        }
        rules.push(allow);
        rules
    }
}

#[cfg(test)]
mod tests;
