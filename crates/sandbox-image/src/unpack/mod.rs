//! From the entries of an archive to files, below a directory.
//!
//! Nothing outside the directory is ever written, whatever the archive says and however often links
//! change meanwhile: every path is resolved by the kernel below the directory (`RESOLVE_IN_ROOT` of
//! openat2(2)), and the last part of one is never followed.

mod directories;
mod error;
mod make;
mod metadata;
mod names;
mod options;
mod remove;
mod report;
mod tree;
mod unpacker;
mod whiteout;

pub use error::Error;
pub use options::{Budget, Devices, Duplicates, Names, Options, Over, Owners, Whiteouts};
pub use report::{Lost, Report};
pub use unpacker::{Captured, Choice, Unpacker};
