//! The Linux engine: namespaces made with clone(2), one audited child, and an init of our own.
//!
//! ```text
//! caller --clone(CLONE_VM | namespaces)--> child: the plan's steps --exec--> init --vfork, exec--> command
//!    ^                                        |                               |
//!    '------- socket: Failed ------------------'------ Started, Ended --------'
//! ```

mod act;
mod cgroup;
mod child;
mod clone;
mod command;
mod compile;
mod console;
mod files;
mod filesystems;
mod hear;
mod image;
mod init_file;
mod kernel;
mod make;
mod places;
mod probe;
mod process;
mod process_acts;
mod profile;
mod program;
mod protocol;
#[allow(unsafe_code, reason = "system calls, in assembly")]
mod raw;
mod spawn;
mod stack;
mod trees;
mod undo;
mod why;
mod word;

pub(crate) use probe::{assume, probe};
pub(crate) use process::{Control, Process};
pub(crate) use spawn::spawn;
