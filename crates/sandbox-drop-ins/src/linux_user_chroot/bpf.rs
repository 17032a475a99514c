//! A small assembler for seccomp filters (seccomp(2), classic BPF).

#![allow(clippy::cast_possible_truncation, reason = "BPF codes have 16 bits")]

use nix::libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
};

/// `struct sock_filter`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) jump_true: u8,
    pub(super) jump_false: u8,
    pub(super) operand: u32,
}

/// A word of `struct seccomp_data`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    Number,
    Architecture,
    /// The low half of the first argument.
    FirstArgument,
}

/// What the loaded word is held against.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    Equals(u32),
    HasBits(u32),
}

/// How the filter answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Allow,
    Error(i32),
}

const fn plain(code: u32, operand: u32) -> Instruction {
    Instruction { code: code as u16, jump_true: 0, jump_false: 0, operand }
}

/// Loads a word.
pub(super) const fn load(field: Field) -> Instruction {
    let offset = match field {
        Field::Number => 0,
        Field::Architecture => 4,
        // All machines that these filters are for have the low half first.
        Field::FirstArgument => 16,
    };
    plain(BPF_LD | BPF_W | BPF_ABS, offset)
}

/// Clears all bits of the loaded word but these.
pub(super) const fn keep_bits(mask: u32) -> Instruction {
    plain(BPF_ALU | BPF_AND | BPF_K, mask)
}

/// The end: this is the answer.
pub(super) const fn answer(answer: Answer) -> Instruction {
    let value = match answer {
        Answer::Allow => SECCOMP_RET_ALLOW,
        Answer::Error(errno) => SECCOMP_RET_ERRNO | errno.cast_unsigned(),
    };
    plain(BPF_RET | BPF_K, value)
}

/// The body, jumped over unless the loaded word passes the test.
pub(super) fn when(test: Test, body: &[Instruction]) -> Vec<Instruction> {
    let (code, operand) = match test {
        Test::Equals(value) => (BPF_JEQ, value),
        Test::HasBits(bits) => (BPF_JSET, bits),
    };
    let test = plain(BPF_JMP | code | BPF_K, operand);
    // A conditional jump has 8 bits for its distance.
    let head = match u8::try_from(body.len()) {
        Ok(distance) => vec![Instruction { jump_false: distance, ..test }],
        Err(_) => vec![
            Instruction { jump_true: 1, ..test },
            plain(BPF_JMP | BPF_JA, u32::try_from(body.len()).unwrap_or(u32::MAX)),
        ],
    };
    [&head, body].concat()
}

/// The instructions as the kernel takes them.
pub(super) fn bytes(program: &[Instruction]) -> Vec<u8> {
    let bytes = program.iter().flat_map(|one| {
        let (code, operand) = (one.code.to_ne_bytes(), one.operand.to_ne_bytes());
        [&code[..], &[one.jump_true, one.jump_false], &operand].concat()
    });
    bytes.collect()
}
