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
    let mut code = Backwards::default();
    let mut next = code.answer(Answer::Error(ENOSYS));
    for abi in machine.abis().into_iter().rev() {
        let of_abi = code.abi(abi, rules);
        next = code.when(IF_EQUAL, abi.architecture(), of_abi, next);
    }
    code.then(plain(LOAD, ARCHITECTURE), next);
    code.instructions.reverse();
    code.instructions
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

/// What a call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Allow,
    Error(u16),
}

/// What the rules say of one call: the first that holds counts; where none does, it is allowed.
type Denials<'a> = Vec<(Option<&'a When>, u16)>;

/// An instruction, counted from the end of the program: jumps lead forward only, so that what is there already
/// is where they can lead.
type Place = usize;

/// A program that is written from its end, so that the same answer is there once, and each jump knows how far
/// it is. Small programs are installed sooner: the kernel translates them, and asks them for each number.
#[derive(Default)]
struct Backwards<'a> {
    instructions: Vec<Instruction>,
    answers: Vec<(Answer, Place)>,
    known: Vec<(Denials<'a>, Place)>,
}

/// Numbers that follow each other, with the same answer.
struct Run {
    start: u32,
    /// The first that is none of them.
    end: u32,
    place: Place,
}

impl<'a> Backwards<'a> {
    fn push(&mut self, instruction: Instruction) -> Place {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }

    /// How many instructions are between the one that comes next and a place.
    fn distance(&self, to: Place) -> usize {
        self.instructions.len() - 1 - to
    }

    fn answer(&mut self, answer: Answer) -> Place {
        if let Some((_, place)) = self.answers.iter().find(|(known, _)| *known == answer) {
            return *place;
        }
        let value = match answer {
            Answer::Allow => ALLOW,
            Answer::Error(errno) => ERROR | u32::from(errno),
        };
        let place = self.push(plain(RETURN, value));
        self.answers.push((answer, place));
        place
    }

    /// A test of the loaded word. A conditional jump has 8 bits for its distance; the plain one goes anywhere.
    fn when(&mut self, code: u16, k: u32, yes: Place, no: Place) -> Place {
        const FAR: usize = u8::MAX as usize - 1;
        let [yes, no] = [yes, no].map(|to| {
            let far = self.distance(to) > FAR;
            if far { self.then_jump(to) } else { to }
        });
        let [jt, jf] = [yes, no].map(|to| u8::try_from(self.distance(to)).unwrap_or(u8::MAX));
        self.push(Instruction { code, jt, jf, k })
    }

    fn then_jump(&mut self, to: Place) -> Place {
        let distance = u32::try_from(self.distance(to)).unwrap_or(u32::MAX);
        self.push(plain(JUMP, distance))
    }

    /// An instruction, after which it goes on at a place.
    fn then(&mut self, instruction: Instruction, next: Place) -> Place {
        if self.distance(next) > 0 {
            self.then_jump(next);
        }
        self.push(instruction)
    }

    fn abi(&mut self, abi: Abi, rules: &[&'a Rules]) -> Place {
        let mut by_number: BTreeMap<u32, Denials<'a>> = BTreeMap::new();
        let denials = rules.iter().flat_map(|rules| &rules.groups).flat_map(|group| &group.denials);
        for denial in denials {
            for number in denial.calls.iter().flat_map(|call| abi.numbers(call)) {
                by_number.entry(number).or_default().push((denial.when.as_ref(), denial.errno));
            }
        }
        let allow = self.answer(Answer::Allow);
        let mut runs: Vec<Run> = Vec::new();
        for (number, denials) in by_number {
            let place = self.place(denials, allow);
            match runs.last_mut() {
                Some(run) if run.end == number && run.place == place => run.end += 1,
                _ => runs.push(Run { start: number, end: number + 1, place }),
            }
        }
        let tree = self.tree(&runs, allow);
        let tree = match abi.mask() {
            u32::MAX => tree,
            mask => self.then(plain(AND, mask), tree),
        };
        self.then(plain(LOAD, NUMBER), tree)
    }

    /// Halves the runs until few are left.
    fn tree(&mut self, runs: &[Run], allow: Place) -> Place {
        const FEW: usize = 3;
        let (below, from) = runs.split_at(runs.len() / 2);
        match from.first() {
            Some(middle) if runs.len() > FEW => {
                let (from, below) = (self.tree(from, allow), self.tree(below, allow));
                self.when(IF_AT_LEAST, middle.start, from, below)
            }
            _ => runs.iter().rev().fold(allow, |next, run| {
                if run.end == run.start + 1 {
                    self.when(IF_EQUAL, run.start, run.place, next)
                } else {
                    let inside = self.when(IF_AT_LEAST, run.end, next, run.place);
                    self.when(IF_AT_LEAST, run.start, inside, next)
                }
            }),
        }
    }

    /// Where the answer to a call is found.
    fn place(&mut self, denials: Denials<'a>, allow: Place) -> Place {
        if let Some((_, place)) = self.known.iter().find(|(known, _)| *known == denials) {
            return *place;
        }
        let place = self.denials(&denials, allow);
        self.known.push((denials, place));
        place
    }

    fn denials(&mut self, denials: &Denials<'_>, allow: Place) -> Place {
        let mut next = allow;
        for (when, errno) in denials.iter().rev() {
            let error = self.answer(Answer::Error(*errno));
            let Some(When { argument, test, values }) = when else {
                next = error;
                continue;
            };
            let (named, mut other) = match test {
                Test::In => (error, next),
                Test::NotIn => (next, error),
            };
            for value in values.iter().rev() {
                other = self.when(IF_EQUAL, *value, named, other);
            }
            next = self.then(plain(LOAD, FIRST_ARGUMENT + 8 * u32::from(*argument)), other);
        }
        next
    }
}
