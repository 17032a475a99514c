//! What the Python original promises, and what it gets wrong: each promise and each known bug of it has
//! a test here whose name begins with it. Every test runs as root (where the tests do) and as a plain
//! user.
//!
//! | bug of the original | tests |
//! |---|---|
//! | 1, 2 an image always fails; its root is taken for the command | in sandbox-cli: `bug_01_02_15_*`; a tree: `bug_03_*` there |
//! | 3 trees are refused, with status 0, on the wrong stream; the status is lost | in sandbox-cli: `bug_03_*` |
//! | 4 a command without arguments, output late and changed | in sandbox-cli: `bug_04_*` |
//! | 5 much output never ends | `bug_05_*` |
//! | 6 a log file, and the program's logging set up anew | `bug_06_*` |
//! | 7 messages without the value | `bug_07_*` |
//! | 8 any word of the module is an executor | `bug_08_*` |
//! | 9 checks that `-O` removes | `bug_09_*`; none of ours is an assertion |
//! | 10 a module that newer Pythons do not have | of Python only |
//! | 11 the option `bind` known by its identity, the caller's list changed | `bug_11_*` |
//! | 12 mounts in any order, without their options, or with another source | `bug_12_*` |
//! | 13 mounts that land on the host | `bug_13_*` |
//! | 14 mounts that stay on the host | `bug_14_*` |
//! | 15 images unpacked as root without a filter | `bug_01_02_15_*` in sandbox-cli, and hostile archives in `sandbox-image/tests/hostile` |
//! | 16 a whitelist that is none | `bug_16_*` |
//! | 17 descriptor 0 taken for none | `bug_17_*` |
//! | 18 nothing ends a sandbox | `bug_18_*` |
//! | 19 one dictionary for two configurations | `bug_19_*` |
//! | 20 a program on `PATH` taken for one that works | `bug_20_*` |
//!
//! The rows of what it promises are `row_*`; the one on `run-sandbox` is in sandbox-cli, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod bugs_of_calls;
mod bugs_of_lives;
mod bugs_of_mounts;
mod bugs_of_writable;

mod fixture;
mod roles;
mod rows_of_choice;
mod rows_of_files;
mod rows_of_processes;
mod ybd;
