//! Compressed streams and the records of tar archives.
//!
//! [`Stream`] turns a file into the bytes of the archive in it, on a thread of its own; [`Entries`] reads
//! these as tar. Both are bounded in memory, whatever they are given.

mod compression;
mod decode;
mod digest;
mod entries;
mod entry;
mod error;
mod header;
mod pax;
mod source;
mod sparse;
mod stream;

pub use compression::Compression;
pub use digest::{Algorithm, Digest, DigestError};
pub use entries::{Entries, Limits, Sink};
pub use entry::{Entry, Kind, Time};
pub(crate) use error::shown;
pub use error::{Error, PaxProblem, SparseProblem};
pub use stream::{Progress, Stream, StreamOptions, Totals};
