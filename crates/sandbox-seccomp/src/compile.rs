//! From rules to the kernel's classic BPF (seccomp(2)): a tree of comparisons for each ABI.

use std::collections::BTreeMap;

use crate::numbers::{Abi, Machine};
use crate::rules::{Rules, Test, When};

/// `struct sock_filter`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions a jump passes over where its test holds.
    pub jt: u8,
    /// The same where it does not.
    pub jf: u8,
    /// What it is done with.
    pub k: u32,
}

// linux/bpf_common.h
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// Of the low half: all machines that are known here have it first.
const FIRST_ARGUMENT: u32 = 16;

// linux/seccomp.h
const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;
const ENOSYS: u16 = 38;

/// The filter for a machine: all of these rules, in order. Calls by way of an ABI that the machine is not known
/// to have fail with ENOSYS.
///
/// The kernel takes 4096 instructions at most; rules can be made that come to more.
pub fn compile(machine: Machine, rules: &[&Rules]) -> Vec<Instruction> {
    let mut program = vec![plain(LOAD, ARCHITECTURE)];
    for abi in machine.abis() {
        program.extend(when_equal(abi.architecture(), &abi_rules(abi, rules)));
    }
    program.push(error(ENOSYS));
    program
}

/// The instructions as the kernel takes them, in this machine's byte order.
pub fn bytes(program: &[Instruction]) -> Vec<u8> {
    let bytes = program.iter().flat_map(|one| {
        let (code, k) = (one.code.to_ne_bytes(), one.k.to_ne_bytes());
        [&code[..], &[one.jt, one.jf], &k].concat()
    });
    bytes.collect()
}

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

fn error(errno: u16) -> Instruction {
    plain(RETURN, ERROR | u32::from(errno))
}

/// The body, passed over unless the loaded word is this.
fn when_equal(value: u32, body: &[Instruction]) -> Vec<Instruction> {
    let head = match u8::try_from(body.len()) {
        Ok(distance) => vec![Instruction { code: IF_EQUAL, jt: 0, jf: distance, k: value }],
        Err(_) => vec![Instruction { code: IF_EQUAL, jt: 1, jf: 0, k: value }, jump(body.len())],
    };
    [&head, body].concat()
}

/// Over so many instructions.
fn jump(distance: usize) -> Instruction {
    plain(JUMP, u32::try_from(distance).unwrap_or(u32::MAX))
}

/// Every way through it ends in an answer.
fn abi_rules(abi: Abi, rules: &[&Rules]) -> Vec<Instruction> {
    let mut by_number: BTreeMap<u32, Vec<(Option<&When>, u16)>> = BTreeMap::new();
    for denial in rules.iter().flat_map(|rules| &rules.groups).flat_map(|group| &group.denials) {
        for number in denial.calls.iter().flat_map(|call| abi.numbers(call)) {
            by_number.entry(number).or_default().push((denial.when.as_ref(), denial.errno));
        }
    }
    let bodies: Vec<_> =
        by_number.iter().map(|(number, denials)| (*number, answers(denials))).collect();
    let mut program = vec![plain(LOAD, NUMBER)];
    if abi.mask() != u32::MAX {
        program.push(plain(AND, abi.mask()));
    }
    program.extend(tree(&bodies));
    program
}

/// Halves the numbers until few are left.
fn tree(bodies: &[(u32, Vec<Instruction>)]) -> Vec<Instruction> {
    const FEW: usize = 3;
    let (below, from) = bodies.split_at(bodies.len() / 2);
    match from.first() {
        Some((middle, _)) if bodies.len() > FEW => {
            let (below, from) = (tree(below), tree(from));
            let head = match u8::try_from(below.len()) {
                Ok(distance) => {
                    vec![Instruction { code: IF_AT_LEAST, jt: distance, jf: 0, k: *middle }]
                }
                Err(_) => vec![
                    Instruction { code: IF_AT_LEAST, jt: 0, jf: 1, k: *middle },
                    jump(below.len()),
                ],
            };
            [head, below, from].concat()
        }
        _ => {
            let tests = bodies.iter().flat_map(|(number, body)| when_equal(*number, body));
            tests.chain([plain(RETURN, ALLOW)]).collect()
        }
    }
}

/// What the denials of one call come to.
fn answers(denials: &[(Option<&When>, u16)]) -> Vec<Instruction> {
    let mut program = Vec::new();
    for (when, errno) in denials {
        let Some(When { argument, test, values }) = when else {
            program.push(error(*errno));
            return program;
        };
        program.push(plain(LOAD, FIRST_ARGUMENT + 8 * u32::from(*argument)));
        match test {
            Test::In => {
                program
                    .extend(values.iter().flat_map(|value| when_equal(*value, &[error(*errno)])));
            }
            Test::NotIn => {
                // Each passes over the rest of them and the error.
                for (value, left) in values.iter().zip((1..=values.len()).rev()) {
                    let jt = u8::try_from(left).unwrap_or(u8::MAX);
                    program.push(Instruction { code: IF_EQUAL, jt, jf: 0, k: *value });
                }
                program.push(error(*errno));
            }
        }
    }
    program.push(plain(RETURN, ALLOW));
    program
}
