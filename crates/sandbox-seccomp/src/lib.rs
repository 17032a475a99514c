//! Filters of system calls (seccomp(2)) from rules that people can read, for every ABI of a machine.
//!
//! [`Rules`] are text; [`compile`] makes a program of the kernel's classic BPF of them. The rules that
//! builds are held to ([`BUILD`]), and those of a terminal that is shared ([`TERMINAL`]), are compiled with
//! this crate. Nothing here installs a filter.
#![allow(clippy::unreadable_literal, reason = "numbers of programs that were compiled")]

mod compile;
mod numbers;
mod rules;

pub use compile::{Instruction, bytes, compile};
pub use numbers::{Abi, Machine, X32_BIT};
pub use rules::{Denial, Group, Mistake, Rules, RulesError, Test, When};

include!(concat!(env!("OUT_DIR"), "/filters.rs"));
