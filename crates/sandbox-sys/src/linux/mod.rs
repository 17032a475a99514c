//! The Linux engine: namespaces made with clone(2), one audited child, and an init of our own.
//!
//! ```text
//! caller --clone(CLONE_VM | namespaces)--> child: the plan's steps --exec--> init --vfork, exec--> command
//!    ^                                        |                               |
//!    '------- socket: Failed ------------------'------ Started, Ended --------'
//! ```

mod act;
mod calls;
mod cgroup;
mod child;
mod clone;
mod command;
mod compile;
mod console;
mod detached;
mod files;
mod filesystems;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod handle;
mod hear;
mod host_path;
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
mod table;
mod trees;
mod undo;
mod why;
mod word;

pub(crate) use probe::{assume, probe};
pub(crate) use process::{Control, Process};
pub(crate) use spawn::spawn;
