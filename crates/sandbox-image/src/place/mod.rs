//! Where images are unpacked: private directories, and a cache.
//!
//! Everything is held by descriptor and lock. A directory that nobody has the lock of is a leftover, which
//! the next run removes: nothing else has to be done when a process is killed.

mod beneath;
mod cache;
mod entry;
mod error;
mod known;
mod overlay;
mod private;
mod prune;
mod remove;
mod run;
mod sweep;

pub use cache::{Cache, Found, Key};
pub use entry::{Entry, Filling};
pub use error::{KeyField, Left, PlaceError, RemoveError, Step};
pub use known::Mark;
pub use overlay::{Upper, upper};
pub use private::Leftover;
pub use prune::{Keep, Pruned};
pub use remove::remove_tree;
pub use run::{Directory, RunDir};
pub use sweep::{Budget, Swept, sweep};
