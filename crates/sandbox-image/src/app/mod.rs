//! What an image runs, whatever its format, and the sandboxes that this means.

mod model;

pub use model::{App, Isolator, MountPoint, Port, SeccompSet};
