//! The filter, run by a small interpreter on every call of every ABI.

use std::collections::BTreeSet;

use nix::libc::{EAFNOSUPPORT, ENOSYS, EPERM};

use super::*;
use crate::linux_user_chroot::bpf::Instruction;

const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;
const NEW_USER: u64 = 0x1000_0000;

/// Carries out a program as the kernel does; whatever it must not hold is a panic.
fn run(program: &[Instruction], architecture: u32, number: u32, argument: u64) -> Answer {
    let mut loaded = 0;
    let mut at = 0;
    loop {
        let Instruction { code, jump_true, jump_false, operand } = program[at];
        at += 1;
        let jump = |passed: bool| usize::from(if passed { jump_true } else { jump_false });
        match code {
            0x20 => {
                loaded = match operand {
                    0 => number,
                    4 => architecture,
                    16 => u32::try_from(argument & 0xffff_ffff).unwrap(),
                    other => panic!("loads {other}"),
                }
            }
            0x54 => loaded &= operand,
            0x05 => at += usize::try_from(operand).unwrap(),
            0x15 => at += jump(loaded == operand),
            0x45 => at += jump(loaded & operand != 0),
            0x06 if operand == ALLOW => return Answer::Allow,
            0x06 if operand & 0xffff_0000 == ERROR => {
                return Answer::Error(i32::try_from(operand & 0xffff).unwrap());
            }
            other => panic!("instruction {other:#x}, operand {operand:#x}"),
        }
    }
}

/// A machine, one of its ABIs, a bit that marks the numbers, and the numbers of the ABI as its headers have them.
struct Case {
    machine: &'static str,
    architecture: u32,
    mark: u32,
    refused: &'static [u32],
    clone: u32,
    socket: u32,
}

const GENERIC: &[u32] = &[116, 92, 89, 60, 239, 235, 236, 237, 238, 97, 40, 41, 241, 117];

const CASES: [Case; 7] = [
    Case {
        machine: "x86_64",
        architecture: 0xC000_003E,
        mark: 0,
        refused: &[
            103, 134, 135, 163, 154, 179, 279, 237, 239, 238, 256, 272, 165, 155, 298, 101,
            // x32's own, without its mark.
            533, 521,
        ],
        clone: 56,
        socket: 41,
    },
    Case {
        machine: "x86_64",
        architecture: 0xC000_003E,
        mark: 0x4000_0000,
        refused: &[
            103, 134, 135, 163, 154, 179, 533, 237, 239, 238, 256, 272, 165, 155, 298, 521,
            // x86_64's, marked.
            279, 101,
        ],
        clone: 56,
        socket: 41,
    },
    Case {
        machine: "x86_64",
        architecture: 0x4000_0003,
        mark: 0,
        refused: &[103, 86, 136, 51, 123, 131, 317, 274, 275, 276, 294, 310, 21, 217, 336, 26],
        clone: 120,
        socket: 359,
    },
    Case {
        machine: "aarch64",
        architecture: 0xC000_00B7,
        mark: 0,
        refused: GENERIC,
        clone: 220,
        socket: 198,
    },
    Case {
        machine: "aarch64",
        architecture: 0x4000_0028,
        mark: 0,
        refused: &[103, 86, 136, 51, 131, 344, 319, 320, 321, 400, 337, 21, 218, 364, 26],
        clone: 120,
        socket: 281,
    },
    Case {
        machine: "riscv64",
        architecture: 0xC000_00F3,
        mark: 0,
        refused: GENERIC,
        clone: 220,
        socket: 198,
    },
    Case {
        machine: "riscv64",
        architecture: 0x4000_00F3,
        mark: 0,
        refused: GENERIC,
        clone: 220,
        socket: 198,
    },
];

impl Case {
    fn answer(&self, number: u32, argument: u64) -> Answer {
        let program = filter(&abis(self.machine).unwrap());
        run(&program, self.architecture, number | self.mark, argument)
    }
}

#[test]
fn what_is_refused_and_nothing_else() {
    for case in &CASES {
        let refused: BTreeSet<_> = case.refused.iter().copied().collect();
        for number in 0..1024 {
            let expected = match number {
                435 => Answer::Error(ENOSYS),
                number if refused.contains(&number) => Answer::Error(EPERM),
                _ => Answer::Allow,
            };
            // Of the first argument, 1 is a family that there is and no flag that matters.
            let name = format!("{} {:#x} {number}", case.machine, case.architecture);
            assert_eq!(case.answer(number, 1), expected, "{name}");
        }
    }
}

#[test]
fn a_clone_makes_no_user_namespace() {
    for case in &CASES {
        for flags in [NEW_USER, NEW_USER | 0x11, u64::MAX] {
            assert_eq!(case.answer(case.clone, flags), Answer::Error(EPERM), "{flags:#x}");
        }
        // CLONE_NEWNS, CLONE_VM, and a bit that is not the kernel's to look at.
        for flags in [0x11, 0x0002_0011, 0x0000_0100, NEW_USER << 32] {
            assert_eq!(case.answer(case.clone, flags), Answer::Allow, "{flags:#x}");
        }
    }
}

#[test]
fn a_socket_is_of_a_known_family() {
    for case in &CASES {
        for family in (0..64).chain([0xffff_ffff, 1 << 31]) {
            let known = [0, 1, 2, 10, 16].contains(&family);
            let expected = if known { Answer::Allow } else { Answer::Error(EAFNOSUPPORT) };
            assert_eq!(case.answer(case.socket, family), expected, "{family}");
            // The kernel takes an int: what is above does not matter.
            assert_eq!(case.answer(case.socket, family | 1 << 32), expected, "{family}");
        }
    }
}

#[test]
fn an_unknown_abi_is_left_alone() {
    let program = filter(&abis("x86_64").unwrap());
    assert_eq!(run(&program, 0x1234, 165, 0), Answer::Allow);
    assert!(abis("pdp11").is_none());
}

#[test]
fn the_tables_are_those_of_the_c_library() {
    use nix::libc;
    let here = abis(std::env::consts::ARCH).unwrap()[0];
    let number =
        |name: &str| REFUSED.iter().find(|(known, _)| *known == name).unwrap().1[here.table][0];
    for (name, expected) in [
        ("syslog", libc::SYS_syslog),
        ("personality", libc::SYS_personality),
        ("acct", libc::SYS_acct),
        ("quotactl", libc::SYS_quotactl),
        ("move_pages", libc::SYS_move_pages),
        ("mbind", libc::SYS_mbind),
        ("get_mempolicy", libc::SYS_get_mempolicy),
        ("set_mempolicy", libc::SYS_set_mempolicy),
        ("migrate_pages", libc::SYS_migrate_pages),
        ("unshare", libc::SYS_unshare),
        ("mount", libc::SYS_mount),
        ("pivot_root", libc::SYS_pivot_root),
        ("perf_event_open", libc::SYS_perf_event_open),
        ("ptrace", libc::SYS_ptrace),
    ] {
        assert_eq!(i64::from(number(name)), expected, "{name}");
    }
    assert_eq!(i64::from(CLONE[here.table][0]), libc::SYS_clone);
    assert_eq!(i64::from(SOCKET[here.table][0]), libc::SYS_socket);
    assert_eq!(i64::from(CLONE3), libc::SYS_clone3);
    assert!(program().unwrap().instructions() < 256);
}
