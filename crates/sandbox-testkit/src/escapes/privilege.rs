//! More privilege than the command was given.

pub(super) mod capabilities;
pub(super) mod devices;
pub(super) mod kernel;
pub(super) mod namespaces;
pub(super) mod settings;
